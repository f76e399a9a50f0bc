//! What the bed promises, on the stack's Postgres.

#[tokio::test]
async fn a_database_is_migrated_seeded_and_owned_by_its_service() {
    let database = bed::database("commerce").await;
    let (role, beats): (String, i64) =
        sqlx::query_as("select current_user::text, count(*) from heartbeat").fetch_one(&database.pool).await.unwrap();
    assert_eq!((role.as_str(), beats), ("commerce", 1));
    sqlx::query("create table own (id bigint)").execute(&database.pool).await.unwrap();
}

#[tokio::test]
async fn two_databases_share_nothing_and_are_gone_when_dropped() {
    let (one, two) = tokio::join!(bed::database("inventory"), bed::database("inventory"));
    assert_ne!(one.name, two.name);
    sqlx::query("create table mark (id bigint)").execute(&one.pool).await.unwrap();
    let seen: bool = sqlx::query_scalar("select to_regclass('mark') is not null").fetch_one(&two.pool).await.unwrap();
    assert!(!seen);
    let gone = one.name.clone();
    drop(one);
    let left: i64 = sqlx::query_scalar("select count(*) from pg_database where datname = $1")
        .bind(&gone)
        .fetch_one(&two.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn unique_names_differ_and_are_names() {
    let (one, two) = (bed::unique("group"), bed::unique("group"));
    assert_ne!(one, two);
    assert!(one.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'), "{one}");
}
