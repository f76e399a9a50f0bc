//! What real failures mean.

use std::time::Duration;

use platform::postgres::{Fault, PoolSettings, connect};

async fn fault(pool: &sqlx::PgPool, statement: &'static str) -> Fault {
    Fault::of(&sqlx::query(statement).execute(pool).await.unwrap_err())
}

#[tokio::test]
async fn constraints_are_told_by_name() {
    let database = bed::database("commerce").await;
    let pool = &database.pool;
    for statement in [
        "create table shelf (id bigint primary key)",
        "create table box (id bigint primary key, shelf_id bigint constraint box_shelf_fkey references shelf,
         size int not null, constraint box_size_check check (size > 0))",
        "insert into shelf values (1)",
        "insert into box values (1, 1, 1)",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let name = str::to_owned;
    assert_eq!(fault(pool, "insert into shelf values (1)").await, Fault::Conflict { constraint: name("shelf_pkey") });
    assert_eq!(fault(pool, "delete from shelf").await, Fault::ForeignKey { constraint: name("box_shelf_fkey") });
    assert_eq!(
        fault(pool, "insert into box values (2, 9, 1)").await,
        Fault::ForeignKey { constraint: name("box_shelf_fkey") }
    );
    assert_eq!(
        fault(pool, "insert into box values (2, 1, 0)").await,
        Fault::Check { constraint: name("box_size_check") }
    );
    assert_eq!(fault(pool, "insert into box values (2, 1, null)").await, Fault::Check { constraint: name("size") });
    assert_eq!(fault(pool, "select 1 from nowhere").await, Fault::Bug { sqlstate: Some(name("42P01")) });
}

#[tokio::test]
async fn a_statement_beyond_its_limit_is_too_slow() {
    let database = bed::database("commerce").await;
    let settings = PoolSettings::named("slow").statement_timeout(Duration::from_millis(50));
    let pool = connect(&database.url, &settings).unwrap();
    assert_eq!(fault(&pool, "select pg_sleep(30)").await, Fault::TooSlow);
}

#[tokio::test]
async fn a_transaction_left_idle_is_ended_by_the_server_and_counts_as_unavailable() {
    let database = bed::database("commerce").await;
    let mut settings = PoolSettings::named("idle");
    settings.idle_in_transaction_timeout = Duration::from_millis(50);
    let pool = connect(&database.url, &settings).unwrap();
    let mut transaction = pool.begin().await.unwrap();
    let error = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Err(error) = sqlx::query("select 1").execute(&mut *transaction).await {
            break error;
        }
    };
    assert_eq!(Fault::of(&error), Fault::Unavailable);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let mut settings = PoolSettings::named("nowhere");
    settings.acquire_timeout = Duration::from_millis(200);
    let pool = connect("postgres://nobody@127.0.0.1:1/nothing", &settings).unwrap();
    assert_eq!(fault(&pool, "select 1").await, Fault::Unavailable);
}
