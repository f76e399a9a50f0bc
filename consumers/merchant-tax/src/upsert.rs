//! Writes rows of which every column is known.

use std::collections::{BTreeMap, HashMap};

use runtime::guard::Positions;
use runtime::{Fault, Outcome};
use schemas::Position;
use sqlx::types::Json;
use sqlx::{PgConnection, Row as _};

use crate::UNCHANGED;
use crate::decide::TaxInfo;

/// A row to write, as of a position.
#[derive(Debug)]
pub(crate) struct Row<'i> {
    /// The merchant's text form, by which its tombstone is found.
    pub(crate) entity: String,
    /// Where the row is to stand.
    pub(crate) position: Position,
    /// Every column.
    pub(crate) info: &'i TaxInfo,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It stands now.
    Applied,
    /// It stands now, and what stood there said the same.
    Unchanged,
    /// Something newer stands there, or removed it.
    Late,
}

impl Written {
    /// How it is counted.
    pub(crate) fn outcome(self) -> &'static str {
        match self {
            Self::Applied => Outcome::APPLIED,
            Self::Unchanged => UNCHANGED,
            Self::Late => Outcome::SUPERSEDED,
        }
    }
}

/// Of which position the values of columns are that are not of the row's own: `cdc_kept`.
pub(crate) type Kept = BTreeMap<String, (i32, i64, i64)>;

fn kept(info: &TaxInfo) -> Option<Json<Kept>> {
    let kept: Kept = info.earlier().map(|(column, at)| (column.to_owned(), at.to_columns())).collect();
    (!kept.is_empty()).then_some(Json(kept))
}

/// Upserts rows of different merchants, and says of each what became of it.
///
/// A row that already says the same is written all the same, because its position moves: otherwise a change between the
/// two positions, arriving late, would win. It is counted as unchanged, judged against the target's row and not against
/// the change's `before`, so that a replay repairs a row that went wrong.
pub(crate) async fn upsert(connection: &mut PgConnection, rows: &[Row<'_>]) -> Result<Vec<(i64, Written)>, Fault> {
    let infos = || rows.iter().map(|row| row.info);
    let text =
        |field: fn(&TaxInfo) -> Option<&str>| infos().map(|info| field(info).map(str::to_owned)).collect::<Vec<_>>();
    let mut positions = Positions::with_capacity(rows.len());
    for row in rows {
        positions.push(row.position);
    }
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
        .bind(&positions.epochs)
        .bind(&positions.commit_lsns)
        .bind(&positions.lsns)
        .bind(rows.iter().map(|row| row.entity.as_str()).collect::<Vec<_>>())
        .bind(infos().map(kept).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let updates: HashMap<i64, bool> = infos().map(|info| (info.merchant_id, info.update)).collect();
    written
        .iter()
        .map(|row| {
            let merchant_id: i64 = row.try_get("merchant_id")?;
            let (applied, unchanged): (bool, bool) = (row.try_get("applied")?, row.try_get("unchanged")?);
            let became = match (applied, unchanged && updates.get(&merchant_id) == Some(&true)) {
                (false, _) => Written::Late,
                (true, true) => Written::Unchanged,
                (true, false) => Written::Applied,
            };
            Ok((merchant_id, became))
        })
        .collect()
}

const UPSERT: &str = "
with incoming as (
    select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::text[], $10::text[], $11::text[], $12::bigint[], $13::timestamptz[],
                         $14::int[], $15::bigint[], $16::bigint[], $17::text[], $18::jsonb[])
        as i (merchant_id, name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code, ward_code, email,
              phone, created_by, updated_at, cdc_epoch, cdc_commit_lsn, cdc_lsn, entity, cdc_kept)
), written as (
    insert into tax_info as t (merchant_id, name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code,
                               ward_code, email, phone, created_by, updated_at, cdc_epoch, cdc_commit_lsn, cdc_lsn,
                               cdc_kept)
    select merchant_id, name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code,
           ward_code, email, phone, created_by, updated_at, cdc_epoch, cdc_commit_lsn, cdc_lsn, cdc_kept
      from incoming i
     where not exists (select from cdc.tombstone d where d.target = 'tax_info' and d.entity = i.entity
                          and (d.epoch, d.commit_lsn, d.lsn) > (i.cdc_epoch, i.cdc_commit_lsn, i.cdc_lsn))
    on conflict (merchant_id) do update
       set name = excluded.name, taxpayer = excluded.taxpayer, tax_code = excluded.tax_code,
           tax_name = excluded.tax_name, tax_address = excluded.tax_address, address_line = excluded.address_line,
           province_code = excluded.province_code, ward_code = excluded.ward_code, email = excluded.email,
           phone = excluded.phone, created_by = excluded.created_by, updated_at = excluded.updated_at,
           cdc_epoch = excluded.cdc_epoch, cdc_commit_lsn = excluded.cdc_commit_lsn, cdc_lsn = excluded.cdc_lsn,
           cdc_kept = excluded.cdc_kept
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
