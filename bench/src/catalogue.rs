//! A commerce database with merchants, categories, products and variants, and a search-sync that reads it.

use anyhow::Context as _;
use search_sync::SearchSync;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::engine::Engine;
use crate::stack::Stack;

/// The databases of the source and of locks and positions.
pub(crate) const SOURCE: &str = "bench_search";
const CONTROL: &str = "bench_control";

/// How many a merchant has.
pub(crate) const CATEGORIES: i64 = 20;
/// Each product has the ids of its variants after its own.
pub(crate) const VARIANTS: i64 = 3;

/// Takes $1, the number of merchants, and $2, the number of products.
const CATALOGUE: [&str; 4] = [
    "insert into merchant (id, name, industry, taxpayer, address_line, status, deletion_policy, created_by, version,
                           created_at, updated_at)
     select m, 'Quán Cô Ba', 'MIXED', 'HOUSEHOLD', '1 Lê Lợi', 'ACTIVE', 'RESTRICT', 7, 1, now(), now()
       from generate_series(1, $1) m where $2 > 0::bigint",
    "insert into category (id, merchant_id, name, slug, position, created_by, version, created_at, updated_at)
     select (m - 1) * 20 + c, m, 'Món nướng ' || c, c::text, 0, 1, 1, now(), now()
       from generate_series(1, $1) m, generate_series(1, 20) c where $2 > 0::bigint",
    "insert into product (id, merchant_id, category_id, kind, name, slug, description, status, industry_group, vat_class,
                          created_by, version, created_at, updated_at)
     select i * 10, 1 + i % $1, i % $1 * 20 + 1 + i / $1 % 20, 'RETAIL',
            'Bánh tráng trộn ' || (array['đặc biệt', 'sa tế', 'khô bò', 'phô mai'])[1 + i % 4] || ' ' || i,
            i::text, 'Mô tả', 'ACTIVE', 'GOODS', 'STANDARD', 1, 1, now(), now() from generate_series(1, $2) i",
    "insert into variant (id, product_id, merchant_id, sku, barcode, name, unit, price, attributes, is_default, position,
                          created_by, version, created_at, updated_at)
     select i * 10 + k, i * 10, 1 + i % $1, 'SKU-' || i || '-' || k, '893' || (i * 10 + k), 'Cỡ ' || k, 'gói', i * 500 % 90000,
            '{\"size\": \"L\"}', k = 1, k, 1, 1, now(), now() from generate_series(1, $2) i, generate_series(1, 3) k",
];

/// Makes the databases, and this many products of these many merchants.
pub(crate) async fn fill(stack: &Stack, merchants: i64, products: i64) -> anyhow::Result<()> {
    let passwords = migrations::Passwords::read(&stack.environment)?;
    // the migrations grant rights to roles
    migrations::provision(&stack.options("postgres"), &passwords).await?;
    for (database, name) in [("commerce", SOURCE), ("backbone", CONTROL)] {
        stack.fresh_database(name).await?;
        let database = migrations::Database::named(database).context("no database is named so")?;
        migrations::migrate(database, &stack.options(name)).await?;
    }
    let pool = PgPoolOptions::new().max_connections(1).connect_with(stack.options(SOURCE)).await?;
    for statement in CATALOGUE {
        sqlx::query(statement).bind(merchants).bind(products).execute(&pool).await?;
    }
    sqlx::query("vacuum (analyze)").execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// A consumer that remembers nothing, with pools of its own, and its collection, empty.
pub(crate) async fn consumer(stack: &Stack, engine: &Engine) -> anyhow::Result<SearchSync> {
    engine.forget().await?;
    let (source, control) = (pool(stack, SOURCE), pool(stack, CONTROL));
    let consumer = SearchSync::new(engine.settings.clone(), reqwest::Client::new(), source, control)?;
    consumer.ensure_collection().await.map_err(|fault| anyhow::anyhow!("{fault}"))?;
    Ok(consumer)
}

/// Connections to a database of the bench.
pub(crate) fn pool(stack: &Stack, database: &str) -> PgPool {
    PgPoolOptions::new().max_connections(8).connect_lazy_with(stack.options(database))
}
