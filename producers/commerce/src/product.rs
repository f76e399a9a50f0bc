//! Products: each with its variants and their prices one aggregate, written in one transaction.

mod conflict;
mod create;
mod delete;
mod draft;
mod list;
mod patch;
mod read;
mod replace;
mod restore;
mod rows;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shell::{Id, OpenApiRouter, routes};
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Commerce;
use crate::value::names;

pub(crate) use conflict::explain_restore;
pub use write::INSERT;

names! {
    /// Where a product is sold.
    ProductKind {
        /// Off the shelf.
        Retail = "RETAIL",
        /// From a menu.
        MenuItem = "MENU_ITEM",
    }
}

names! {
    /// Whether a product is for sale.
    ProductStatus {
        /// Not yet.
        Draft = "DRAFT",
        /// It is.
        Active = "ACTIVE",
        /// No more; it stays readable.
        Archived = "ARCHIVED",
    }
}

names! {
    /// The group that household businesses declare revenue in (Decree 68/2026/NĐ-CP).
    IndustryGroup {
        /// Distribution of goods.
        Goods = "GOODS",
        /// Production, transport, and services with goods, meals and drinks among them.
        ProductionTransportFood = "PRODUCTION_TRANSPORT_FOOD",
        /// Services without goods.
        Services = "SERVICES",
        /// Leasing of assets.
        AssetLeasing = "ASSET_LEASING",
        /// Digital content.
        Digital = "DIGITAL",
        /// Anything else.
        Other = "OTHER",
    }
}

names! {
    /// What decides the VAT rate on a day; the rate itself is pricing's.
    VatClass {
        /// 10 %.
        Standard = "STANDARD",
        /// 10 %, lowered while a reduction is in force (8 % until 31/12/2026, Resolution 204/2025/QH15).
        Reducible = "REDUCIBLE",
        /// 5 %.
        Reduced5 = "REDUCED_5",
        /// 0 %.
        Zero = "ZERO",
        /// Not subject to VAT.
        NotSubject = "NOT_SUBJECT",
        /// Not declared.
        NotDeclared = "NOT_DECLARED",
    }
}

/// One way in which a product is sold, with its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Variant {
    /// Its id.
    pub id: Id,
    /// The merchant's own number for it, unique in the merchant.
    #[schema(example = "PHO-TAI-L")]
    pub sku: String,
    /// What a scanner reads.
    pub barcode: Option<String>,
    /// What sets it apart; empty for the only one.
    #[schema(example = "Tô lớn")]
    pub name: String,
    /// What it is counted in.
    #[schema(example = "tô")]
    pub unit: String,
    /// Whole dong, as displayed.
    #[schema(example = 65000)]
    pub price: i64,
    /// What it costs the merchant, in whole dong.
    pub cost: Option<i64>,
    /// Properties: `{"size": "L"}`.
    pub attributes: BTreeMap<String, String>,
    /// Whether it is the one that is offered first; exactly one of a product is.
    pub is_default: bool,
    /// Where it stands among the product's variants.
    pub position: i32,
    /// The version of the product that changed it last.
    pub version: i64,
}

/// A product with its variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Product {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub merchant_id: Id,
    /// The category that it is in.
    pub category_id: Option<Id>,
    /// Its picture, one of the merchant's media.
    pub image_id: Option<Id>,
    /// Where it is sold.
    pub kind: ProductKind,
    /// As customers see it.
    #[schema(example = "Phở bò tái")]
    pub name: String,
    /// Names it in addresses; unique in the merchant.
    #[schema(example = "pho-bo-tai")]
    pub slug: String,
    /// What there is to say of it.
    pub description: String,
    /// Whether it is for sale.
    pub status: ProductStatus,
    /// The group that its revenue is declared in.
    pub industry_group: IndustryGroup,
    /// What decides its VAT rate.
    pub vat_class: VatClass,
    /// At least one.
    pub variants: Vec<Variant>,
    /// Grows with every change of the product or a variant; the `ETag`.
    pub version: i64,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it or a variant was changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it was deleted; absent while it is not.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<OffsetDateTime>,
}

/// A variant as Postgres writes a row in JSON: ids are numbers there.
#[derive(Debug, Deserialize)]
struct VariantRow {
    id: i64,
    sku: String,
    barcode: Option<String>,
    name: String,
    unit: String,
    price: i64,
    cost: Option<i64>,
    attributes: BTreeMap<String, String>,
    is_default: bool,
    position: i32,
    version: i64,
}

impl From<VariantRow> for Variant {
    fn from(row: VariantRow) -> Self {
        Self {
            id: Id(row.id),
            sku: row.sku,
            barcode: row.barcode,
            name: row.name,
            unit: row.unit,
            price: row.price,
            cost: row.cost,
            attributes: row.attributes,
            is_default: row.is_default,
            position: row.position,
            version: row.version,
        }
    }
}

impl sqlx::FromRow<'_, PgRow> for Product {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(variants) = row.try_get::<Json<Vec<VariantRow>>, _>("variants")?;
        Ok(Self {
            id: Id(row.try_get("id")?),
            merchant_id: Id(row.try_get("merchant_id")?),
            category_id: row.try_get::<Option<i64>, _>("category_id")?.map(Id),
            image_id: row.try_get::<Option<i64>, _>("image_id")?.map(Id),
            kind: row.try_get("kind")?,
            name: row.try_get("name")?,
            slug: row.try_get("slug")?,
            description: row.try_get("description")?,
            status: row.try_get("status")?,
            industry_group: row.try_get("industry_group")?,
            vat_class: row.try_get("vat_class")?,
            variants: variants.into_iter().map(Variant::from).collect(),
            version: row.try_get("version")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            deleted_at: row.try_get("deleted_at")?,
        })
    }
}

/// The endpoints.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, replace::replace, patch::patch, delete::delete))
        .routes(routes!(restore::restore))
}
