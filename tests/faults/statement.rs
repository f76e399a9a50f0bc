//! The writer's statements on commerce's tables: many rows at once, as its API writes them.

use sqlx::{PgConnection, PgTransaction};

use crate::truth::{Merchant, Product, Variant};

pub(crate) async fn insert_merchants(transaction: &mut PgTransaction<'_>, rows: &[(i64, Merchant)]) {
    let (ids, names, tax_names, tax_addresses, gone) = columns(rows);
    sqlx::query(
        "insert into merchant (id, name, industry, taxpayer, tax_name, tax_address, address_line, status, deletion_policy,
                               created_by, version, created_at, updated_at, deleted_at)
         select id, name, 'RETAIL', 'HOUSEHOLD', tax_name, tax_address, '12 Lý Thường Kiệt', 'ACTIVE', 'RESTRICT',
                1, 1, now(), now(), case when is_gone then now() end
           from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bool[])
                i (id, name, tax_name, tax_address, is_gone)",
    )
    .bind(ids)
    .bind(names)
    .bind(tax_names)
    .bind(tax_addresses)
    .bind(gone)
    .execute(&mut **transaction)
    .await
    .unwrap();
}

/// One transaction of one COPY: every row has the same commit position.
pub(crate) async fn copy_merchants(connection: &mut PgConnection, rows: &[(i64, Merchant)]) {
    let mut copy = connection
        .copy_in_raw(
            "copy merchant (id, name, industry, taxpayer, address_line, status, deletion_policy, created_by, version,
                            created_at, updated_at) from stdin",
        )
        .await
        .unwrap();
    for (id, row) in rows {
        let line = format!(
            "{id}\t{}\tRETAIL\tHOUSEHOLD\t12 Lý Thường Kiệt\tACTIVE\tRESTRICT\t1\t1\t2026-01-01\t2026-01-01\n",
            row.name
        );
        copy.send(line.as_bytes()).await.unwrap();
    }
    copy.finish().await.unwrap();
}

pub(crate) async fn write_merchants(transaction: &mut PgTransaction<'_>, rows: &[(i64, Merchant)]) {
    let (ids, names, tax_names, tax_addresses, gone) = columns(rows);
    sqlx::query(
        "update merchant m set name = i.name, tax_name = i.tax_name, tax_address = i.tax_address,
                deleted_at = case when i.is_gone then now() end, version = version + 1, updated_at = now()
           from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bool[])
                i (id, name, tax_name, tax_address, is_gone)
          where m.id = i.id",
    )
    .bind(ids)
    .bind(names)
    .bind(tax_names)
    .bind(tax_addresses)
    .bind(gone)
    .execute(&mut **transaction)
    .await
    .unwrap();
}

pub(crate) async fn rename_merchants(transaction: &mut PgTransaction<'_>, rows: &[(i64, Merchant)]) {
    let (ids, names, ..) = columns(rows);
    sqlx::query(
        "update merchant m set name = i.name, version = version + 1, updated_at = now()
           from unnest($1::bigint[], $2::text[]) i (id, name) where m.id = i.id",
    )
    .bind(ids)
    .bind(names)
    .execute(&mut **transaction)
    .await
    .unwrap();
}

pub(crate) async fn delete_merchants(transaction: &mut PgTransaction<'_>, ids: &[i64]) {
    sqlx::query("delete from merchant where id = any($1)").bind(ids).execute(&mut **transaction).await.unwrap();
}

/// Gives a row another key.
pub(crate) async fn move_merchant(transaction: &mut PgTransaction<'_>, from: i64, to: i64) {
    sqlx::query("update merchant set id = $2, version = version + 1, updated_at = now() where id = $1")
        .bind(from)
        .bind(to)
        .execute(&mut **transaction)
        .await
        .unwrap();
}

