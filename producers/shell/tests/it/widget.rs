//! A whole small service, as commerce would write it: create with an idempotency key, get with an `ETag`, patch with
//! `If-Match`, list with a cursor and a scope.

use axum::extract::State;
use platform::snowflake::Snowflake;
use serde::{Deserialize, Serialize};
use shell::{
    Answer, Caller, Checks, Id, IdempotencyHeader, IfMatch, IfMatchHeader, Items, Json, OnConstraint, Once,
    OpenApiRouter, Page, PageParams, Path, Problem, Query, Scope, routes,
};
use sqlx::{PgExecutor, PgPool};
use utoipa::{IntoParams, ToSchema};

/// What the table of widgets looks like.
pub(crate) const DDL: &str = "create table widget (
    id bigint primary key, merchant_id bigint not null, created_by bigint not null, name text not null,
    slug text not null, price bigint not null, version bigint not null default 1,
    constraint widget_merchant_slug_key unique (merchant_id, slug))";

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) pool: PgPool,
    pub(crate) snowflake: Snowflake,
}

pub(crate) fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(get, patch))
}

/// What a caller sends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWidget {
    merchant_id: Id,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(pattern = "^[a-z0-9-]{1,100}$")]
    slug: String,
    /// In dong.
    #[schema(minimum = 0)]
    price: i64,
}

impl NewWidget {
    fn check(&self) -> Result<(), Problem> {
        let slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let slug = (1..=100).contains(&self.slug.len()) && self.slug.bytes().all(slug);
        Checks::new()
            .length(&self.name, 1, 200, "/name")
            .that(slug, "/slug", "SLUG", "must be 1 to 100 of a-z, 0-9 and -")
            .that(self.price >= 0, "/price", "NEGATIVE", "must not be below 0")
            .finish()
    }
}

/// What a caller changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WidgetPatch {
    #[schema(minimum = 0)]
    price: Option<i64>,
}

/// What a caller sees.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
struct Widget {
    #[sqlx(try_from = "i64")]
    id: Id,
    #[sqlx(try_from = "i64")]
    merchant_id: Id,
    name: String,
    slug: String,
    price: i64,
    #[serde(skip)]
    version: i64,
}

/// Creates a widget.
#[utoipa::path(post, path = "/widgets", tag = "widgets", params(IdempotencyHeader), request_body = NewWidget,
    responses((status = 201, body = Widget)))]
async fn create(State(app): State<App>, caller: Caller, once: Once<NewWidget>) -> Result<Answer, Problem> {
    let scope = caller.may("widget", "create").await?;
    let Once { key, body: new } = once;
    new.check()?;
    let (id, by) = (app.snowflake.next_id()?, caller.id);
    key.once(&app.pool, move |transaction| {
        Box::pin(async move {
            may_use_merchant(&scope, new.merchant_id, by)?;
            let widget =
                insert(&mut **transaction, id, by, &new).await.on_constraint("widget_merchant_slug_key", || {
                    Problem::taken("/slug", "SLUG_TAKEN", "another widget of this merchant has this slug")
                })?;
            let location = format!("/v1/api/commerce/widgets/{id}");
            Ok(Answer::created(&widget).etag(widget.version).location(location))
        })
    })
    .await
}

/// One widget.
#[utoipa::path(get, path = "/widgets/{id}", tag = "widgets", params(("id" = Id, Path)), responses((status = 200, body = Widget)))]
async fn get(State(app): State<App>, caller: Caller, Path(id): Path<Id>) -> Result<Answer, Problem> {
    let scope = caller.may("widget", "read").await?;
    let widget = find(&app.pool, id.0, &scope).await?.ok_or_else(|| Problem::not_found("widget"))?;
    Ok(Answer::ok(&widget).etag(widget.version))
}

/// Changes a widget.
#[utoipa::path(patch, path = "/widgets/{id}", tag = "widgets", params(("id" = Id, Path), IfMatchHeader),
    request_body = WidgetPatch, responses((status = 200, body = Widget)))]
