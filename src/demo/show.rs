//! Five rows of each target, and what to open.

use platform::service::Service;
use sqlx::PgExecutor;

use super::settings::Settings;
use super::targets::Targets;

/// Prints rows as the targets have them.
pub(super) async fn samples(targets: &Targets, merchants: &[i64]) -> anyhow::Result<()> {
    println!("\ninvoice.tax_info (merchant, tax code, name at the tax office, province and ward):");
    for (id, code, name, province, ward) in tax_info(&targets.invoice, merchants).await? {
        println!("  {id}  {code:<13}  {name:<52}  {province} {ward}");
    }
    println!("\ninventory.location (id, merchant, name):");
    for (id, merchant, name) in locations(&targets.inventory, merchants).await? {
        println!("  {id}  {merchant}  {name}");
    }
    println!("\ninventory.stock_level (location, variant, product, quantity):");
    for (location, variant, product, quantity) in levels(&targets.inventory, merchants).await? {
        println!("  {location}  {variant}  {product}  {quantity}");
    }
    let ids = merchants.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let found = targets.search(&format!("merchant_id:[{ids}]"), "ca phe sua", 5).await?;
    println!("\nsearch, \"ca phe sua\" without diacritics, {} found (product, name, merchant, dong):", found["found"]);
    for document in found["hits"].as_array().into_iter().flatten().map(|hit| &hit["document"]) {
        let text = |field: &str| document[field].as_str().unwrap_or_default().to_owned();
        let prices = format!("{} to {}", document["price_min"], document["price_max"]);
        println!("  {}  {:<32}  {:<30}  {prices}", text("id"), text("name"), text("merchant_name"));
    }
    Ok(())
}

/// Prints what there is to look at.
pub(super) fn what_to_open(settings: &Settings, merchant: i64) {
    let commerce = settings.base(Service::COMMERCE);
    println!("\nOpen:");
    for service in [Service::IDENTITY, Service::COMMERCE, Service::INVENTORY, Service::INVOICE] {
        println!("  {:<10} {}/doc", service.name, settings.base(service));
    }
    println!("  {:<10} http://127.0.0.1:{}/metrics", "metrics", settings.ops_port);
    println!("  {:<10} make status", "servers");
    println!(
        "\nAsk (the administrator is {}, the password is APP_ENV_BOOTSTRAP_PASSWORD in the stack's env):",
        settings.email
    );
    println!(
        "  token=$(curl -s {}/tokens --json '{{\"grant_type\":\"password\",\"email\":\"..\",\"password\":\"..\"}}' | jq -r .access_token)",
        settings.base(Service::IDENTITY)
    );
    let asked = [
        format!("{commerce}/search?q=pho%20bo"),
        format!("{}/tax-info/{merchant}", settings.base(Service::INVOICE)),
        format!("{}/levels?merchant_id={merchant}", settings.base(Service::INVENTORY)),
    ];
    for url in asked {
        println!("  curl -s -H \"authorization: Bearer $token\" '{url}'");
    }
}

async fn tax_info(
    executor: impl PgExecutor<'_>,
    merchants: &[i64],
) -> sqlx::Result<Vec<(i64, String, String, String, String)>> {
    let sql = "select merchant_id, coalesce(tax_code, ''), coalesce(tax_name, ''), coalesce(province_code, ''),
                      coalesce(ward_code, '')
               from tax_info where merchant_id = any($1) order by updated_at desc, merchant_id limit 5";
    sqlx::query_as(sql).bind(merchants).fetch_all(executor).await
}

async fn locations(executor: impl PgExecutor<'_>, merchants: &[i64]) -> sqlx::Result<Vec<(i64, i64, String)>> {
    let sql = "select id, merchant_id, name from location where merchant_id = any($1) order by id limit 5";
    sqlx::query_as(sql).bind(merchants).fetch_all(executor).await
}

async fn levels(executor: impl PgExecutor<'_>, merchants: &[i64]) -> sqlx::Result<Vec<(i64, i64, i64, String)>> {
    let sql = "select location_id, variant_id, product_id, quantity::text from stock_level
               where merchant_id = any($1) and deleted_at is null order by updated_at desc, variant_id limit 5";
    sqlx::query_as(sql).bind(merchants).fetch_all(executor).await
}
