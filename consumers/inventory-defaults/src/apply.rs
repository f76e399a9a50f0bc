//! One transaction for a batch: its merchants, then its variants, then its mark.

use runtime::{Batch, Fault, Outcome, Planned, frontier};
use sqlx::{PgConnection, PgPool};

use crate::decide::Plan;
use crate::level::{Retired, Stocked};
use crate::location::Merchant;
use crate::{level, location};

/// Applies a batch.
///
/// Rows are always locked in one order (`location` by merchant, then `stock_level` by its key), so that two workers wait
/// for one another instead of dying; the lock that orders variants, where it is needed, comes before every row.
pub(crate) async fn apply(inventory: &PgPool, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
    let mut transaction = inventory.begin().await?;
    let outcome = write(&mut transaction, batch).await?;
    if let Some(mark) = &batch.mark {
        frontier::write(&mut *transaction, batch.consumer, mark).await?;
    }
    transaction.commit().await?;
    Ok(outcome)
}

/// Writes what is planned.
pub(crate) async fn write(connection: &mut PgConnection, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
    let Sorted { merchants, stocked, retired } = Sorted::of(&batch.plans);
    let mut outcome = Outcome::default();
    if !(stocked.is_empty() && retired.is_empty()) {
        level::order_writers(connection, &retired).await?;
    }
    let ids = merchants.iter().map(|merchant| merchant.id).chain(stocked.iter().map(|variant| variant.merchant_id));
    location::ensure_defaults(connection, ids).await?;
    location::write(connection, &merchants, &mut outcome).await?;
    level::lock(connection, &stocked, &retired).await?;
    level::stock(connection, &stocked, &mut outcome).await?;
    level::retire(connection, &retired, &mut outcome).await?;
    Ok(outcome)
}

/// The plans of a batch by what they write.
#[derive(Default)]
struct Sorted<'b> {
    merchants: Vec<Merchant<'b>>,
    stocked: Vec<Stocked<'b>>,
    retired: Vec<Retired<'b>>,
}

impl<'b> Sorted<'b> {
    fn of(plans: &'b [Planned<Plan>]) -> Self {
        let mut sorted = Self::default();
        for planned in plans {
            match planned.plan {
                Plan::Open { merchant_id, created_by } => {
                    sorted.merchants.push(Merchant {
                        planned,
                        id: merchant_id,
                        created_by: Some(created_by),
                        gone: false,
                    });
                }
                Plan::Close { merchant_id } => {
                    sorted.merchants.push(Merchant { planned, id: merchant_id, created_by: None, gone: true });
                }
                Plan::Stock { variant_id, product_id, merchant_id } => {
                    sorted.stocked.push(Stocked { planned, variant_id, product_id, merchant_id });
                }
                Plan::Retire { variant_id } => sorted.retired.push(Retired { planned, variant_id }),
            }
        }
        sorted
    }
}
