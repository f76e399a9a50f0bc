//! `GET /merchants/{merchant_id}/summary`: what the footer of a merchant's pages shows.
//!
//! Kept in Redis, where `cache-invalidation` drops it when the merchant, a category or a product changes; the time to
//! live is the net under that, and under a summary read just before a change and kept just after it. Without Redis it is
//! read each time.

use std::time::Duration;

use axum::extract::State;
use platform::cache_key::merchant_footer;
use serde::{Deserialize, Serialize};
use shell::{Answer, Caller, Id, Path, Problem};
use sqlx::PgExecutor;
use utoipa::ToSchema;

use super::{Merchant, MerchantStatus, rows};
use crate::{Commerce, address};

const KEPT: Duration = Duration::from_mins(1);

/// What the footer shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Summary {
    /// The merchant.
    pub merchant_id: Id,
    /// Its name.
    pub name: String,
    /// Whether it trades.
    pub status: MerchantStatus,
    /// Its address in one line, with the names of its units.
    #[schema(example = "13 Lò Đúc, Phường Hai Bà Trưng, Hà Nội")]
    pub address: String,
    /// A telephone number.
    pub phone: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// Its tax code.
    pub tax_code: Option<String>,
    /// How many categories it has.
    pub categories: i64,
    /// How many products it has that are for sale.
    pub products: i64,
    /// How many variants those have.
    pub variants: i64,
}

/// What is kept in Redis: whose it is decides who may see it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    created_by: i64,
    summary: Summary,
}

/// The footer of a merchant's pages.
#[utoipa::path(
    get, path = "/merchants/{merchant_id}/summary", tag = "merchants", operation_id = "read_merchant_summary",
    params(("merchant_id" = Id, Path, description = "The merchant.")),
    responses((status = 200, description = "What the footer shows.", body = Summary)),
)]
pub(super) async fn summary(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
) -> Result<Answer, Problem> {
    let scope = caller.may("merchant", "read").await?;
    let key = merchant_footer(id.0);
    if let Some(kept) = commerce.cache.get(&key).await.and_then(|text| serde_json::from_str::<Kept>(&text).ok()) {
        let visible = scope.includes(id.0, kept.created_by);
        return if visible { Ok(Answer::ok(&kept.summary)) } else { Err(Problem::not_found("merchant")) };
    }
    let merchant = rows::find(&commerce.pool, &scope, id.0).await?.ok_or_else(|| Problem::not_found("merchant"))?;
    let (categories, products, variants) = count(&commerce.pool, id.0).await?;
    let kept = Kept { created_by: merchant.owner_id.0, summary: of(merchant, categories, products, variants) };
    if let Ok(text) = serde_json::to_string(&kept) {
        commerce.cache.set(&key, &text, KEPT).await;
    }
    Ok(Answer::ok(&kept.summary))
}

fn of(merchant: Merchant, categories: i64, products: i64, variants: i64) -> Summary {
    let ward = merchant.ward_code.as_deref().and_then(address::ward).map(|ward| ward.name);
    let province = merchant.province_code.as_deref().and_then(address::province).map(|province| province.name);
    let parts = [Some(merchant.address_line.as_str()), ward, province];
    let parts: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    Summary {
        merchant_id: merchant.id,
        address: parts.join(", "),
        name: merchant.name,
        status: merchant.status,
        phone: merchant.phone,
        email: merchant.email,
        tax_code: merchant.tax_code,
        categories,
        products,
        variants,
    }
}

async fn count(executor: impl PgExecutor<'_>, id: i64) -> Result<(i64, i64, i64), sqlx::Error> {
    sqlx::query_as(
        "select (select count(*) from category where merchant_id = $1 and deleted_at is null),
                (select count(*) from product where merchant_id = $1 and deleted_at is null and status = 'ACTIVE'),
                (select count(*) from variant v join product p on p.id = v.product_id
                 where p.merchant_id = $1 and p.deleted_at is null and p.status = 'ACTIVE' and v.deleted_at is null)",
    )
    .bind(id)
    .fetch_one(executor)
    .await
}
