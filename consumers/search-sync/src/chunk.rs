//! A chunk of products under their locks: read, import, delete what is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use runtime::Fault;

use crate::Inner;
use crate::memory::Written;
use crate::shard::{self, Held};
use crate::source::{self, Aggregate, Horizon};
use crate::typesense::Refusal;
use crate::wish::{self, Wish};
use crate::document;

/// How often a chunk whose lock was lost is done again before the runtime is told to.
const ATTEMPTS: u32 = 5;

/// What became of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) imported: u64,
    pub(crate) removed: u64,
    /// Wishes that were granted already.
    pub(crate) current: u64,
    pub(crate) refused: Vec<Refusal>,
    written: Vec<Written>,
}

impl Done {
    pub(crate) fn add(&mut self, other: Self) {
        self.imported += other.imported;
        self.removed += other.removed;
        self.current += other.current;
        self.refused.extend(other.refused);
    }
}

/// Makes the chunk's documents what the source says now.
///
/// Between the last look at the lock and the import, the lock's session may be lost, another worker take the lock, read
/// a newer state and import it, and ours arrive last. So a chunk whose lock was not held to the end is done again at once,
/// before anybody hears that it was applied.
pub(crate) async fn process(inner: Arc<Inner>, wishes: Vec<Wish>) -> Result<Done, Fault> {
    // the semaphore is never closed
    let Ok(_permit) = inner.permits.acquire().await else { return Ok(Done::default()) };
    let mut attempts = 0;
    loop {
        attempts += 1;
        let shards: Vec<i32> = wishes.iter().map(|wish| shard::of(wish.product)).collect();
        // The server may take the locks of a holder that hangs, but not of one that waits for an answer.
        let idle = inner.settings.timeout + Duration::from_secs(30);
        let mut held = shard::take(&inner.backbone, &inner.settings.collection, &shards, idle).await?;
        let mut left: Vec<Wish> = wishes.iter().filter(|wish| !wish.is_granted(&inner.memory)).copied().collect();
        let current = count(wishes.len() - left.len());
        let began = inner.memory.tick();
        let done = grant(&inner, &mut held, &mut left).await;
        match (done, held.release().await) {
            (Ok(done), Ok(())) => {
                inner.memory.wrote(&done.written, began, inner.memory.tick());
                return Ok(Done { current, written: Vec::new(), ..done });
            }
            (Ok(done), Err(lost)) if attempts < ATTEMPTS && done.imported + done.removed > 0 => {
                tracing::warn!(reason = %lost, products = left.len(), "lost the lock of products that were imported; doing them again");
            }
            (Ok(_), Err(lost)) => return Err(lost),
            // What was sent before the fault is sent again with the next attempt.
            (Err(fault), _) => return Err(fault),
        }
    }
}

/// Imports until the source showed every change that asked for it.
async fn grant(inner: &Inner, held: &mut Held, left: &mut Vec<Wish>) -> Result<Done, Fault> {
    let mut done = Done::default();
    let mut horizon = Horizon::default();
    let mut last = false;
    while !left.is_empty() {
        let late = pass(inner, held, left, last, &mut done).await?;
        if late.is_empty() {
            break;
        }
        left.retain(|wish| late.contains(&wish.product));
        last = horizon.is_passed(&inner.source).await?;
    }
    Ok(done)
}

/// Reads and imports once. Answers the products of which a change is not seen yet; on the last pass there are none,
/// because what is not seen by then was undone.
async fn pass(
    inner: &Inner,
    held: &mut Held,
    wishes: &[Wish],
    last: bool,
    done: &mut Done,
) -> Result<Vec<i64>, Fault> {
    let products = wish::products(wishes);
    let mut missing: HashMap<i64, &[Wish]> =
        wishes.chunk_by(|a, b| a.product == b.product).map(|wishes| (wishes[0].product, wishes)).collect();
    let is_late = |wishes: &[Wish], aggregate: Option<&Aggregate>| {
        !last && wishes.iter().any(|wish| !wish.is_seen_in(aggregate))
    };
    let (mut late, mut gone, mut parcel) = (Vec::new(), Vec::new(), Parcel::default());
    let mut rows = source::read(&inner.source, &products);
    while let Some(aggregate) = rows.try_next().await? {
        let Some(wishes) = missing.remove(&aggregate.id) else { continue };
        if is_late(wishes, Some(&aggregate)) {
            late.push(aggregate.id);
        } else if aggregate.is_shown() {
            parcel.push(&aggregate)?;
            if parcel.body.len() >= inner.settings.import_bytes {
                parcel.send(inner, held, done).await?;
            }
        } else {
            gone.push(aggregate.id);
            done.written.push(aggregate.written());
        }
    }
    drop(rows);
    for (product, wishes) in missing {
        if is_late(wishes, None) { late.push(product) } else { gone.push(product) }
    }
    parcel.send(inner, held, done).await?;
    if !gone.is_empty() {
        held.check().await?;
        inner.typesense.delete(&gone).await?;
        done.removed += count(gone.len());
    }
    Ok(late)
}

/// Documents that go in one request.
#[derive(Default)]
struct Parcel {
    body: Vec<u8>,
    products: Vec<i64>,
    written: Vec<Written>,
}

impl Parcel {
    fn push(&mut self, aggregate: &Aggregate) -> Result<(), Fault> {
        document::write(aggregate, &mut self.body)?;
        self.products.push(aggregate.id);
        self.written.push(aggregate.written());
        Ok(())
    }

    async fn send(&mut self, inner: &Inner, held: &mut Held, done: &mut Done) -> Result<(), Fault> {
        let Self { body, products, mut written } = std::mem::take(self);
        if products.is_empty() {
            return Ok(());
        }
        held.check().await?;
        let refused = inner.typesense.import(&products, body).await?;
        written.retain(|document| !refused.iter().any(|refusal| refusal.product == document.product.0));
        done.imported += count(written.len());
        done.written.append(&mut written);
        done.refused.extend(refused);
        Ok(())
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
