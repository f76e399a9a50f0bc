//! Writes `tax_info`, each row guarded by its position.

use std::collections::HashSet;

use runtime::guard::{self, Guarded, Turn};
use runtime::{Batch, Fault, Outcome, Planned, frontier};
use sqlx::{PgConnection, PgPool};

use crate::complete::{complete, torn};
use crate::decide::{Plan, TaxInfo};
use crate::upsert::{Row, Written, upsert};
use crate::{NAME, UNCHANGED};

/// What this consumer writes, as the guard knows it.
const TARGET: &str = "tax_info";

/// Applies a batch in one transaction, with its mark.
pub(crate) async fn apply(invoice: &PgPool, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
    let mut transaction = invoice.begin().await?;
    let outcome = write(&mut transaction, batch).await?;
    if let Some(mark) = &batch.mark {
        frontier::write(&mut *transaction, batch.consumer, mark).await?;
    }
    transaction.commit().await?;
    report_unchanged(&outcome);
    Ok(outcome)
}

/// Writes what is planned.
pub(crate) async fn write(connection: &mut PgConnection, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
    let mut outcome = Outcome::default();
    let (mut whole, mut partial, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    for planned in &batch.plans {
        match &planned.plan {
            Plan::Keep(info) if info.is_whole() => whole.push((planned, &**info)),
            Plan::Keep(info) => partial.push((planned, &**info)),
            Plan::Remove { merchant_id } => removed.push((planned, *merchant_id)),
        }
    }
    let turn = if removed.is_empty() { Turn::Shared } else { Turn::Alone };
    guard::take_turn(&mut *connection, TARGET, turn).await?;
    if !whole.is_empty() {
        partial.extend(keep(connection, &whole, &mut outcome).await?);
    }
    for (planned, info) in partial {
        outcome.count(complete(connection, planned, info).await?.outcome(), planned.entity.key());
    }
    if !removed.is_empty() {
        remove(connection, &removed, &mut outcome).await?;
    }
    Ok(outcome)
}

type Kept<'b> = (&'b Planned<Plan>, &'b TaxInfo);

/// Writes rows of which every column is known, and answers which of those that came late may still have what a newer change
/// did not carry.
async fn keep<'b>(
    connection: &mut PgConnection,
    whole: &[Kept<'b>],
    outcome: &mut Outcome,
) -> Result<Vec<Kept<'b>>, Fault> {
    let row = |(planned, info): &Kept<'b>| Row { entity: planned.entity.text(), position: planned.position, info };
    let rows: Vec<Row<'b>> = whole.iter().map(row).collect();
    let written = upsert(connection, &rows).await?;
    let late: Vec<i64> = written.iter().filter(|(_, written)| *written == Written::Late).map(|(id, _)| *id).collect();
    let torn = if late.is_empty() { HashSet::new() } else { torn(connection, &late).await? };
    for (merchant_id, written) in written.iter().filter(|(id, _)| !torn.contains(id)) {
        outcome.count(written.outcome(), &merchant_id.to_string());
    }
    Ok(whole.iter().filter(|(_, info)| torn.contains(&info.merchant_id)).copied().collect())
}

/// The marker that operators search for: one line per batch, with a count and sample ids.
fn report_unchanged(outcome: &Outcome) {
    for (name, count) in outcome.iter().filter(|(name, _)| *name == UNCHANGED) {
        tracing::info!(
            consumer = NAME,
            outcome = name,
            merchants = count.entities,
            samples = count.samples.join(","),
            "[handleMerchantCDC] op=u tax unchanged, SKIP"
        );
    }
}

/// Removes rows and leaves their positions behind. A merchant whose row is newer keeps it.
async fn remove(
    connection: &mut PgConnection,
    removed: &[(&Planned<Plan>, i64)],
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    let guarded = Guarded::of(removed.iter().map(|(planned, _)| *planned));
    let ids: Vec<i64> = removed.iter().map(|(_, merchant_id)| *merchant_id).collect();
    sqlx::query(
        "delete from tax_info t
          using unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) i (merchant_id, epoch, commit_lsn, lsn)
          where t.merchant_id = i.merchant_id
            and (i.epoch, i.commit_lsn, i.lsn) >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)",
    )
    .bind(&ids)
    .bind(&guarded.positions.epochs)
    .bind(&guarded.positions.commit_lsns)
    .bind(&guarded.positions.lsns)
    .execute(&mut *connection)
    .await?;
    let newer: HashSet<i64> = sqlx::query_scalar("select merchant_id from tax_info where merchant_id = any($1)")
        .bind(&ids)
        .fetch_all(&mut *connection)
        .await?
        .into_iter()
        .collect();
    let gone = removed.iter().filter(|(_, merchant_id)| !newer.contains(merchant_id)).map(|(planned, _)| *planned);
    let buried = guard::bury(connection, TARGET, &Guarded::of(gone)).await?;
    for (planned, _) in removed {
        let became = if buried.contains(&planned.entity.text()) { "removed" } else { Outcome::SUPERSEDED };
        outcome.count(became, planned.entity.key());
    }
    Ok(())
}
