//! A batch: the products that it touches, each once, chunk by chunk.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use platform::postgres::uninterrupted;
use runtime::{Batch, Fault, Outcome, Planned, frontier};

use crate::Inner;
use crate::chunk::{self, Done, Target};
use crate::decide::Plan;
use crate::source::{self, Table};
use crate::wish::{self, Above, Why, Wish};

/// Documents that were written.
pub(crate) const IMPORTED: &str = "imported";
/// Documents that were removed, or were not there.
pub(crate) const REMOVED: &str = "removed";
/// Documents that showed a change already.
pub(crate) const CURRENT: &str = "already-current";

pub(crate) async fn apply(inner: &Arc<Inner>, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
    inner.typesense.ensure_collection().await?;
    if let Some(epoch) = batch.plans.iter().map(|planned| planned.position.epoch).max() {
        inner.memory.enter(epoch);
    }
    let mut done = Done::default();
    let wishes = direct(inner, &batch.plans).await?;
    sync(inner, wishes, &mut done).await?;
    for table in [Table::Merchant, Table::Category] {
        sync_below(inner, table, &changed(inner, table, &batch.plans), &mut done).await?;
    }
    if let Some(mark) = &batch.mark {
        frontier::write(&inner.backbone, batch.consumer, mark).await?;
        inner.memory.applied(mark);
    }
    let mut outcome = Outcome::default();
    for planned in &batch.plans {
        outcome.count(Outcome::APPLIED, planned.entity.key());
    }
    outcome.count_many(IMPORTED, done.imported);
    outcome.count_many(REMOVED, done.removed);
    outcome.count_many(CURRENT, done.current);
    Ok(outcome)
}

/// The products that changes name.
async fn direct(inner: &Inner, plans: &[Planned<Plan>]) -> Result<Vec<Wish>, Fault> {
    let (mut wishes, mut lost) = (Vec::with_capacity(plans.len()), Vec::new());
    for planned in plans {
        let replay = inner.memory.is_replay(&planned.coordinates);
        match planned.plan {
            Plan::Product { id, version } => wishes.push(Wish { product: id, why: Why::Product(version), replay }),
            Plan::Variant { id, product_id, version } => {
                wishes.push(Wish { product: product_id, why: Why::Variant { id, version }, replay });
            }
            Plan::LostVariant { id } => lost.push(id),
            Plan::Merchant { .. } | Plan::Category { .. } => {}
        }
    }
    if !lost.is_empty() {
        let products = inner.typesense.products_of_variants(&lost).await?;
        wishes.extend(products.into_iter().map(|product| Wish { product, why: Why::LostVariant, replay: false }));
    }
    Ok(wishes)
}

/// A merchant or a category that changed, as the batch says it.
struct Changed {
    id: i64,
    version: Option<i64>,
    replay: bool,
}

fn changed(inner: &Inner, table: Table, plans: &[Planned<Plan>]) -> Vec<Changed> {
    let of = |planned: &Planned<Plan>| {
        let ((Table::Merchant, Plan::Merchant { id, version }) | (Table::Category, Plan::Category { id, version })) =
            (table, planned.plan)
        else {
            return None;
        };
        Some(Changed { id, version, replay: inner.memory.is_replay(&planned.coordinates) })
    };
    plans.iter().filter_map(of).collect()
}

/// The products of merchants or categories that changed, page by page.
async fn sync_below(inner: &Arc<Inner>, table: Table, changed: &[Changed], done: &mut Done) -> Result<(), Fault> {
    let is_seen =
        |one: &Changed| one.version.is_some_and(|version| inner.memory.seen_since(table, one.id, version).is_some());
    let unseen: Vec<_> = changed.iter().filter(|one| !is_seen(one)).map(|one| (one.id, one.version)).collect();
    if !unseen.is_empty() {
        source::wait_for(&inner.source, table, &unseen).await?;
    }
    let since = inner.memory.tick();
    let ids: Vec<i64> = changed.iter().map(|one| one.id).collect();
    let mut shelves = match (ids.is_empty(), table) {
        (true, _) => return Ok(()),
        (_, Table::Merchant) => source::shelves_of_merchants(&inner.source, &ids).await?,
        (_, Table::Category) => source::shelves_of_categories(&inner.source, &ids).await?,
    };
    while !shelves.is_empty() {
        let page = source::products_of(&inner.source, &mut shelves).await?;
        let wish = |(product, reason): (i64, usize)| {
            let Changed { id, version, replay } = *changed.get(reason)?;
            Some(Wish { product, why: Why::Above(Above { table, id, version, since }), replay })
        };
        sync(inner, page.into_iter().filter_map(wish).collect(), done).await?;
    }
    Ok(())
}

/// Grants wishes; a product that the engine refuses fails the batch.
async fn sync(inner: &Arc<Inner>, wishes: Vec<Wish>, done: &mut Done) -> Result<(), Fault> {
    grant(inner, &Target::Searched, wishes, done).await?;
    match done.refused.first() {
        Some(refusal) => Err(Fault::Refused(format!(
            "the search engine refused product {} ({} of the batch): {}",
            refusal.product,
            done.refused.len(),
            refusal.reason
        ))),
        None => Ok(()),
    }
}

/// Grants wishes, several chunks at once, so that some are read while others are imported.
///
/// No chunk is given up half way: after a fault none is begun, and those under way are waited for.
pub(crate) async fn grant(
    inner: &Arc<Inner>,
    target: &Target,
    mut wishes: Vec<Wish>,
    done: &mut Done,
) -> Result<(), Fault> {
    let before = wishes.len();
    wishes.retain(|wish| !wish.is_granted(&inner.memory));
    done.current += u64::try_from(before - wishes.len()).unwrap_or_default();
    let mut chunks = wish::chunks(wishes, inner.settings.chunk_products);
    if !chunks.is_empty() {
        // partitions that are applied at the same time begin with different shards
        let first = usize::try_from(inner.memory.tick()).unwrap_or_default() % chunks.len();
        chunks.rotate_left(first);
    }
    let mut chunks = chunks.into_iter();
    let (mut running, mut fault) = (FuturesUnordered::new(), None);
    loop {
        while fault.is_none() && running.len() < inner.settings.concurrency {
            let Some(chunk) = chunks.next() else { break };
            running.push(uninterrupted(chunk::process(inner.clone(), target.clone(), chunk)));
        }
        match running.next().await {
            Some(Ok(one)) => done.add(one),
            Some(Err(error)) => fault = Some(fault.unwrap_or(error)),
            None => break,
        }
    }
    fault.map_or(Ok(()), Err)
}
