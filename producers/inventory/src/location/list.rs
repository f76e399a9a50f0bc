//! `GET /locations`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, Items, Page, PageParams, Problem, Query, Scope};
use sqlx::{PgExecutor, QueryBuilder};
use utoipa::IntoParams;

use super::Location;
use crate::{Inventory, push_id, push_scope};

/// Which locations.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of this merchant.
    #[param(inline)]
    merchant_id: Option<Id>,
}

/// List locations, oldest first.
#[utoipa::path(
    get, path = "/locations", tag = "locations", operation_id = "list_locations", params(Filter, PageParams),
    responses((status = 200, description = "A page.", body = Items<Location>)),
)]
pub(super) async fn list(
    caller: Caller,
    State(inventory): State<Inventory>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Answer, Problem> {
    let scope = caller.may("location", "read").await?;
    if let Some(merchant) = filter.merchant_id {
        shell::request::log_merchant(merchant.0);
    }
    let rows = select(&inventory.pool, &scope, filter, page.after()?, page.fetch()).await?;
    Ok(Answer::ok(&page.answer(rows, |row| row.id, |row| row)))
}

async fn select(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    filter: Filter,
    after: Option<Id>,
    limit: i64,
) -> Result<Vec<Location>, sqlx::Error> {
    let mut query = QueryBuilder::new(
        "select l.id, l.merchant_id, l.name, l.is_default, l.created_at, l.updated_at
           from location l where l.deleted_at is null",
    );
    push_scope(&mut query, scope);
    push_id(&mut query, "l.merchant_id", filter.merchant_id);
    if let Some(id) = after {
        query.push(" and l.id > ").push_bind(id.0);
    }
    query.push(" order by l.id limit ").push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}
