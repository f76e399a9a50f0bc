//! `sluice schemas diff`: what is different, column by column.

use std::fmt;

use crate::ccompat::{Ccompat, CcompatError};
use crate::columns::{columns, differences};
use crate::files::Topic;

/// The differences of one subject.
#[derive(Debug, PartialEq, Eq)]
pub struct Diff {
    /// `<topic>-<part>`.
    pub subject: String,
    /// What is compared with what.
    pub title: String,
    /// One line each: `+` came, `-` went, `~` changed.
    pub lines: Vec<String>,
}

/// Compares the files with the newest versions of the registry. Subjects without a difference are left out.
pub async fn with_registry(registry: &Ccompat, topics: &[Topic]) -> Result<Vec<Diff>, CcompatError> {
    let mut found = Vec::new();
    for subject in topics.iter().flat_map(Topic::subjects) {
        let name = subject.name();
        let (title, lines) = match registry.versions(&name).await?.last() {
            None => ("only in the files".to_owned(), vec!["not registered".to_owned()]),
            Some(newest) => {
                (format!("file -> registry's version {}", newest.version), texts(&subject.current, &newest.schema))
            }
        };
        if !lines.is_empty() {
            found.push(Diff { subject: name, title, lines });
        }
    }
    Ok(found)
}

/// The history of the files: what each release changed.
#[must_use]
pub fn history(topics: &[Topic]) -> Vec<Diff> {
    let mut found = Vec::new();
    for subject in topics.iter().flat_map(Topic::subjects) {
        for pair in subject.releases.windows(2) {
            let [from, to] = pair else { continue };
            let title = format!("version {} -> {}", from.number, to.number);
            found.push(Diff { subject: subject.name(), title, lines: texts(&from.text, &to.text) });
        }
    }
    found
}

/// What differs between two texts of one schema; nothing when they are equal.
#[must_use]
pub fn texts(from: &str, to: &str) -> Vec<String> {
    if from == to {
        return Vec::new();
    }
    let lines: Vec<String> = match (columns(from), columns(to)) {
        (Some(from), Some(to)) => differences(&from, &to).iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    if lines.is_empty() { vec![first_difference(from, to)] } else { lines }
}

/// Where two texts part, when it is not a column: their order, the envelope, a name.
fn first_difference(from: &str, to: &str) -> String {
    let common = from.chars().zip(to.chars()).take_while(|(a, b)| a == b).count();
    let excerpt = |text: &str| text.chars().skip(common.saturating_sub(20)).take(60).collect::<String>();
    format!(
        "the columns are the same and the texts part at character {common}: `{}` and `{}`",
        excerpt(from),
        excerpt(to)
    )
}

impl fmt::Display for Diff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.subject, self.title)?;
        for line in &self.lines {
            write!(formatter, "\n    {line}")?;
        }
        Ok(())
    }
}
