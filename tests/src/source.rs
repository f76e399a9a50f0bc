//! Writes to the real commerce database, as its API does: rows of this test's own, by their ids.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use rand::Rng as _;
use rand::rngs::StdRng;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use time::OffsetDateTime;

/// Ids that no other test, process or run has: milliseconds, then random bits, then a count.
#[must_use]
pub fn id() -> i64 {
    static COUNT: AtomicI64 = AtomicI64::new(0);
    let ms = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000 - 1_767_225_600_000;
    let ms = i64::try_from(ms).unwrap_or_default();
    (ms << 22) | (rand::rng().random_range(0..1 << 12) << 10) | (COUNT.fetch_add(1, Ordering::Relaxed) & 0x3FF)
}

/// The commerce database of the stack, as its own role.
///
/// # Panics
/// When the stack has none.
#[must_use]
pub fn commerce() -> PgPool {
    let environment = bed::environment();
    let url = environment.get("COMMERCE__APP_ENV_DB_URL").expect("the stack has a commerce database");
    PgPoolOptions::new().max_connections(4).connect_lazy(url).expect("a url")
}

/// Merchants as they stand after committed changes: id to name and tax name. The plain model of a target.
pub type Merchants = BTreeMap<i64, (String, Option<String>)>;

/// Makes one random legal change to the test's merchants, in the database and, once it was committed, in the model.
///
/// # Panics
/// When the database refuses.
pub async fn change(commerce: &PgPool, merchants: &mut Merchants, random: &mut StdRng) {
    let size = if random.random_range(0..50) == 0 { 3000 } else { random.random_range(1..40) };
    let name = format!("Quán {} {}", random.random_range(0..100_000), "phở ".repeat(size));
    let tax_name = random.random_bool(0.7).then(|| format!("CÔNG TY TNHH {}", random.random_range(0..1000)));
    let known: Vec<i64> = merchants.keys().copied().collect();
    let chosen = (!known.is_empty()).then(|| known[random.random_range(0..known.len())]);
    match (random.random_range(0..10), chosen) {
        (0..4, _) | (_, None) => {
            let id = id();
            insert(commerce, id, &name, tax_name.as_deref()).await;
            merchants.insert(id, (name, tax_name));
        }
        (4..8, Some(id)) => {
            sqlx::query(
                "update merchant set name = $2, tax_name = $3, version = version + 1, updated_at = now() where id = $1",
            )
            .bind(id)
            .bind(&name)
            .bind(&tax_name)
            .execute(commerce)
            .await
            .expect("an update is committed");
            merchants.insert(id, (name, tax_name));
        }
        (8, Some(id)) => {
            sqlx::query(
                "update merchant set deleted_at = now(), version = version + 1, updated_at = now() where id = $1",
            )
            .bind(id)
            .execute(commerce)
            .await
            .expect("a soft delete is committed");
            merchants.remove(&id);
        }
        (_, Some(id)) => {
            sqlx::query("delete from merchant where id = $1")
                .bind(id)
                .execute(commerce)
                .await
                .expect("a delete is committed");
            merchants.remove(&id);
        }
    }
}

/// Inserts a merchant.
///
/// # Panics
/// When the database refuses.
pub async fn insert(commerce: &PgPool, id: i64, name: &str, tax_name: Option<&str>) {
    sqlx::query(
        "insert into merchant (id, name, industry, taxpayer, tax_name, address_line, status, deletion_policy, created_by,
                               version, created_at, updated_at)
         values ($1, $2, 'RETAIL', 'HOUSEHOLD', $3, '12 Lý Thường Kiệt', 'ACTIVE', 'RESTRICT', 1, 1, now(), now())",
    )
    .bind(id)
    .bind(name)
    .bind(tax_name)
    .execute(commerce)
    .await
    .expect("an insert is committed");
}

/// Inserts a product of a merchant, with one variant; answers their ids.
///
/// # Panics
/// When the database refuses.
pub async fn insert_product(commerce: &PgPool, merchant_id: i64, name: &str) -> (i64, i64) {
    let (product_id, variant_id) = (id(), id());
    sqlx::query(
        "insert into product (id, merchant_id, kind, name, slug, description, status, industry_group, vat_class, created_by,
                              version, created_at, updated_at)
         values ($1, $2, 'MENU_ITEM', $3, $1::text, '', 'ACTIVE', 'PRODUCTION_TRANSPORT_FOOD', 'STANDARD', 1, 1, now(), now())",
    )
    .bind(product_id)
    .bind(merchant_id)
    .bind(name)
    .execute(commerce)
    .await
    .expect("a product is committed");
    sqlx::query(
        "insert into variant (id, product_id, merchant_id, sku, name, unit, price, attributes, is_default, position,
                              created_by, version, created_at, updated_at)
         values ($1, $2, $3, $1::text, '', 'tô', 65000, '{}', true, 0, 1, 1, now(), now())",
    )
    .bind(variant_id)
    .bind(product_id)
    .bind(merchant_id)
    .execute(commerce)
    .await
    .expect("a variant is committed");
    (product_id, variant_id)
}
