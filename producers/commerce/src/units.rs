//! `GET /provinces` and `GET /provinces/{province_code}/wards`: what an address form offers.

use shell::{Answer, Caller, OpenApiRouter, Path, Problem, routes};

use crate::Commerce;
use crate::address::{self, Province, Ward};

/// The 34 provinces and cities, by code.
#[utoipa::path(
    get, path = "/provinces", tag = "administrative units", operation_id = "list_provinces",
    responses((status = 200, description = "All of them.", body = Vec<Province>)),
)]
async fn provinces(caller: Caller) -> Result<Answer, Problem> {
    caller.may("merchant", "read").await?;
    Ok(Answer::ok(&address::provinces()))
}

/// The wards, communes and special zones that are known in a province, by code.
#[utoipa::path(
    get, path = "/provinces/{province_code}/wards", tag = "administrative units", operation_id = "list_wards",
    params(("province_code" = String, Path, description = "Two digits.", pattern = "^[0-9]{2}$")),
    responses((status = 200, description = "Those that are known.", body = Vec<Ward>)),
)]
async fn wards(caller: Caller, Path(code): Path<String>) -> Result<Answer, Problem> {
    caller.may("merchant", "read").await?;
    address::province(&code).ok_or_else(|| Problem::not_found("province"))?;
    Ok(Answer::ok(&address::wards(&code).collect::<Vec<_>>()))
}

/// The endpoints.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new().routes(routes!(provinces)).routes(routes!(wards))
}
