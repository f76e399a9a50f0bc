//! The rule of `platform::postgres::write`, and the bug of sqlx 0.9.0 that it is for.

use std::process::Command;
use std::time::Duration;

use platform::postgres::{PoolSettings, connect, write};
use sqlx::PgPool;

/// Stops the only connection's backend, lets `attempt` begin a transaction and give up, lets the backend go on, then
/// inserts one row without a transaction. Answers whether another connection sees it.
async fn survives<F: Future<Output = ()>>(attempt: impl FnOnce(PgPool) -> F) -> bool {
    let database = bed::database("commerce").await;
    let pool = connect(&database.url, &PoolSettings::named("lost-write").max_connections(1)).unwrap();
    sqlx::query("create table ledger_line (id bigint)").execute(&database.pool).await.unwrap();
    sqlx::query("grant all on ledger_line to public").execute(&database.pool).await.unwrap();
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&pool).await.unwrap();
    // Back in the pool, so that the attempt has its connection at once and gives up in the middle of BEGIN.
    while pool.num_idle() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    signal("-STOP", backend);
    let gave_up = tokio::time::timeout(Duration::from_millis(150), attempt(pool.clone())).await;
    signal("-CONT", backend);
    assert!(gave_up.is_err(), "the backend answered although it was stopped");
    sqlx::query("insert into ledger_line values (1)").execute(&pool).await.unwrap();
    let seen: i64 = sqlx::query_scalar("select count(*) from ledger_line").fetch_one(&database.pool).await.unwrap();
    pool.close().await;
    seen == 1
}

fn signal(name: &str, process: i32) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status().unwrap();
    assert!(sent.success(), "the test must be able to signal the server's processes");
}

#[tokio::test]
async fn an_acknowledged_write_after_an_abandoned_one_is_not_lost() {
    let kept = survives(|pool| async move {
        let begun = write(&pool, |transaction| {
            Box::pin(async move { sqlx::query("select 1").execute(&mut **transaction).await.map(drop) })
        });
        begun.await.unwrap();
    });
    assert!(kept.await);
}

/// When this fails, sqlx has mended it (upstream pull request 4394): the rule can be looked at again.
#[tokio::test]
async fn without_the_rule_it_is_lost_so_the_rule_is_needed() {
    let kept = survives(|pool| async move { drop(pool.begin().await.unwrap()) });
    assert!(!kept.await);
}
