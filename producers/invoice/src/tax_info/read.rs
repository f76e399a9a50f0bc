//! `GET /tax-info/{merchant}`

use axum::extract::State;
use shell::{Answer, Caller, Id, Path, Problem, Scope};
use sqlx::PgExecutor;

use super::TaxInfo;
use crate::Invoice;

/// One merchant's tax info.
///
/// It follows the merchant in commerce within moments: right after a merchant was created, 404 may mean not yet.
#[utoipa::path(
    get, path = "/tax-info/{merchant}", tag = "tax-info", operation_id = "read_tax_info",
    params(("merchant" = Id, Path, description = "The merchant.")),
    responses((status = 200, description = "What its invoices print about it.", body = TaxInfo)),
)]
pub(super) async fn read(
    caller: Caller,
    State(invoice): State<Invoice>,
    Path(merchant): Path<Id>,
) -> Result<Answer, Problem> {
    let scope = caller.may("tax-info", "read").await?;
    shell::request::log_merchant(merchant.0);
    let info = find(&invoice.pool, &scope, merchant.0).await?.ok_or_else(|| Problem::not_found("tax info"))?;
    Ok(Answer::ok(&info))
}

async fn find(executor: impl PgExecutor<'_>, scope: &Scope, merchant: i64) -> Result<Option<TaxInfo>, sqlx::Error> {
    sqlx::query_as(
        "select merchant_id, name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code, ward_code,
                email, phone, updated_at
           from tax_info where merchant_id = $1 and ($2 or created_by = $3 or merchant_id = any($4))",
    )
    .bind(merchant)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}
