//! Changes that do not carry every column: Postgres leaves a large value that was not touched out of the log (TOAST).
//!
//! The row keeps what it has, and remembers of which position that is (`cdc_kept`). Where the order of a merchant's changes was
//! broken (its key moved to another partition: the registry was rebuilt, partitions were added), a change that carries the
//! column can come after one that is newer and does not; it is late for all other columns, and not for this one.

use std::collections::HashSet;

use runtime::{Fault, Planned};
use schemas::{Field, Position};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row as _};

use crate::decide::{Plan, TaxInfo};
use crate::upsert::{Kept, Row, Written, upsert};

/// What stands in `tax_info`: columns that the row keeps of earlier changes are [`Field::Earlier`].
#[derive(Debug, Clone, PartialEq)]
struct Standing {
    info: TaxInfo,
    position: Position,
}

/// What a change comes to beside what stands there.
#[derive(Debug, PartialEq)]
enum Merged {
    /// This row.
    Write(Box<TaxInfo>, Position),
    /// Nothing: all that it carries is known, or was overwritten.
    Late,
    /// A column is known from nowhere.
    Lacking,
}

/// The newest value of every column.
fn merge(change: &TaxInfo, at: Position, standing: Option<Standing>) -> Merged {
    let mut change = Box::new(change.clone());
    let Some(Standing { info: stands, position }) = standing else {
        return if change.is_partial() { Merged::Lacking } else { Merged::Write(change, at) };
    };
    if at >= position {
        change.inherit(stands, position);
        return Merged::Write(change, at);
    }
    let mut merged = Box::new(stands.clone());
    merged.inherit(*change, at);
    if *merged == stands { Merged::Late } else { Merged::Write(merged, position) }
}

/// Writes what a change comes to beside what stands there, whichever of the two is newer.
pub(crate) async fn complete(
    connection: &mut PgConnection,
    planned: &Planned<Plan>,
    info: &TaxInfo,
) -> Result<Written, Fault> {
    loop {
        let standing = lock(connection, info.merchant_id).await?;
        if standing.is_none() && is_removed(connection, planned).await? {
            return Ok(Written::Late);
        }
        let (info, position) = match merge(info, planned.position, standing) {
            Merged::Write(info, position) => (info, position),
            Merged::Late => return Ok(Written::Late),
            Merged::Lacking => {
                return Err(Fault::Refused(format!(
                    "merchant {} has no tax info yet, and the change does not carry every column (unchanged TOAST): where an \
                     older change follows it, release both; else discard it, and take an incremental snapshot of the merchant",
                    info.merchant_id
                )));
            }
        };
        let row = Row { entity: planned.entity.text(), position, info: &info };
        // a row that was not there to be locked may have been inserted meanwhile: it is looked at then
        if let [(_, written @ (Written::Applied | Written::Unchanged))] = upsert(connection, &[row]).await?[..] {
            return Ok(written);
        }
    }
}

/// Those of the merchants whose row keeps columns of earlier changes.
pub(crate) async fn torn(connection: &mut PgConnection, merchants: &[i64]) -> Result<HashSet<i64>, Fault> {
    let statement = "select merchant_id from tax_info where merchant_id = any($1) and cdc_kept is not null";
    let torn: Vec<i64> = sqlx::query_scalar(statement).bind(merchants).fetch_all(connection).await?;
    Ok(torn.into_iter().collect())
}

async fn is_removed(connection: &mut PgConnection, planned: &Planned<Plan>) -> Result<bool, Fault> {
    let (epoch, commit_lsn, lsn) = planned.position.to_columns();
    let statement = "select exists (select from cdc.tombstone where target = 'tax_info' and entity = $1
                                       and (epoch, commit_lsn, lsn) > ($2, $3, $4))";
    let query = sqlx::query_scalar(statement).bind(planned.entity.text()).bind(epoch).bind(commit_lsn).bind(lsn);
    Ok(query.fetch_one(connection).await?)
}

/// What stands there, so that nobody changes it before the transaction ends.
async fn lock(connection: &mut PgConnection, merchant_id: i64) -> Result<Option<Standing>, Fault> {
    let statement = "select merchant_id, name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code,
                            ward_code, email, phone, created_by, updated_at, cdc_epoch, cdc_commit_lsn, cdc_lsn, cdc_kept
                       from tax_info where merchant_id = $1 for update";
    let row = sqlx::query(statement).bind(merchant_id).fetch_optional(connection).await?;
    Ok(row.as_ref().map(standing).transpose()?)
}

