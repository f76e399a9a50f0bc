//! Whole products: with their variants, their merchant and their categories up to the root, in one statement and hence
//! of one moment.

use futures::stream::BoxStream;
use sqlx::postgres::PgRow;
use sqlx::types::time::OffsetDateTime;
use sqlx::{FromRow, PgConnection, Row as _};

/// A product as it stands in the source, deleted ones too.
#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) slug: String,
    pub(crate) status: String,
    pub(crate) image_id: Option<i64>,
    pub(crate) updated_at: OffsetDateTime,
    pub(crate) deleted: bool,
    pub(crate) merchant: Merchant,
    /// Its category first, then the ones above; none of them deleted.
    pub(crate) categories: Vec<Category>,
    /// In their order; deleted ones too.
    pub(crate) variants: Vec<Variant>,
    /// Every transaction below this number is in what was read.
    pub(crate) read_xmin: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Merchant {
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) created_by: i64,
    pub(crate) deleted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Category {
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) name: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) sku: String,
    pub(crate) barcode: Option<String>,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) price: i64,
    /// A JSON object.
    pub(crate) attributes: String,
    pub(crate) is_default: bool,
    pub(crate) deleted: bool,
}

impl Aggregate {
    /// Whether it has a document: neither it nor its merchant is gone.
    pub(crate) fn is_shown(&self) -> bool {
        !self.deleted && !self.merchant.deleted
    }

    /// The variants that are not gone.
    pub(crate) fn living(&self) -> impl Iterator<Item = &Variant> {
        self.variants.iter().filter(|variant| !variant.deleted)
    }
}

/// These products, in no order; what has no row is left out.
pub(crate) fn read<'r>(source: &'r mut PgConnection, products: &'r [i64]) -> BoxStream<'r, sqlx::Result<Aggregate>> {
    sqlx::query_as(READ).bind(products).fetch(source)
}

const READ: &str = "
with recursive wanted as (
    select id, version, merchant_id, category_id, kind, name, slug, status, image_id, updated_at,
           deleted_at is not null as deleted
      from product where id = any($1)
), path (leaf, id, version, name, parent_id, depth) as (
    select id, id, version, name, parent_id, 0
      from category where id in (select category_id from wanted) and deleted_at is null
    union all
    select below.leaf, c.id, c.version, c.name, c.parent_id, below.depth + 1
      from path below join category c on c.id = below.parent_id
     where c.deleted_at is null and below.depth < 31
)
select p.*,
       m.version as merchant_version, m.name as merchant_name, m.status as merchant_status,
       m.created_by as merchant_created_by, m.deleted_at is not null as merchant_deleted,
       c.ids as category_ids, c.versions as category_versions, c.names as category_names,
       v.ids as variant_ids, v.versions as variant_versions, v.skus, v.barcodes, v.names as variant_names, v.units,
       v.prices, v.attributes, v.defaults, v.deleteds,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint as read_xmin
  from wanted p
  join merchant m on m.id = p.merchant_id
  left join (select leaf, array_agg(id order by depth) as ids, array_agg(version order by depth) as versions,
                    array_agg(name order by depth) as names
               from path group by leaf) c on c.leaf = p.category_id
 cross join lateral (
    select array_agg(id) as ids, array_agg(version) as versions, array_agg(sku) as skus, array_agg(barcode) as barcodes,
           array_agg(name) as names, array_agg(unit) as units, array_agg(price) as prices,
           array_agg(attributes::text) as attributes, array_agg(is_default) as defaults,
           array_agg(deleted_at is not null) as deleteds
      from (select * from variant where product_id = p.id order by position) ordered) v";

impl FromRow<'_, PgRow> for Aggregate {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            version: row.try_get("version")?,
            kind: row.try_get("kind")?,
            name: row.try_get("name")?,
            slug: row.try_get("slug")?,
            status: row.try_get("status")?,
            image_id: row.try_get("image_id")?,
            updated_at: row.try_get("updated_at")?,
            deleted: row.try_get("deleted")?,
            merchant: Merchant {
                id: row.try_get("merchant_id")?,
                version: row.try_get("merchant_version")?,
                name: row.try_get("merchant_name")?,
                status: row.try_get("merchant_status")?,
                created_by: row.try_get("merchant_created_by")?,
                deleted: row.try_get("merchant_deleted")?,
            },
            categories: categories(row)?,
            variants: variants(row)?,
            read_xmin: row.try_get("read_xmin")?,
        })
    }
}

/// An array that is null when there was nothing to collect.
fn array<'r, T>(row: &'r PgRow, column: &str) -> sqlx::Result<std::vec::IntoIter<T>>
where
    Option<Vec<T>>: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    Ok(row.try_get::<Option<Vec<T>>, _>(column)?.unwrap_or_default().into_iter())
}

fn categories(row: &PgRow) -> sqlx::Result<Vec<Category>> {
    let (mut versions, mut names) = (array(row, "category_versions")?, array(row, "category_names")?);
    let ids = array(row, "category_ids")?;
    let category = |id| Some(Category { id, version: versions.next()?, name: names.next()? });
    Ok(ids.map_while(category).collect())
}

fn variants(row: &PgRow) -> sqlx::Result<Vec<Variant>> {
    let ids = array(row, "variant_ids")?;
    let (mut versions, mut skus) = (array(row, "variant_versions")?, array(row, "skus")?);
    let (mut barcodes, mut names) = (array(row, "barcodes")?, array(row, "variant_names")?);
    let (mut units, mut prices) = (array(row, "units")?, array(row, "prices")?);
    let (mut attributes, mut defaults) = (array(row, "attributes")?, array(row, "defaults")?);
    let mut deleteds = array(row, "deleteds")?;
    // All were collected from the same rows, so all are of one length.
    let variant = |id| {
        Some(Variant {
            id,
            version: versions.next()?,
            sku: skus.next()?,
            barcode: barcodes.next()?,
            name: names.next()?,
            unit: units.next()?,
            price: prices.next()?,
            attributes: attributes.next()?,
            is_default: defaults.next()?,
            deleted: deleteds.next()?,
        })
    };
    Ok(ids.map_while(variant).collect())
}

#[cfg(test)]
impl Aggregate {
    /// A product with variants, given by id and version.
    pub(crate) fn for_tests(id: i64, version: i64, variants: &[(i64, i64)]) -> Self {
        let variant = |(id, version): &(i64, i64)| Variant {
            id: *id,
            version: *version,
            sku: format!("SKU-{id}"),
            barcode: None,
            name: "Tô lớn".to_owned(),
            unit: "tô".to_owned(),
            price: 1_000 * id,
            attributes: r#"{"size": "L"}"#.to_owned(),
            is_default: false,
            deleted: false,
        };
        Self {
            id,
            version,
            kind: "MENU_ITEM".to_owned(),
            name: "Phở bò".to_owned(),
            slug: "pho-bo".to_owned(),
            status: "ACTIVE".to_owned(),
            image_id: None,
            updated_at: OffsetDateTime::UNIX_EPOCH,
            deleted: false,
            merchant: Merchant {
                id: 1,
                version: 1,
                name: "Quán Cô Ba".to_owned(),
                status: "ACTIVE".to_owned(),
                created_by: 7,
                deleted: false,
            },
            categories: vec![Category { id: 90, version: 1, name: "Món nước".to_owned() }],
            variants: variants.iter().map(variant).collect(),
            read_xmin: 700,
        }
    }
}
