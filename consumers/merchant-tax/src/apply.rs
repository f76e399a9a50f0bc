//! Writes `tax_info`, each row guarded by its position.

use std::collections::HashSet;

use runtime::guard::{self, Guarded, Turn};
use runtime::{Batch, Fault, Outcome, Planned, frontier};
use schemas::Field;
use sqlx::{PgConnection, PgPool, Row as _};

use crate::decide::{Plan, TaxInfo};
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
            Plan::Keep(info) if info.is_partial() => partial.push((planned, &**info)),
            Plan::Keep(info) => whole.push((planned, &**info)),
            Plan::Remove { merchant_id } => removed.push((planned, *merchant_id)),
        }
    }
    let turn = if removed.is_empty() { Turn::Shared } else { Turn::Alone };
    guard::take_turn(&mut *connection, TARGET, turn).await?;
    if !whole.is_empty() {
        upsert(connection, &whole, &mut outcome).await?;
    }
    for (planned, info) in partial {
        complete(connection, planned, info, &mut outcome).await?;
    }
    if !removed.is_empty() {
        remove(connection, &removed, &mut outcome).await?;
    }
    Ok(outcome)
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

/// Upserts rows of which every column is known.
///
/// A row that already says the same is written all the same, because its position moves: otherwise a change between the
/// two positions, arriving late, would win. It is counted as unchanged, judged against the target's row and not against
/// the change's `before`, so that a replay repairs a row that went wrong.
async fn upsert(
    connection: &mut PgConnection,
    rows: &[(&Planned<Plan>, &TaxInfo)],
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    let guarded = Guarded::of(rows.iter().map(|(planned, _)| *planned));
    let infos = || rows.iter().map(|(_, info)| *info);
    let text =
        |field: fn(&TaxInfo) -> Option<&str>| infos().map(|info| field(info).map(str::to_owned)).collect::<Vec<_>>();
    let written = sqlx::query(UPSERT)
        .bind(infos().map(|info| info.merchant_id).collect::<Vec<_>>())
        .bind(text(|info| info.name.value().map(String::as_str)))
        .bind(text(|info| Some(&info.taxpayer)))
        .bind(text(|info| info.tax_code.as_deref()))
        .bind(text(|info| info.tax_name.value().and_then(Option::as_deref)))
        .bind(text(|info| info.tax_address.value().and_then(Option::as_deref)))
        .bind(text(|info| info.address_line.value().map(String::as_str)))
        .bind(text(|info| info.province_code.as_deref()))
        .bind(text(|info| info.ward_code.as_deref()))
        .bind(text(|info| info.email.value().and_then(Option::as_deref)))
        .bind(text(|info| info.phone.value().and_then(Option::as_deref)))
        .bind(infos().map(|info| info.created_by).collect::<Vec<_>>())
        .bind(infos().map(|info| info.updated_at).collect::<Vec<_>>())
        .bind(&guarded.positions.epochs)
        .bind(&guarded.positions.commit_lsns)
        .bind(&guarded.positions.lsns)
        .bind(&guarded.entities)
        .fetch_all(connection)
        .await?;
    let updates: HashSet<i64> = infos().filter(|i| i.update).map(|i| i.merchant_id).collect();
    for row in written {
        let merchant_id: i64 = row.try_get("merchant_id")?;
        let (applied, unchanged): (bool, bool) = (row.try_get("applied")?, row.try_get("unchanged")?);
        let became = match (applied, unchanged && updates.contains(&merchant_id)) {
            (false, _) => Outcome::SUPERSEDED,
            (true, true) => UNCHANGED,
            (true, false) => Outcome::APPLIED,
        };
        outcome.count(became, &merchant_id.to_string());
    }
    Ok(())
}