fn standing(row: &PgRow) -> sqlx::Result<Standing> {
    let kept = row.try_get::<Option<Json<Kept>>, _>("cdc_kept")?.map(|kept| kept.0).unwrap_or_default();
    let info = TaxInfo {
        merchant_id: row.try_get("merchant_id")?,
        name: column(row, &kept, "name")?,
        taxpayer: row.try_get("taxpayer")?,
        tax_code: row.try_get("tax_code")?,
        tax_name: column(row, &kept, "tax_name")?,
        tax_address: column(row, &kept, "tax_address")?,
        address_line: column(row, &kept, "address_line")?,
        province_code: row.try_get("province_code")?,
        ward_code: row.try_get("ward_code")?,
        email: column(row, &kept, "email")?,
        phone: column(row, &kept, "phone")?,
        created_by: row.try_get("created_by")?,
        updated_at: row.try_get("updated_at")?,
        update: false,
    };
    let position =
        Position::from_columns(row.try_get("cdc_epoch")?, row.try_get("cdc_commit_lsn")?, row.try_get("cdc_lsn")?);
    Ok(Standing { info, position })
}

/// A column's value, and of which change it is.
fn column<'r, T>(row: &'r PgRow, kept: &Kept, name: &str) -> sqlx::Result<Field<T>>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let value = row.try_get(name)?;
    Ok(match kept.get(name) {
        Some(&(epoch, commit_lsn, lsn)) => Field::of_earlier(value, Position::from_columns(epoch, commit_lsn, lsn)),
        None => Field::Value(value),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;

    use super::*;

    fn at(lsn: u64) -> Position {
        Position { epoch: 0, commit_lsn: lsn, lsn }
    }

    /// A change whose every value says where it was made.
    fn change(lsn: u64, carries_address: bool, carries_email: bool) -> TaxInfo {
        let says = |carried: bool| if carried { Field::Value(Some(lsn.to_string())) } else { Field::Unchanged };
        TaxInfo {
            merchant_id: 1,
            name: Field::Value(lsn.to_string()),
            taxpayer: lsn.to_string(),
            tax_code: None,
            tax_name: Field::Value(None),
            tax_address: says(carries_address),
            address_line: Field::Value(String::new()),
            province_code: None,
            ward_code: None,
            email: says(carries_email),
            phone: Field::Value(None),
            created_by: 1,
            updated_at: OffsetDateTime::UNIX_EPOCH,
            update: false,
        }
    }

    #[test]
    fn a_column_that_is_known_from_nowhere_is_lacking() {
        assert_eq!(merge(&change(1, false, true), at(1), None), Merged::Lacking);
        assert!(matches!(merge(&change(1, true, true), at(1), None), Merged::Write(..)));
    }

    proptest! {
        /// In whatever order changes come, twice too, each column has the newest value that was carried.
        #[test]
        fn every_order_ends_at_the_same_row(changes in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..8)
            .prop_flat_map(|carried| {
                let changes: Vec<_> = (1..).zip(carried).collect();
                (Just([changes.clone(), changes.clone()].concat()).prop_shuffle(), Just(changes))
            })) {
            let (order, changes) = changes;
            let mut standing = Standing { info: change(0, true, true), position: at(0) };
            for (lsn, (address, email)) in order {
                match merge(&change(lsn, address, email), at(lsn), Some(standing.clone())) {
                    Merged::Write(info, position) => standing = Standing { info: *info, position },
                    Merged::Late => {}
                    Merged::Lacking => panic!("every column is known"),
                }
            }
            let newest = |carried: fn(&(bool, bool)) -> bool| {
                let lsn = changes.iter().filter(|(_, change)| carried(change)).map(|(lsn, _)| *lsn).max();
                Some(lsn.unwrap_or(0_u64).to_string())
            };
            let last = changes.last().map(|(lsn, _)| *lsn).unwrap();
            prop_assert_eq!(standing.position, at(last));
            prop_assert_eq!(standing.info.taxpayer, last.to_string());
            prop_assert_eq!(standing.info.tax_address.value(), Some(&newest(|change| change.0)));
            prop_assert_eq!(standing.info.email.value(), Some(&newest(|change| change.1)));
        }
    }
}
