//! `sluice schemas check`: nothing that is released breaks anybody, and Debezium registered what the files say.

use std::fmt;

use crate::ccompat::{Ccompat, CcompatError, LEVEL};
use crate::compatibility::{Break, breaks};
use crate::files::{Subject, Topic};

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    /// The file's schema breaks with a release.
    Breaks(Break),
    /// The file's schema was changed by hand and is not a release.
    Unreleased {
        /// `<topic>-<part>`.
        subject: String,
    },
    /// The registry's rule is not what the files rely on.
    Level {
        /// What it is.
        found: String,
    },
    /// The subject's newest version in the registry is not the file's text.
    Differs {
        /// `<topic>-<part>`.
        subject: String,
        /// The registry's version.
        version: u32,
        /// The columns that differ, or what else does.
        differences: Vec<String>,
    },
    /// The registry does not have the file's text.
    Missing {
        /// `<topic>-<part>`.
        subject: String,
    },
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many schemas were looked at.
    pub subjects: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// True when nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Judges the files by themselves: every schema against every release.
#[must_use]
pub fn offline(topics: &[Topic]) -> Checked {
    let mut checked = Checked::default();
    for subject in topics.iter().flat_map(Topic::subjects) {
        checked.subjects += 1;
        let broken = breaks(subject);
        let is_released = subject.newest().is_some_and(|release| release.text == subject.current);
        if broken.is_empty() && !is_released {
            checked.findings.push(Finding::Unreleased { subject: subject.name() });
        }
        checked.findings.extend(broken.into_iter().map(Finding::Breaks));
    }
    checked
}

/// Judges the files, and compares them with what the registry holds, byte for byte after compaction.
pub async fn online(registry: &Ccompat, topics: &[Topic]) -> Result<Checked, CcompatError> {
    let mut checked = offline(topics);
    let found = registry.level().await?;
    if found != LEVEL {
        checked.findings.push(Finding::Level { found });
    }
    for subject in topics.iter().flat_map(Topic::subjects) {
        checked.findings.extend(compare(registry, subject).await?);
    }
    Ok(checked)
}

async fn compare(registry: &Ccompat, subject: &Subject) -> Result<Option<Finding>, CcompatError> {
    let name = subject.name();
    let versions = registry.versions(&name).await?;
    let Some(newest) = versions.last() else {
        return Ok(Some(Finding::Missing { subject: name }));
    };
    if newest.schema == subject.current {
        return Ok(None);
    }
    let differences = crate::diff::texts(&subject.current, &newest.schema);
    Ok(Some(Finding::Differs { subject: name, version: newest.version, differences }))
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaks(broken) => broken.fmt(formatter),
            Self::Unreleased { subject } => write!(
                formatter,
                "{subject} was changed by hand: files are written by `sluice schemas accept`, from what Debezium registered"
            ),
            Self::Level { found } => write!(
                formatter,
                "the registry's compatibility is {found} and must be {LEVEL}: run `sluice schemas push`, or end the break that lowered it"
            ),
            Self::Differs { subject, version, differences } => {
                writeln!(formatter, "{subject}: the registry's version {version} is not the file's schema:")?;
                for difference in differences {
                    writeln!(formatter, "    {difference}")?;
                }
                write!(
                    formatter,
                    "  look at the migration that caused it; `sluice schemas accept` writes it into the files for review"
                )
            }
            Self::Missing { subject } => {
                write!(formatter, "{subject} is not in the registry: run `sluice schemas push`")
            }
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(formatter, "{finding}\n")?;
        }
        match self.findings.len() {
            0 => write!(formatter, "{} schemas are as reviewed", self.subjects),
            found => write!(formatter, "{found} of {} schemas need a look", self.subjects),
        }
    }
}
