//! `sluice schemas accept`: what Debezium registered becomes the files, for review.

use std::fmt;

use crate::ccompat::{Ccompat, CcompatError};
use crate::compatibility::{Break, candidate};
use crate::files::{FileError, Topic};

/// What was written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Each schema that was written: subject and release.
    pub written: Vec<(String, u32)>,
    /// Each that was not, because it breaks with a release.
    pub refused: Vec<Break>,
}

/// Why nothing more could be accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The registry could not be asked.
    #[error(transparent)]
    Registry(#[from] CcompatError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Writes the registry's newest versions into the files, each as the next release. With `amend`, the newest release was
/// never run by anybody else and is replaced instead of followed; it is judged against those before it.
pub async fn accept(registry: &Ccompat, topics: &mut [Topic], amend: bool) -> Result<Accepted, AcceptError> {
    let mut accepted = Accepted::default();
    for subject in topics.iter_mut().flat_map(|topic| [&mut topic.key, &mut topic.value]) {
        let versions = registry.versions(&subject.name()).await?;
        let Some(newest) = versions.last().filter(|newest| newest.schema != subject.current) else { continue };
        let mut judged = subject.clone();
        if amend {
            judged.releases.pop();
        }
        let breaks = candidate(&judged, &newest.schema);
        if breaks.is_empty() {
            let number = subject.write(&newest.schema, amend)?;
            accepted.written.push((subject.name(), number));
        }
        accepted.refused.extend(breaks);
    }
    Ok(accepted)
}

impl fmt::Display for Accepted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (subject, number) in &self.written {
            writeln!(formatter, "{subject}: written as version {number}; review it with `git diff`")?;
        }
        for broken in &self.refused {
            writeln!(formatter, "not accepted: {broken}")?;
        }
        match (self.written.len(), self.refused.len()) {
            (0, 0) => write!(formatter, "the files are what the registry holds"),
            (written, refused) => write!(formatter, "{written} written, {refused} refused"),
        }
    }
}
