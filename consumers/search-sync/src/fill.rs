//! Documents made from what the source says now, without a change that asks for them.

use std::sync::Arc;
use std::time::Duration;

use runtime::Fault;
use runtime::verdict::Verdict;

use crate::Inner;
use crate::apply;
use crate::chunk::{Done, Target};
use crate::wish::{Why, Wish};

/// How long an engine or a database that is not ready is waited for, between attempts.
const AGAIN: Duration = Duration::from_millis(500);
/// How many attempts there are.
const ATTEMPTS: u32 = 120;

/// Makes the documents of these products what the source says now, under their locks: written, or removed. Answers how many
/// were; those that the engine refuses are in the log and stay as they are.
pub(crate) async fn again(inner: &Arc<Inner>, target: &Target, products: &[i64]) -> Result<u64, Fault> {
    let mut attempts = 0;
    loop {
        let wish = |product: &i64| Wish { product: *product, why: Why::Again, replay: false };
        let mut done = Done::default();
        match apply::grant(inner, target, products.iter().map(wish).collect(), &mut done).await {
            Ok(()) => {
                for refusal in &done.refused {
                    tracing::warn!(
                        product = refusal.product,
                        reason = refusal.reason,
                        "the search engine refused a product"
                    );
                }
                return Ok(done.imported + done.removed);
            }
            Err(fault) if fault.verdict() == Verdict::Retry && attempts < ATTEMPTS => {
                attempts += 1;
                tracing::warn!(%fault, attempts, "trying again: {fault}");
                tokio::time::sleep(AGAIN).await;
            }
            Err(fault) => return Err(fault),
        }
    }
}
