//! `sluice schemas push`: the registry learns the rule and every released version, before any connector starts.

use std::fmt;

use crate::ccompat::{Ccompat, CcompatError, LEVEL};
use crate::files::Topic;

/// What a push did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// The rule that was there before, when it was another.
    pub level_before: Option<String>,
    /// Each version that the registry did not have: subject, release, id.
    pub registered: Vec<(String, u32, u32)>,
    /// How many versions it had.
    pub known: usize,
}

/// Sets the rule and registers what is missing, oldest release first, so that the registry judges as the files do.
pub async fn push(registry: &Ccompat, topics: &[Topic]) -> Result<Pushed, CcompatError> {
    let mut pushed = Pushed::default();
    let level = registry.level().await?;
    if level != LEVEL {
        registry.set_level(LEVEL).await?;
        pushed.level_before = Some(level);
    }
    for subject in topics.iter().flat_map(Topic::subjects) {
        let name = subject.name();
        let known = registry.versions(&name).await?;
        for release in &subject.releases {
            if known.iter().any(|version| version.schema == release.text) {
                pushed.known += 1;
                continue;
            }
            let id = registry.register(&name, &release.text).await?;
            pushed.registered.push((name.clone(), release.number, id));
        }
    }
    Ok(pushed)
}

impl fmt::Display for Pushed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = &self.level_before {
            writeln!(formatter, "compatibility {before} -> {LEVEL}, for all subjects")?;
        }
        for (subject, release, id) in &self.registered {
            writeln!(formatter, "registered {subject} version {release} as id {id}")?;
        }
        let (new, known) = (self.registered.len(), self.known);
        write!(formatter, "{new} versions registered, {known} were there already")
    }
}
