//! Whether a target shows what its source holds: what a consumer is asked for `sluice reconcile`.

use std::collections::BTreeMap;
use std::fmt;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use serde::{Deserialize, Serialize};

use crate::verdict::Fault;

/// How a target's row or document is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The source has it and the target has not.
    Missing,
    /// The target shows an earlier state of it.
    Stale,
    /// The target has it and the source has not.
    Extra,
    /// The target shows something that the source does not say.
    Different,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Missing, Self::Stale, Self::Extra, Self::Different];

    /// As it is shown and counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Extra => "extra",
            Self::Different => "different",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the source says of a row and what the target shows, where these are not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contrast {
    /// How it is wrong.
    pub kind: Kind,
    /// What the source says; none when it has no such row.
    pub source: Option<String>,
    /// What the target shows; none when it has no such row.
    pub shown: Option<String>,
}

/// What is wrong, by the key of the source's row.
pub type Differing = BTreeMap<i64, Contrast>;

/// Keys above the first number, up to the second one.
pub type Range = (i64, i64);

/// How many ranges are looked at together.
const AT_ONCE: usize = 2;

/// Cuts everything there is at these bounds, which ascend.
#[must_use]
pub fn ranges(bounds: &[i64]) -> Vec<Range> {
    let from = [i64::MIN].into_iter().chain(bounds.iter().copied());
    from.zip(bounds.iter().copied().chain([i64::MAX])).collect()
}

/// Looks at each range, some of them at once.
pub fn in_ranges<'l, L>(
    ranges: Vec<Range>,
    look: impl FnMut(Range) -> L + Send + 'l,
) -> impl Stream<Item = Result<Looked, Fault>> + Send + 'l
where
    L: Future<Output = Result<Looked, Fault>> + Send + 'l,
{
    stream::iter(ranges).map(look).buffer_unordered(AT_ONCE)
}

/// What a part of a comparison holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// How many rows the source has of this part.
    pub rows: i64,
    /// What is wrong in it.
    pub wrong: Differing,
}

/// A target, or a part of one, beside the source that it must show. Reads both; [`Comparison::mend`] alone writes.
pub trait Comparison: Send + Sync {
    /// What is compared: the target's table or collection.
    fn name(&self) -> &'static str;

    /// The topic of the source's table, whose keys are compared.
    fn topic(&self) -> &'static str;

    /// Looks at everything that both sides have, part by part, each small enough to be held in memory. This is a first look:
    /// what is on its way between the two counts as wrong.
    fn looks(&self) -> BoxStream<'_, Result<Looked, Fault>>;

    /// Which of these keys are wrong now.
    fn keys<'c>(&'c self, keys: &'c [i64]) -> BoxFuture<'c, Result<Differing, Fault>>;

    /// Makes what the target shows of these keys again from the source's present state, where it is a function of that
    /// state and of nothing else. `None` where it is made of changes: then these are applied again.
    fn mend<'c>(&'c self, keys: &'c [i64]) -> BoxFuture<'c, Result<Option<u64>, Fault>> {
        let _ = keys;
        Box::pin(std::future::ready(Ok(None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_nothing_out() {
        assert_eq!(ranges(&[]), [(i64::MIN, i64::MAX)]);
        assert_eq!(ranges(&[3, 9]), [(i64::MIN, 3), (3, 9), (9, i64::MAX)]);
    }
}
