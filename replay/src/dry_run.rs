//! What a replay would change, without changing it.

use runtime::parking::Parked;
use runtime::{Batch, Change, Consumer, Difference, Outcome};

use crate::range::Range;
use crate::rerun::{Report, Rerun, RerunError};

/// How many bytes of changes are held at once: a difference needs the last change of an entity, wherever it lies.
const BYTES: usize = 128 << 20;
/// How many entities are tried in one transaction: its locks are held for so many.
const ENTITIES: usize = 200;

/// What would be.
#[derive(Debug, Default)]
pub struct DryRun {
    /// What would be read and counted.
    pub report: Report,
    /// What would change: rows and documents, ordered by entity and name.
    pub differences: Vec<Difference>,
}

/// Reads ranges and tries their changes, each entity's last one, in short transactions that are rolled back.
///
/// # Errors
/// When a range cannot be read, the target does not answer, or too much was chosen.
pub async fn dry_run<C: Consumer>(rerun: &Rerun<'_, C>, ranges: &[Range]) -> Result<DryRun, RerunError> {
    let (changes, report) = rerun.gather(ranges, BYTES).await?;
    try_out(rerun, &changes, report).await
}

/// The same for records that are parked, as a release would apply them.
///
/// # Errors
/// When the target does not answer.
pub async fn dry_release<C: Consumer>(rerun: &Rerun<'_, C>, parked: &[Parked]) -> Result<DryRun, RerunError> {
    let (changes, report) = rerun.gather_parked(parked).await;
    try_out(rerun, &changes, report).await
}

async fn try_out<C: Consumer>(
    rerun: &Rerun<'_, C>,
    changes: &[Box<Change<C::Row>>],
    mut report: Report,
) -> Result<DryRun, RerunError> {
    let (mut differences, mut outcomes) = (Vec::new(), Outcome::default());
    for some in changes.chunks(ENTITIES) {
        let plans = rerun.plans(some, &mut report);
        let batch = Batch { consumer: rerun.consumer.name(), plans, mark: None };
        let preview = rerun.consumer.preview(&batch).await?;
        outcomes.add(preview.outcome);
        differences.extend(preview.differences);
    }
    report.outcomes.extend(outcomes.iter().map(|(name, count)| (name.to_owned(), count.entities)));
    Ok(DryRun { report, differences })
}
