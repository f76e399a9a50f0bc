//! The collection that is filled beside the one that is searched: a row in `backbone`. While it is there, whoever writes
//! the searched collection writes this one too.

use serde::Serialize;
use sqlx::PgExecutor;
use sqlx::types::time::OffsetDateTime;

/// A collection that is being filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Beside {
    /// Its name.
    pub collection: String,
    /// Every product up to this id was written to it once; none when no product was.
    pub filled_to: Option<i64>,
    /// Why a write to it failed that went well where it is searched.
    pub fault: Option<String>,
    /// Who began.
    pub started_by: String,
    /// When.
    #[serde(skip)]
    pub started_at: OffsetDateTime,
}

/// The one beside this alias.
pub(crate) async fn read(backbone: impl PgExecutor<'_>, alias: &str) -> sqlx::Result<Option<Beside>> {
    sqlx::query_as("select collection, filled_to, fault, started_by, started_at from reindex where alias = $1")
        .bind(alias)
        .fetch_optional(backbone)
        .await
}

/// From when this is committed on, every chunk whose lock is taken is written beside too. Answers up to where the collection
/// was filled before.
pub(crate) async fn begin(
    backbone: impl PgExecutor<'_>,
    alias: &str,
    collection: &str,
    is_new: bool,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "insert into reindex (alias, collection) values ($1, $2)
         on conflict (alias) do update set
            collection = excluded.collection, fault = null, updated_at = now(),
            filled_to = case when $3 or reindex.collection <> excluded.collection then null else reindex.filled_to end
         returning filled_to",
    )
    .bind(alias)
    .bind(collection)
    .bind(is_new)
    .fetch_one(backbone)
    .await
}

/// Notes that it has every product up to this id.
pub(crate) async fn reached(backbone: impl PgExecutor<'_>, alias: &str, product: i64) -> sqlx::Result<()> {
    sqlx::query("update reindex set filled_to = $2, updated_at = now() where alias = $1")
        .bind(alias)
        .bind(product)
        .execute(backbone)
        .await?;
    Ok(())
}

/// Notes the first write to it that failed.
pub(crate) async fn blame(
    backbone: impl PgExecutor<'_>,
    alias: &str,
    collection: &str,
    fault: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "update reindex set fault = $3, updated_at = now() where alias = $1 and collection = $2 and fault is null",
    )
    .bind(alias)
    .bind(collection)
    .bind(fault)
    .execute(backbone)
    .await?;
    Ok(())
}

/// Forgets failures: what they left is about to be compared.
pub(crate) async fn forgive(backbone: impl PgExecutor<'_>, alias: &str) -> sqlx::Result<()> {
    sqlx::query("update reindex set fault = null, updated_at = now() where alias = $1")
        .bind(alias)
        .execute(backbone)
        .await?;
    Ok(())
}

/// It is written beside no more. Answers the failure that was noted, if any was.
pub(crate) async fn end(backbone: impl PgExecutor<'_>, alias: &str, collection: &str) -> sqlx::Result<Option<String>> {
    let fault: Option<Option<String>> =
        sqlx::query_scalar("delete from reindex where alias = $1 and collection = $2 returning fault")
            .bind(alias)
            .bind(collection)
            .fetch_optional(backbone)
            .await?;
    Ok(fault.flatten())
}
