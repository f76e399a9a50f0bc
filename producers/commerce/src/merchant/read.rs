//! `GET /merchants/{merchant_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, Path, Problem};

use super::{Merchant, rows};
use crate::Commerce;

/// Read a merchant.
#[utoipa::path(
    get, path = "/merchants/{merchant_id}", tag = "merchants", operation_id = "read_merchant",
    params(("merchant_id" = Id, Path, description = "The merchant.")),
    responses((status = 200, description = "The merchant; its `ETag` is for If-Match.", body = Merchant)),
)]
pub(super) async fn read(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
) -> Result<Answer, Problem> {
    let scope = caller.may("merchant", "read").await?;
    let merchant = rows::find(&commerce.pool, &scope, id.0).await?.ok_or_else(|| Problem::not_found("merchant"))?;
    Ok(Answer::ok(&merchant).etag(merchant.version))
}
