//! A chunk of products under their locks: read, import, delete what is gone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use runtime::Fault;

use crate::Inner;
use crate::document;
use crate::memory::{Tick, Written};
use crate::shard::{self, Held};
use crate::source::{self, Aggregate, Horizon, Snapshot};
use crate::typesense::{Refusal, Typesense};
use crate::wish::{self, Wish};

/// How often a chunk whose lock was lost is done again before the runtime is told to.
const ATTEMPTS: u32 = 5;

/// Where documents go.
#[derive(Clone)]
pub(crate) enum Target {
    /// Where they are searched, and into the collection that is being filled beside, if there is one.
    Searched,
    /// Into this collection only.
    Only(Typesense),
}

impl Target {
    async fn import(
        &self,
        inner: &Inner,
        held: &mut Held,
        products: &[i64],
        body: Vec<u8>,
    ) -> Result<Vec<Refusal>, Fault> {
        let beside = held.check().await?;
        let (searched, beside) = match (self, beside) {
            (Self::Only(collection), _) => return collection.import(products, body).await,
            (Self::Searched, None) => return inner.typesense.import(products, body).await,
            (Self::Searched, Some(beside)) => (inner.typesense.import(products, body.clone()).await?, beside),
        };
        let refused = inner.typesense.of(&beside).import(products, body).await;
        let first = refused.map(|refused| refused.into_iter().next());
        let reason = first.map(|first| first.map(|Refusal { product, reason }| format!("product {product}: {reason}")));
        held.beside(&beside, reason).await?;
        Ok(searched)
    }

    async fn delete(&self, inner: &Inner, held: &mut Held, products: &[i64]) -> Result<(), Fault> {
        let beside = held.check().await?;
        match (self, beside) {
            (Self::Only(collection), _) => collection.delete(products).await,
            (Self::Searched, None) => inner.typesense.delete(products).await,
            (Self::Searched, Some(beside)) => {
                inner.typesense.delete(products).await?;
                let done = inner.typesense.of(&beside).delete(products).await;
                held.beside(&beside, done.map(|()| None)).await
            }
        }
    }
}

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
pub(crate) async fn process(inner: Arc<Inner>, target: Target, wishes: Vec<Wish>) -> Result<Done, Fault> {
    let reserved = inner.reservations.reserve(shard::all_of(wishes.iter().map(|wish| wish.product))).await;
    // the semaphore is never closed
    let Ok(_permit) = inner.permits.acquire().await else { return Ok(Done::default()) };
    let mut attempts = 0;
    loop {
        attempts += 1;
        // The server may take the locks of a holder that hangs, but not of one that waits for an answer.
        let idle = inner.settings.timeout + Duration::from_secs(30);
        let mut held = shard::take(&inner.backbone, &inner.settings.collection, reserved.shards(), idle).await?;
        let mut left: Vec<Wish> = wishes.iter().filter(|wish| !wish.is_granted(&inner.memory)).copied().collect();
        let current = count(wishes.len() - left.len());
        let done = grant(&inner, &target, &mut held, &mut left).await;
        match (done, held.release().await) {
            (Ok(done), Ok(())) => {
                if matches!(target, Target::Searched) {
                    inner.memory.wrote(&done.written);
                }
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
async fn grant(inner: &Inner, target: &Target, held: &mut Held, left: &mut Vec<Wish>) -> Result<Done, Fault> {
    let mut done = Done::default();
    let mut horizon = Horizon::default();
    let mut is_last = false;
    while !left.is_empty() {
        let Read { parcel, gone, late, unread } = read(inner, left, is_last).await?;
        parcel.send(inner, target, held, &mut done).await?;
        remove(inner, target, held, gone, &mut done).await?;
        if unread.is_empty() && !late.is_empty() {
            is_last = horizon.is_passed(&inner.source).await?;
        }
        left.retain(|wish| late.contains(&wish.product) || unread.contains(&wish.product));
    }
    Ok(done)
}

/// What one look at the source says.
#[derive(Default)]
struct Read {
    parcel: Parcel,
    /// Products without a document, with what was read of them where they have a row.
    gone: Vec<(i64, Option<Written>)>,
    /// Products of which a change is not seen yet.
    late: HashSet<i64>,
    /// Products that no longer fitted into the parcel.
    unread: HashSet<i64>,
}

/// Looks at the source.
async fn read(inner: &Inner, wishes: &[Wish], is_last: bool) -> Result<Read, Fault> {
    let mut snapshot = inner.snapshots.take(&inner.source, &inner.memory).await?;
    let read = read_from(&mut snapshot, wishes, is_last, inner.settings.import_bytes).await?;
    snapshot.end().await?;
    Ok(read)
}

/// Reads until the parcel is full. On the last look nothing is late: what is not seen by then was undone.
async fn read_from(snapshot: &mut Snapshot, wishes: &[Wish], is_last: bool, bytes: usize) -> Result<Read, Fault> {
    let tick = snapshot.tick;
    let products = wish::products(wishes);
    let mut missing: HashMap<i64, &[Wish]> =
        wishes.chunk_by(|a, b| a.product == b.product).map(|wishes| (wishes[0].product, wishes)).collect();
    let is_late = |wishes: &[Wish], aggregate: Option<&Aggregate>| {
        !is_last && wishes.iter().any(|wish| !wish.is_seen_in(aggregate))
    };
    let mut read = Read::default();
    let mut rows = source::read(snapshot.connection(), &products);
    while let Some(aggregate) = rows.try_next().await? {
        let Some(wishes) = missing.remove(&aggregate.id) else { continue };
        if is_late(wishes, Some(&aggregate)) {
            read.late.insert(aggregate.id);
        } else if aggregate.is_shown() {
            read.parcel.push(&aggregate, tick)?;
        } else {
            read.gone.push((aggregate.id, Some(aggregate.written(tick))));
        }
        if read.parcel.body.len() >= bytes {
            read.unread.extend(missing.into_keys());
            return Ok(read);
        }
    }
    for (product, wishes) in missing {
        if is_late(wishes, None) {
            read.late.insert(product);
        } else {
            read.gone.push((product, None));
        }
    }
    Ok(read)
}

async fn remove(
    inner: &Inner,
    target: &Target,
    held: &mut Held,
    gone: Vec<(i64, Option<Written>)>,
    done: &mut Done,
) -> Result<(), Fault> {
    if gone.is_empty() {
        return Ok(());
    }
    let products: Vec<i64> = gone.iter().map(|(product, _)| *product).collect();
    target.delete(inner, held, &products).await?;
    done.removed += count(gone.len());
    done.written.extend(gone.into_iter().filter_map(|(_, written)| written));
    Ok(())
}

/// Documents that go in one request.
#[derive(Default)]
struct Parcel {
    body: Vec<u8>,
    products: Vec<i64>,
    written: Vec<Written>,
}

impl Parcel {
    fn push(&mut self, aggregate: &Aggregate, tick: Tick) -> Result<(), Fault> {
        document::write(aggregate, &mut self.body)?;
        self.products.push(aggregate.id);
        self.written.push(aggregate.written(tick));
        Ok(())
    }

    async fn send(self, inner: &Inner, target: &Target, held: &mut Held, done: &mut Done) -> Result<(), Fault> {
        let Self { body, products, mut written } = self;
        if products.is_empty() {
            return Ok(());
        }
        let refused = target.import(inner, held, &products, body).await?;
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