async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(change): Json<WidgetPatch>,
) -> Result<Answer, Problem> {
    let scope = caller.may("widget", "update").await?;
    Checks::new()
        .that(change.price.is_none_or(|price| price >= 0), "/price", "NEGATIVE", "must not be below 0")
        .finish()?;
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move {
            let version = lock(&mut **transaction, id.0, &scope).await?.ok_or_else(|| Problem::not_found("widget"))?;
            if_match.check(version)?;
            let widget = update(&mut **transaction, id.0, change.price).await?;
            Ok(Answer::ok(&widget).etag(widget.version))
        })
    })
    .await
}

/// What a list is filtered by.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WidgetFilter {
    merchant_id: Option<Id>,
}

/// Widgets by name.
#[utoipa::path(get, path = "/widgets", tag = "widgets", params(PageParams, WidgetFilter), responses((status = 200, body = Items<Widget>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    page: Page,
    Query(filter): Query<WidgetFilter>,
) -> Result<Answer, Problem> {
    let scope = caller.may("widget", "read").await?;
    let rows = select(&app.pool, &scope, filter.merchant_id, page.after()?, page.fetch()).await?;
    Ok(Answer::ok(&page.answer(rows, |row| (row.name.clone(), row.id), |row| row)))
}

// In a real service this is a query for the merchant, under the caller's scope.
fn may_use_merchant(scope: &Scope, merchant: Id, by: i64) -> Result<(), Problem> {
    let visible = scope.includes(merchant.0, by);
    if visible {
        Ok(())
    } else {
        Err(Problem::invalid("/merchant_id", "NO_SUCH_MERCHANT", "there is no such merchant"))
    }
}

async fn insert(db: impl PgExecutor<'_>, id: i64, by: i64, new: &NewWidget) -> Result<Widget, sqlx::Error> {
    sqlx::query_as(
        "insert into widget (id, merchant_id, created_by, name, slug, price) values ($1, $2, $3, $4, $5, $6) returning *",
    )
    .bind(id)
    .bind(new.merchant_id.0)
    .bind(by)
    .bind(&new.name)
    .bind(&new.slug)
    .bind(new.price)
    .fetch_one(db)
    .await
}

async fn find(db: impl PgExecutor<'_>, id: i64, scope: &Scope) -> Result<Option<Widget>, sqlx::Error> {
    sqlx::query_as("select * from widget where id = $1 and ($2 or created_by = $3 or merchant_id = any($4))")
        .bind(id)
        .bind(scope.is_all())
        .bind(scope.created_by())
        .bind(scope.merchants())
        .fetch_optional(db)
        .await
}

async fn lock(db: impl PgExecutor<'_>, id: i64, scope: &Scope) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "select version from widget where id = $1 and ($2 or created_by = $3 or merchant_id = any($4)) for update",
    )
    .bind(id)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(db)
    .await
}

async fn update(db: impl PgExecutor<'_>, id: i64, price: Option<i64>) -> Result<Widget, sqlx::Error> {
    sqlx::query_as("update widget set price = coalesce($2, price), version = version + 1 where id = $1 returning *")
        .bind(id)
        .bind(price)
        .fetch_one(db)
        .await
}

async fn select(
    db: impl PgExecutor<'_>,
    scope: &Scope,
    merchant: Option<Id>,
    after: Option<(String, Id)>,
    limit: i64,
) -> Result<Vec<Widget>, sqlx::Error> {
    let (name, id) = after.unzip();
    sqlx::query_as(
        "select * from widget
         where ($1 or created_by = $2 or merchant_id = any($3)) and ($4::bigint is null or merchant_id = $4)
           and ($5::text is null or (name, id) > ($5, $6))
         order by name, id limit $7",
    )
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .bind(merchant.map(i64::from))
    .bind(name)
    .bind(id.map(i64::from))
    .bind(limit)
    .fetch_all(db)
    .await
}
