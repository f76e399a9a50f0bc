//! Pictures: bytes in object storage, what is known of them in the database.

mod delete;
mod download;
mod image;
mod list;
mod range;
mod read;
mod restore;
mod rows;
mod store;
mod upload;

use axum::extract::DefaultBodyLimit;
use serde::Serialize;
use shell::{Id, OpenApiRouter, routes};
use sqlx::Row;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Commerce;

pub use store::{Store, StoreError};

/// The greatest picture, in bytes.
pub const GREATEST: usize = 10 << 20;
/// What a multipart body has around the picture.
const WRAPPING: usize = 64 << 10;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Media {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub merchant_id: Id,
    /// The name of the file that was uploaded.
    #[schema(example = "pho-bo.jpg")]
    pub file_name: String,
    /// What the bytes are: `image/jpeg`, `image/png`, `image/webp` or `image/gif`.
    #[schema(example = "image/jpeg")]
    pub content_type: String,
    /// How many bytes.
    pub size: i64,
    /// The SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
    /// Where the bytes are.
    #[schema(example = "/v1/api/commerce/media/1/content")]
    pub url: String,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was uploaded.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it was deleted; absent while it is not.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<OffsetDateTime>,
    #[serde(skip)]
    object_key: String,
}

impl sqlx::FromRow<'_, PgRow> for Media {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let id: i64 = row.try_get("id")?;
        Ok(Self {
            id: Id(id),
            merchant_id: Id(row.try_get("merchant_id")?),
            file_name: row.try_get("file_name")?,
            content_type: row.try_get("content_type")?,
            size: row.try_get("size")?,
            sha256: hex::encode(row.try_get::<Vec<u8>, _>("sha256")?),
            url: crate::path(format_args!("media/{id}/content")),
            version: row.try_get("version")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            deleted_at: row.try_get("deleted_at")?,
            object_key: row.try_get("object_key")?,
        })
    }
}

/// The endpoints.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    let upload = OpenApiRouter::new()
        .routes(routes!(list::list, upload::upload))
        .layer(DefaultBodyLimit::max(GREATEST + WRAPPING))
        .layer(axum::Extension(shell::json::BodyLimit(GREATEST + WRAPPING)));
    OpenApiRouter::new()
        .merge(upload)
        .routes(routes!(read::read, delete::delete))
        .routes(routes!(download::download))
        .routes(routes!(restore::restore))
}
