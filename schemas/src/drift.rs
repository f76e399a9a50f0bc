//! `sluice schemas drift`: what the registry holds beyond the reviewed files.

use std::collections::BTreeMap;
use std::fmt;

use crate::ccompat::{Ccompat, CcompatError};
use crate::files::{Subject, Topic};

/// A version, or a whole subject, that no file knows.
#[derive(Debug, PartialEq, Eq)]
pub struct Drift {
    /// `<topic>-<part>`.
    pub subject: String,
    /// The registry's version; none when no version of the subject is known.
    pub version: Option<u32>,
    /// What differs from the file's schema.
    pub differences: Vec<String>,
}

/// What Debezium makes for itself: heartbeats and the echo of its signals. Nobody consumes them, so they have no
/// folder, and they are no drift.
#[must_use]
pub fn is_debeziums_own(subject: &str) -> bool {
    subject.starts_with("__debezium-heartbeat.") || subject.contains(".public.debezium_signal-")
}

/// Looks for versions and subjects that no file knows. `belongs` says which topics are looked at (by prefix).
pub async fn drift(
    registry: &Ccompat,
    topics: &[Topic],
    belongs: impl Fn(&str) -> bool,
) -> Result<Vec<Drift>, CcompatError> {
    let known: BTreeMap<String, &Subject> =
        topics.iter().flat_map(Topic::subjects).map(|subject| (subject.name(), subject)).collect();
    let mut found = Vec::new();
    for name in registry.subjects().await? {
        match known.get(&name) {
            Some(subject) => found.extend(unknown_versions(registry, subject).await?),
            None if is_debeziums_own(&name) || !belongs(&name) => {}
            None => found.push(Drift { subject: name, version: None, differences: Vec::new() }),
        }
    }
    Ok(found)
}

async fn unknown_versions(registry: &Ccompat, subject: &Subject) -> Result<Vec<Drift>, CcompatError> {
    let mut found = Vec::new();
    for version in registry.versions(&subject.name()).await? {
        if subject.releases.iter().all(|release| release.text != version.schema) {
            let differences = crate::diff::texts(&subject.current, &version.schema);
            found.push(Drift { subject: subject.name(), version: Some(version.version), differences });
        }
    }
    Ok(found)
}

impl fmt::Display for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            None => write!(formatter, "{} has no folder under schemas/", self.subject),
            Some(version) => {
                write!(formatter, "{} version {version} is not among the reviewed releases", self.subject)
            }
        }?;
        for difference in &self.differences {
            write!(formatter, "\n    {difference}")?;
        }
        Ok(())
    }
}
