//! Whether a target shows what its source holds.
//!
//! Both sides are asked the same question ([`Projection`]) in ranges of keys: first for a digest of each range, then, where
//! digests differ, for the rows. What differs is looked at again once what was on its way has arrived, so that a live system
//! is not accused of its own lag.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use runtime::Projection;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgPool};

/// How many source rows a range has.
const RANGE: i64 = 20_000;
/// How many ranges are asked at once, of each side.
const AT_ONCE: usize = 2;
/// How often what differs is looked at again, and how long it is waited before.
const LOOKS: usize = 5;
const BETWEEN: Duration = Duration::from_secs(2);

/// How a target's row is wrong.
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

/// A row that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// The projection's name.
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
    /// How many rows the source has.
    pub rows: i64,
    /// What is wrong after the last look, ordered by target and key.
    pub wrong: Vec<Wrong>,
}

/// A row as one side answers it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct Answer {
    key: i64,
    content: String,
    as_of: Option<i64>,
}

/// Compares a target with its source.
///
/// # Errors
/// When a database does not answer.
pub async fn reconcile(source: &PgPool, target: &PgPool, projections: &[Projection]) -> sqlx::Result<Found> {
    let mut found = Found::default();
    for projection in projections {
        let (rows, mut wrong) = whole(source, target, projection).await?;
        found.rows += rows;
        for _ in 0..LOOKS {
            if wrong.is_empty() {
                break;
            }
            tokio::time::sleep(BETWEEN).await;
            let keys: Vec<i64> = wrong.keys().copied().collect();
            let again = of_keys(source, target, projection, &keys).await?;
            let is_settled = again == wrong;
            wrong = again;
            if is_settled {
                break;
            }
        }
        found.wrong.extend(wrong.into_iter().map(|(key, (kind, source, shown))| Wrong {
            target: projection.name,
            entity: format!("{}/{key}", projection.topic),
            kind,
            source,
            shown,
        }));
    }
    Ok(found)
}

/// Which of these entities are wrong now.
///
/// # Errors
/// When a database does not answer.
pub async fn look_again(
    source: &PgPool,
    target: &PgPool,
    projections: &[Projection],
    entities: &BTreeSet<String>,
) -> sqlx::Result<Vec<Wrong>> {
    let mut all = Vec::new();
    for projection in projections {
        let of_topic = |entity: &String| {
            let (topic, key) = entity.rsplit_once('/')?;
            (topic == projection.topic).then(|| key.parse::<i64>().ok())?
        };
        let keys: Vec<i64> = entities.iter().filter_map(of_topic).collect();
        let wrong = of_keys(source, target, projection, &keys).await?;
        all.extend(wrong.into_iter().map(|(key, (kind, source, shown))| Wrong {
            target: projection.name,
            entity: format!("{}/{key}", projection.topic),
            kind,
            source,
            shown,
        }));
    }
    Ok(all)
}

/// By key: how it is wrong, what the source says, what the target shows.
type Differing = BTreeMap<i64, (Kind, Option<String>, Option<String>)>;

async fn whole(source: &PgPool, target: &PgPool, projection: &Projection) -> sqlx::Result<(i64, Differing)> {
    let bounds = bounds(source, projection).await?;
    let ends = bounds.iter().copied().chain([i64::MAX]);
    let ranges: Vec<(i64, i64)> = [i64::MIN].into_iter().chain(bounds.iter().copied()).zip(ends).collect();
    let mut rows = 0;
    let mut differing = Vec::new();
    for some in ranges.chunks(AT_ONCE) {
        let looked = some.iter().map(|range| async {
            tokio::try_join!(digest(source, projection.source, *range), digest(target, projection.target, *range))
        });
        for (range, (theirs, ours)) in some.iter().zip(futures::future::try_join_all(looked).await?) {
            rows += theirs.0;
            if theirs != ours {
                differing.push(*range);
            }
        }
    }
    let mut wrong = Differing::new();
    for range in differing {
        let (theirs, ours) = tokio::try_join!(
            answers_in(source, projection.source, range),
            answers_in(target, projection.target, range)
        )?;
        wrong.extend(compare(theirs, ours));
    }
    Ok((rows, wrong))
}

