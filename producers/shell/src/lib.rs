#![doc = include_str!("../README.md")]

pub mod authority;
pub mod caller;
pub mod check;
pub mod etag;
pub mod health;
pub mod id;
pub mod idempotency;
#[cfg(feature = "issuer")]
pub mod issuer;
pub mod json;
pub mod kit;
pub mod openapi;
pub mod page;
pub mod parameter;
pub mod prepared;
pub mod problem;
pub mod request;
pub mod server;
pub mod settings;

mod answer;

pub use answer::Answer;
pub use authority::Authority;
pub use caller::{Caller, Scope};
pub use check::Checks;
pub use etag::{ETag, IfMatch, IfMatchHeader};
pub use id::Id;
pub use idempotency::{IdempotencyHeader, IdempotencyKey, Once};
pub use json::Json;
pub use kit::Kit;
pub use page::{Items, Page, PageParams};
pub use parameter::{Path, Query};
pub use platform::postgres::{BoxFuture, uninterrupted};
pub use prepared::{DatabaseSettings, Prepared};
pub use problem::{OnConstraint, Problem};
pub use server::{Server, background, router};
pub use settings::ShellSettings;
pub use utoipa_axum::router::OpenApiRouter;
pub use utoipa_axum::routes;

use sqlx::{PgPool, PgTransaction};

/// One transaction that runs to its end even when the caller goes away: [`platform::postgres::write`] with a [`Problem`]
/// as its error.
///
/// # Errors
/// What `work` answers, or the [`Problem`] that stands for the failure to begin or commit.
pub async fn write<T, W>(pool: &PgPool, work: W) -> Result<T, Problem>
where
    T: Send + 'static,
    W: for<'t> FnOnce(&'t mut PgTransaction<'static>) -> BoxFuture<'t, Result<T, Problem>> + Send + 'static,
{
    platform::postgres::write(pool, work).await
}