pub(crate) async fn insert_products(transaction: &mut PgTransaction<'_>, rows: &[(i64, Product)]) {
    let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
    let merchants: Vec<i64> = rows.iter().map(|(_, row)| row.merchant).collect();
    let names: Vec<&str> = rows.iter().map(|(_, row)| row.name.as_str()).collect();
    sqlx::query(
        "insert into product (id, merchant_id, kind, name, slug, description, status, industry_group, vat_class, created_by,
                              version, created_at, updated_at)
         select id, merchant_id, 'MENU_ITEM', name, id::text, '', 'ACTIVE', 'PRODUCTION_TRANSPORT_FOOD', 'STANDARD', 1, 1,
                now(), now()
           from unnest($1::bigint[], $2::bigint[], $3::text[]) i (id, merchant_id, name)",
    )
    .bind(ids)
    .bind(merchants)
    .bind(names)
    .execute(&mut **transaction)
    .await
    .unwrap();
}

pub(crate) async fn write_products(transaction: &mut PgTransaction<'_>, rows: &[(i64, Product)]) {
    let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
    let names: Vec<&str> = rows.iter().map(|(_, row)| row.name.as_str()).collect();
    let gone: Vec<bool> = rows.iter().map(|(_, row)| row.is_gone).collect();
    sqlx::query(
        "update product p set name = i.name, deleted_at = case when i.is_gone then now() end, version = version + 1,
                updated_at = now()
           from unnest($1::bigint[], $2::text[], $3::bool[]) i (id, name, is_gone) where p.id = i.id",
    )
    .bind(ids)
    .bind(names)
    .bind(gone)
    .execute(&mut **transaction)
    .await
    .unwrap();
}

pub(crate) async fn insert_variants(transaction: &mut PgTransaction<'_>, rows: &[(i64, Variant)]) {
    let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
    let products: Vec<i64> = rows.iter().map(|(_, row)| row.product).collect();
    let merchants: Vec<i64> = rows.iter().map(|(_, row)| row.merchant).collect();
    let prices: Vec<i64> = rows.iter().map(|(_, row)| row.price).collect();
    sqlx::query(
        "insert into variant (id, product_id, merchant_id, sku, name, unit, price, attributes, is_default, position,
                              created_by, version, created_at, updated_at)
         select id, product_id, merchant_id, id::text, '', 'tô', price, '{}', false, 0, 1, 1, now(), now()
           from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) i (id, product_id, merchant_id, price)",
    )
    .bind(ids)
    .bind(products)
    .bind(merchants)
    .bind(prices)
    .execute(&mut **transaction)
    .await
    .unwrap();
}

pub(crate) async fn write_variants(transaction: &mut PgTransaction<'_>, rows: &[(i64, Variant)]) {
    let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
    let prices: Vec<i64> = rows.iter().map(|(_, row)| row.price).collect();
    let gone: Vec<bool> = rows.iter().map(|(_, row)| row.is_gone).collect();
    sqlx::query(
        "with i as (select * from unnest($1::bigint[], $2::bigint[], $3::bool[]) i (id, price, is_gone)),
              written as (
                  update variant v set price = i.price, deleted_at = case when i.is_gone then now() end,
                         version = version + 1, updated_at = now()
                    from i where v.id = i.id returning v.product_id)
         update product set version = version + 1, updated_at = now() where id in (select product_id from written)",
    )
    .bind(ids)
    .bind(prices)
    .bind(gone)
    .execute(&mut **transaction)
    .await
    .unwrap();
}

type Columns<'r> = (Vec<i64>, Vec<&'r str>, Vec<Option<&'r str>>, Vec<Option<&'r str>>, Vec<bool>);

fn columns(rows: &[(i64, Merchant)]) -> Columns<'_> {
    (
        rows.iter().map(|(id, _)| *id).collect(),
        rows.iter().map(|(_, row)| row.name.as_str()).collect(),
        rows.iter().map(|(_, row)| row.tax_name.as_deref()).collect(),
        rows.iter().map(|(_, row)| row.tax_address.as_deref()).collect(),
        rows.iter().map(|(_, row)| row.is_gone).collect(),
    )
}
