//! Giving up what is parked, with its bytes kept.

use sqlx::{PgExecutor, PgPool};

/// Moves parked records into `discarded_change`, and tells the consumer's workers. Answers how many were there.
pub async fn discard(control: &PgPool, consumer: &str, ids: &[i64], reason: &str) -> sqlx::Result<u64> {
    let mut transaction = control.begin().await?;
    let moved = move_away(&mut *transaction, consumer, ids, reason).await?;
    sqlx::query("select pg_notify('command', $1)").bind(consumer).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(moved)
}

async fn move_away(executor: impl PgExecutor<'_>, consumer: &str, ids: &[i64], reason: &str) -> sqlx::Result<u64> {
    let moved = sqlx::query(
        r#"with gone as (delete from parked_change where consumer = $1 and id = any($2) returning *)
           insert into discarded_change (id, consumer, entity, topic, partition, "offset", record_time, record_key,
               record_value, record_headers, cause, detail, attempts, parked_at, reason)
           select id, consumer, entity, topic, partition, "offset", record_time, record_key, record_value,
                  record_headers, cause, detail, attempts, parked_at, $3 from gone"#,
    )
    .bind(consumer)
    .bind(ids)
    .bind(reason)
    .execute(executor)
    .await?;
    Ok(moved.rows_affected())
}
