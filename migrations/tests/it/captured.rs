//! What change data capture needs of a table.

use std::collections::BTreeSet;
use std::path::Path;

use migrations::DATABASES;
use sqlx::PgPool;

/// The tables of the publication that carry business rows, as `schema.table`.
async fn captured(pool: &PgPool) -> BTreeSet<String> {
    sqlx::query_scalar(
        "select schemaname || '.' || tablename from pg_publication_tables
         where pubname = 'sluice' and tablename not in ('heartbeat', 'debezium_signal')",
    )
    .fetch_all(pool)
    .await
    .unwrap()
    .into_iter()
    .collect()
}

/// A query over the columns of captured tables must find none; it answers the columns that break a rule.
async fn none(rule: &'static str) {
    for database in DATABASES.into_iter().filter(|database| database.captured) {
        let database = bed::database(database.name).await;
        let broken: Vec<String> = sqlx::query_scalar(rule).fetch_all(&database.pool).await.unwrap();
        assert_eq!(broken, Vec::<String>::new(), "{}", database.name);
    }
}

#[tokio::test]
async fn no_captured_column_is_nullable_and_has_a_default() {
    // The converter turns NULL into the default (KIP-581).
    none(
        "select table_name || '.' || column_name from information_schema.columns
         join pg_publication_tables on pubname = 'sluice' and schemaname = table_schema and tablename = table_name
         where is_nullable = 'YES' and column_default is not null",
    )
    .await;
}

#[tokio::test]
async fn no_captured_column_is_generated() {
    // Such columns are in snapshots and absent from the stream.
    none(
        "select table_name || '.' || column_name from information_schema.columns
         join pg_publication_tables on pubname = 'sluice' and schemaname = table_schema and tablename = table_name
         where is_generated = 'ALWAYS'",
    )
    .await;
}

#[tokio::test]
async fn no_captured_numeric_is_without_a_scale() {
    none(
        "select table_name || '.' || column_name from information_schema.columns
         join pg_publication_tables on pubname = 'sluice' and schemaname = table_schema and tablename = table_name
         where data_type = 'numeric' and numeric_scale is null",
    )
    .await;
}

#[tokio::test]
async fn no_captured_timestamp_is_without_a_zone() {
    none(
        "select table_name || '.' || column_name from information_schema.columns
         join pg_publication_tables on pubname = 'sluice' and schemaname = table_schema and tablename = table_name
         where data_type = 'timestamp without time zone'",
    )
    .await;
}

#[tokio::test]
async fn captured_arrays_have_full_replica_identity() {
    // Unchanged large values of several array types arrive as NULL under the default identity: silent corruption.
    none(
        "select c.relname || '.' || a.attname from pg_attribute a
         join pg_class c on c.oid = a.attrelid join pg_type t on t.oid = a.atttypid
         join pg_publication_tables p on p.pubname = 'sluice' and p.tablename = c.relname
         where a.attnum > 0 and t.typcategory = 'A' and c.relreplident <> 'f'",
    )
    .await;
}

#[tokio::test]
async fn every_captured_table_has_a_primary_key_of_bigints() {
    none(
        "select p.schemaname || '.' || p.tablename from pg_publication_tables p
         where p.pubname = 'sluice' and p.tablename not in ('heartbeat', 'debezium_signal') and not exists (
             select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
             join pg_class c on c.oid = i.indrelid and c.relname = p.tablename and c.relnamespace = p.schemaname::regnamespace
             where i.indisprimary
             having count(*) > 0 and bool_and(a.atttypid = 'bigint'::regtype))",
    )
    .await;
}

#[tokio::test]
async fn the_publication_has_the_heartbeat_the_signals_and_what_is_captured_and_no_more() {
    let expected = [("commerce", "category merchant product variant"), ("identity", "policy role")];
    for (service, tables) in expected {
        let database = bed::database(service).await;
        let published: Vec<String> = sqlx::query_scalar(
            "select schemaname || '.' || tablename from pg_publication_tables where pubname = 'sluice' order by 1",
        )
        .fetch_all(&database.pool)
        .await
        .unwrap();
        let expected: BTreeSet<_> =
            tables.split(' ').chain(["heartbeat", "debezium_signal"]).map(|table| format!("public.{table}")).collect();
        assert_eq!(published.into_iter().collect::<BTreeSet<_>>(), expected, "{service}");
    }
}

#[tokio::test]
async fn what_is_not_captured_has_no_publication() {
    for database in DATABASES.into_iter().filter(|database| !database.captured) {
        let database = bed::database(database.name).await;
        assert!(captured(&database.pool).await.is_empty(), "{}", database.name);
    }
}

#[tokio::test]
async fn every_captured_table_has_a_folder_of_schemas() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
    for kind in DATABASES.into_iter().filter(|database| database.captured) {
        let database = bed::database(kind.name).await;
        let tables = captured(&database.pool).await;
        assert!(!tables.is_empty());
        for table in tables {
            let topic = format!("{}.{table}", kind.name);
            let value = schemas.join(&topic).join("value.avsc");
            assert!(value.is_file(), "{topic} is captured and has no {}", value.display());
        }
    }
}
