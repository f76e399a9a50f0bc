//! Whether a target shows what its source holds.
//!
//! Each of a consumer's comparisons ([`Comparison`]) looks part by part. What differs is looked at again once what was
//! on its way has arrived, so that a live system is not accused of its own lag.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::TryStreamExt as _;
use runtime::Fault;
use runtime::comparison::{Comparison, Contrast, Differing};
use serde::Serialize;

pub use runtime::comparison::Kind;

/// How often what differs is looked at again, and how long it is waited before.
const LOOKS: usize = 5;
const BETWEEN: Duration = Duration::from_secs(2);
/// Where a comparison stops: whoever finds so much wrong has another trouble than single rows, and memory has an end.
const MOST: usize = 50_000;

/// A row or document that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// What is compared: the target's table or collection.
    pub target: &'static str,
    /// The entity of the source's row, in its text form.
    pub entity: String,
    /// How.
    pub kind: Kind,
    /// What the source says of it.
    pub source: Option<String>,
    /// What the target shows.
    pub shown: Option<String>,
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How many rows of the source were compared.
    pub rows: i64,
    /// What is wrong after the last look, ordered by target and key.
    pub wrong: Vec<Wrong>,
    /// So much was wrong that the rest was not compared.
    pub cut: bool,
}

/// Compares a target with its source.
///
/// # Errors
/// When one of them does not answer.
pub async fn reconcile(comparisons: &[Box<dyn Comparison>]) -> Result<Found, Fault> {
    let mut found = Found::default();
    for comparison in comparisons {
        let comparison = comparison.as_ref();
        let mut wrong = whole(comparison, &mut found).await?;
        for _ in 0..LOOKS {
            if wrong.is_empty() {
                break;
            }
            tokio::time::sleep(BETWEEN).await;
            let keys: Vec<i64> = wrong.keys().copied().collect();
            let again = comparison.keys(&keys).await?;
            let is_settled = again == wrong;
            wrong = again;
            if is_settled {
                break;
            }
        }
        found.wrong.extend(named(comparison, wrong));
    }
    Ok(found)
}

/// Which of these entities are wrong now.
///
/// # Errors
/// When source or target does not answer.
pub async fn look_again(comparisons: &[Box<dyn Comparison>], entities: &BTreeSet<String>) -> Result<Vec<Wrong>, Fault> {
    let mut all = Vec::new();
    for comparison in comparisons {
        let comparison = comparison.as_ref();
        all.extend(named(comparison, comparison.keys(&keys(comparison, entities)).await?));
    }
    Ok(all)
}

/// The keys of those entities that are of the comparison's topic.
pub(crate) fn keys(comparison: &dyn Comparison, entities: &BTreeSet<String>) -> Vec<i64> {
    let of_topic = |entity: &String| {
        let (topic, key) = entity.split_once('/')?;
        (topic == comparison.topic()).then(|| key.parse::<i64>().ok())?
    };
    entities.iter().filter_map(of_topic).collect()
}

fn named(comparison: &dyn Comparison, wrong: Differing) -> impl Iterator<Item = Wrong> {
    let (target, topic) = (comparison.name(), comparison.topic());
    wrong.into_iter().map(move |(key, Contrast { kind, source, shown })| Wrong {
        target,
        entity: format!("{topic}/{key}"),
        kind,
        source,
        shown,
    })
}

async fn whole(comparison: &dyn Comparison, found: &mut Found) -> Result<Differing, Fault> {
    let mut wrong = Differing::new();
    let mut looks = comparison.looks();
    while let Some(looked) = looks.try_next().await? {
        found.rows += looked.rows;
        wrong.extend(looked.wrong);
        if wrong.len() >= MOST {
            found.cut = true;
            break;
        }
    }
    Ok(wrong)
}