const UPSERT: &str = "
with incoming as (
    select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::text[], $10::text[], $11::text[], $12::bigint[], $13::timestamptz[],
                         $14::int[], $15::bigint[], $16::bigint[], $17::text[])
        as i (merchant_id, name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code, ward_code, email,
              phone, created_by, updated_at, cdc_epoch, cdc_commit_lsn, cdc_lsn, entity)
), written as (
    insert into tax_info as t (merchant_id, name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code,
                               ward_code, email, phone, created_by, updated_at, cdc_epoch, cdc_commit_lsn, cdc_lsn)
    select merchant_id, name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code,
           ward_code, email, phone, created_by, updated_at, cdc_epoch, cdc_commit_lsn, cdc_lsn
      from incoming i
     where not exists (select from cdc.tombstone d where d.target = 'tax_info' and d.entity = i.entity
                          and (d.epoch, d.commit_lsn, d.lsn) > (i.cdc_epoch, i.cdc_commit_lsn, i.cdc_lsn))
    on conflict (merchant_id) do update
       set name = excluded.name, taxpayer = excluded.taxpayer, tax_code = excluded.tax_code,
           tax_name = excluded.tax_name, tax_address = excluded.tax_address, address_line = excluded.address_line,
           province_code = excluded.province_code, ward_code = excluded.ward_code, email = excluded.email,
           phone = excluded.phone, created_by = excluded.created_by, updated_at = excluded.updated_at,
           cdc_epoch = excluded.cdc_epoch, cdc_commit_lsn = excluded.cdc_commit_lsn, cdc_lsn = excluded.cdc_lsn
     where (excluded.cdc_epoch, excluded.cdc_commit_lsn, excluded.cdc_lsn) >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)
    returning merchant_id
)
select i.merchant_id, w.merchant_id is not null as applied,
       old.merchant_id is not null
       and (old.name, old.taxpayer, old.tax_code, old.tax_name, old.tax_address, old.address_line, old.province_code,
            old.ward_code, old.email, old.phone)
           is not distinct from
           (i.name, i.taxpayer, i.tax_code, i.tax_name, i.tax_address, i.address_line, i.province_code,
            i.ward_code, i.email, i.phone) as unchanged
  from incoming i left join written w using (merchant_id) left join tax_info old using (merchant_id)";

/// Updates one row of which some columns are not carried by the change: those keep what the target has.
async fn complete(
    connection: &mut PgConnection,
    planned: &Planned<Plan>,
    info: &TaxInfo,
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    let (epoch, commit_lsn, lsn) = planned.position.to_columns();
    let optional = |field: &Field<Option<String>>| (field.is_unchanged(), field.value().cloned().flatten());
    let (keep_tax_name, tax_name) = optional(&info.tax_name);
    let (keep_tax_address, tax_address) = optional(&info.tax_address);
    let (keep_email, email) = optional(&info.email);
    let (keep_phone, phone) = optional(&info.phone);
    let (is_written, is_there, is_gone): (bool, bool, bool) = sqlx::query_as(COMPLETE)
        .bind(info.merchant_id)
        .bind(info.name.value())
        .bind(&info.taxpayer)
        .bind(&info.tax_code)
        .bind(keep_tax_name)
        .bind(tax_name)
        .bind(keep_tax_address)
        .bind(tax_address)
        .bind(info.address_line.value())
        .bind(&info.province_code)
        .bind(&info.ward_code)
        .bind(keep_email)
        .bind(email)
        .bind(keep_phone)
        .bind(phone)
        .bind(info.created_by)
        .bind(info.updated_at)
        .bind(epoch)
        .bind(commit_lsn)
        .bind(lsn)
        .bind(planned.entity.text())
        .fetch_one(&mut *connection)
        .await?;
    let became = match (is_written, is_there || is_gone) {
        (true, _) => Outcome::APPLIED,
        (false, true) => Outcome::SUPERSEDED,
        (false, false) => {
            return Err(Fault::Refused(format!(
                "merchant {} has no tax info yet, and the change does not carry every column (unchanged TOAST): discard it, \
                 then take an incremental snapshot of the merchant",
                info.merchant_id
            )));
        }
    };
    outcome.count(became, planned.entity.key());
    Ok(())
}

/// Whether the change was written, whether the merchant has tax info, and whether it was removed by a newer change.
const COMPLETE: &str = "
with written as (
    update tax_info
       set name = coalesce($2, name), taxpayer = $3, tax_code = $4,
           tax_name = case when $5 then tax_name else $6 end,
           tax_address = case when $7 then tax_address else $8 end,
           address_line = coalesce($9, address_line), province_code = $10, ward_code = $11,
           email = case when $12 then email else $13 end,
           phone = case when $14 then phone else $15 end,
           created_by = $16, updated_at = $17, cdc_epoch = $18, cdc_commit_lsn = $19, cdc_lsn = $20
     where merchant_id = $1 and ($18, $19, $20) >= (cdc_epoch, cdc_commit_lsn, cdc_lsn)
    returning merchant_id
)
select exists (select from written), exists (select from tax_info where merchant_id = $1),
       exists (select from cdc.tombstone where target = 'tax_info' and entity = $21
                  and (epoch, commit_lsn, lsn) > ($18, $19, $20))";

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
