//! `GET /levels`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, Items, Page, PageParams, Problem, Query, Scope};
use sqlx::{PgExecutor, QueryBuilder};
use utoipa::IntoParams;

use super::Level;
use crate::{Inventory, push_id, push_scope};

/// Which levels.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(clippy::struct_field_names, reason = "the names of the parameters, which are all ids")]
pub(super) struct Filter {
    /// Of this merchant.
    #[param(inline)]
    merchant_id: Option<Id>,
    /// At this location.
    #[param(inline)]
    location_id: Option<Id>,
    /// Of this variant.
    #[param(inline)]
    variant_id: Option<Id>,
}

/// List stock levels, by location and variant.
///
/// A variant has a level from moments after it was created in commerce: nought at its merchant's default location.
#[utoipa::path(
    get, path = "/levels", tag = "levels", operation_id = "list_levels", params(Filter, PageParams),
    responses((status = 200, description = "A page.", body = Items<Level>)),
)]
pub(super) async fn list(
    caller: Caller,
    State(inventory): State<Inventory>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Answer, Problem> {
    let scope = caller.may("level", "read").await?;
    if let Some(merchant) = filter.merchant_id {
        shell::request::log_merchant(merchant.0);
    }
    let rows = select(&inventory.pool, &scope, filter, page.after()?, page.fetch()).await?;
    Ok(Answer::ok(&page.answer(rows, |row| (row.location_id, row.variant_id), |row| row)))
}

/// A level is gone when its location is, too: then its merchant went.
async fn select(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    filter: Filter,
    after: Option<(Id, Id)>,
    limit: i64,
) -> Result<Vec<Level>, sqlx::Error> {
    let mut query = QueryBuilder::new(
        "select s.location_id, s.variant_id, s.product_id, s.merchant_id, trim_scale(s.quantity)::text as quantity,
                s.created_at, s.updated_at
           from stock_level s join location l on l.id = s.location_id
          where s.deleted_at is null and l.deleted_at is null",
    );
    push_scope(&mut query, scope);
    push_id(&mut query, "s.merchant_id", filter.merchant_id);
    push_id(&mut query, "s.location_id", filter.location_id);
    push_id(&mut query, "s.variant_id", filter.variant_id);
    if let Some((location, variant)) = after {
        query.push(" and (s.location_id, s.variant_id) > (").push_bind(location.0);
        query.push(", ").push_bind(variant.0).push(")");
    }
    query.push(" order by s.location_id, s.variant_id limit ").push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}
