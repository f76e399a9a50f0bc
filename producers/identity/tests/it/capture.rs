//! What change data capture may see of identity, read from the catalogue.

use sqlx::ConnectOptions as _;

const CAPTURED: [&str; 2] = ["policy", "role"];

#[tokio::test]
async fn the_publication_has_the_captured_tables_and_debeziums_own_and_nothing_else() {
    let database = bed::database("identity").await;
    let published: Vec<String> = sqlx::query_scalar(
        "select schemaname || '.' || tablename from pg_publication_tables where pubname = 'sluice' order by 1",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert_eq!(published, ["public.debezium_signal", "public.heartbeat", "public.policy", "public.role"]);
}

#[tokio::test]
async fn no_captured_column_is_nullable_with_a_default_or_generated() {
    let database = bed::database("identity").await;
    let columns: Vec<String> = sqlx::query_scalar(
        "select table_name || '.' || column_name from information_schema.columns
         where table_schema = 'public' and table_name = any($1)
           and (is_generated <> 'NEVER' or (is_nullable = 'YES' and column_default is not null))",
    )
    .bind(&CAPTURED[..])
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert!(columns.is_empty(), "{columns:?}");
}

#[tokio::test]
async fn the_replication_role_reads_what_is_captured_and_no_secret() {
    let database = bed::database("identity").await;
    let mut replication = database.as_role("replication").connect().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
        .fetch_all(&database.pool)
        .await
        .unwrap();
    let readable = ["role", "policy", "heartbeat", "debezium_signal"];
    for table in tables {
        let query = format!("select count(*) from {table}");
        let read = sqlx::query(sqlx::AssertSqlSafe(query)).execute(&mut replication).await;
        assert_eq!(read.is_ok(), readable.contains(&table.as_str()), "{table}");
    }
    for denied in ["delete from role", "update policy set effect = 'allow'", "delete from heartbeat"] {
        assert!(sqlx::query(denied).execute(&mut replication).await.is_err(), "{denied}");
    }
    let beat = "insert into heartbeat (id, beat_at) values (1, now()) on conflict (id) do update set beat_at = now()";
    sqlx::query(beat).execute(&mut replication).await.unwrap();
}

#[tokio::test]
async fn seeds_leave_alone_what_an_administrator_changed() {
    let database = bed::database("identity").await;
    for by_hand in [
        "update policy set effect = 'deny' where id = 201",
        "update policy set deleted_at = now() where id = 301",
        "update role set description = 'ours' where name = 'OWNER'",
    ] {
        sqlx::query(by_hand).execute(&database.pool).await.unwrap();
    }
    let dump = || async {
        let query = "select (select string_agg(p::text, ' ' order by id) from policy p)
                         || (select string_agg(r::text, ' ' order by id) from role r)
                         || (select version from policy_bundle)";
        sqlx::query_scalar::<_, String>(query).fetch_one(&database.pool).await.unwrap()
    };
    let before = dump().await;
    let seeds = include_str!("../../../../migrations/seeds/identity.sql");
    sqlx::raw_sql(seeds).execute(&database.pool).await.unwrap();
    assert_eq!(dump().await, before);
}