async fn of_keys(source: &PgPool, target: &PgPool, projection: &Projection, keys: &[i64]) -> sqlx::Result<Differing> {
    let (theirs, ours) =
        tokio::try_join!(answers_of(source, projection.source, keys), answers_of(target, projection.target, keys))?;
    Ok(compare(theirs, ours))
}

fn compare(source: Vec<Answer>, target: Vec<Answer>) -> Differing {
    let mut shown: BTreeMap<i64, Answer> = target.into_iter().map(|answer| (answer.key, answer)).collect();
    let mut wrong = Differing::new();
    for answer in source {
        let Answer { key, content, as_of } = answer;
        match shown.remove(&key) {
            None => drop(wrong.insert(key, (Kind::Missing, Some(content), None))),
            Some(shown) if shown.content == content => {}
            Some(shown) => {
                let is_behind = as_of.zip(shown.as_of).is_some_and(|(is, was)| was < is);
                let kind = if is_behind { Kind::Stale } else { Kind::Different };
                wrong.insert(key, (kind, Some(content), Some(shown.content)));
            }
        }
    }
    wrong.extend(shown.into_values().map(|extra| (extra.key, (Kind::Extra, None, Some(extra.content)))));
    wrong
}

/// The last key of each range but the last.
async fn bounds(source: &PgPool, projection: &Projection) -> sqlx::Result<Vec<i64>> {
    let statement = format!(
        "select key from (select key, row_number() over (order by key) as place from ({}) rows) numbered
          where place % $1 = 0 order by key",
        projection.source
    );
    // a projection is a constant of a consumer
    sqlx::query_scalar(AssertSqlSafe(statement)).bind(RANGE).fetch_all(source).await
}

/// How many rows a range has, and a sum of their hashes: the same on both sides when the rows are.
async fn digest(database: &PgPool, query: &str, (after, up_to): (i64, i64)) -> sqlx::Result<(i64, String)> {
    let statement = format!(
        "select count(*), coalesce(sum(hashtextextended(key || ' ' || coalesce(content, ''), 0)::numeric), 0)::text
           from ({query}) rows where key > $1 and key <= $2"
    );
    sqlx::query_as(AssertSqlSafe(statement)).bind(after).bind(up_to).fetch_one(database).await
}

async fn answers_in(database: &PgPool, query: &str, (after, up_to): (i64, i64)) -> sqlx::Result<Vec<Answer>> {
    let statement =
        format!("select key, coalesce(content, '') as content, as_of from ({query}) rows where key > $1 and key <= $2");
    sqlx::query_as(AssertSqlSafe(statement)).bind(after).bind(up_to).fetch_all(database).await
}

async fn answers_of(database: &PgPool, query: &str, keys: &[i64]) -> sqlx::Result<Vec<Answer>> {
    let statement =
        format!("select key, coalesce(content, '') as content, as_of from ({query}) rows where key = any($1)");
    sqlx::query_as(AssertSqlSafe(statement)).bind(keys).fetch_all(database).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(key: i64, content: &str, as_of: i64) -> Answer {
        Answer { key, content: content.to_owned(), as_of: Some(as_of) }
    }

    #[test]
    fn rows_are_missing_stale_different_or_extra() {
        let source = vec![answer(1, "a", 9), answer(2, "b", 9), answer(3, "c", 9), answer(4, "d", 9)];
        let target = vec![answer(1, "a", 9), answer(2, "old", 8), answer(3, "damaged", 9), answer(5, "e", 9)];
        let kinds: Vec<_> = compare(source, target).into_iter().map(|(key, (kind, ..))| (key, kind)).collect();
        assert_eq!(kinds, [(2, Kind::Stale), (3, Kind::Different), (4, Kind::Missing), (5, Kind::Extra)]);
    }
}
