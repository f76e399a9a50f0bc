//! What a target must show of its source, where both are Postgres databases.
//!
//! Both sides are asked the same question in ranges of keys: first for a digest of each range, then, where digests differ,
//! for the rows.

use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use futures::stream::{BoxStream, StreamExt as _};
use sqlx::{AssertSqlSafe, PgPool};

use crate::comparison::{Comparison, Contrast, Differing, Kind, Looked, Range, in_ranges, ranges};
use crate::verdict::Fault;

/// How many source rows a range has.
const RANGE: i64 = 20_000;

/// Two queries of one shape, of which one asks the source and the other the target. When nothing is on its way, both
/// answer the same rows.
///
/// Each answers `key bigint` (the source row's id), `content text` (whatever of the row is carried, in one canonical
/// text) and `as_of bigint` (a number that grows with every change of the row, such as the microseconds of its
/// `updated_at`; null where one side has none): from `as_of` a row that is behind is told from one that was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projection {
    /// What it is called: the target's table, as a rule.
    pub name: &'static str,
    /// The topic of the source's table: which changes repair a row.
    pub topic: &'static str,
    /// What is asked of the source's database.
    pub source: &'static str,
    /// What is asked of the target's.
    pub target: &'static str,
}

impl Projection {
    /// The comparison of these two databases.
    #[must_use]
    pub fn between(self, source: PgPool, target: PgPool) -> Box<dyn Comparison> {
        Box::new(Between { projection: self, source, target })
    }
}

struct Between {
    projection: Projection,
    source: PgPool,
    target: PgPool,
}

/// A row as one side answers it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct Answer {
    key: i64,
    content: String,
    as_of: Option<i64>,
}

impl Between {
    async fn look(&self, range: Range) -> Result<Looked, Fault> {
        let Self { projection, source, target } = self;
        let (theirs, ours) =
            tokio::try_join!(digest(source, projection.source, range), digest(target, projection.target, range))?;
        if theirs == ours {
            return Ok(Looked { rows: theirs.0, wrong: Differing::new() });
        }
        let answers = tokio::try_join!(
            answers_in(source, projection.source, range),
            answers_in(target, projection.target, range)
        )?;
        Ok(Looked { rows: theirs.0, wrong: compare(answers.0, answers.1) })
    }
}

impl Comparison for Between {
    fn name(&self) -> &'static str {
        self.projection.name
    }

    fn topic(&self) -> &'static str {
        self.projection.topic
    }

    fn looks(&self) -> BoxStream<'_, Result<Looked, Fault>> {
        let looks = async {
            let bounds = bounds(&self.source, self.projection.source).await?;
            Ok(in_ranges(ranges(&bounds), |range| self.look(range)))
        };
        looks.try_flatten_stream().boxed()
    }

    fn keys<'c>(&'c self, keys: &'c [i64]) -> BoxFuture<'c, Result<Differing, Fault>> {
        async move {
            let (theirs, ours) = tokio::try_join!(
                answers_of(&self.source, self.projection.source, keys),
                answers_of(&self.target, self.projection.target, keys)
            )?;
            Ok(compare(theirs, ours))
        }
        .boxed()
    }
}

fn compare(source: Vec<Answer>, target: Vec<Answer>) -> Differing {
    let mut shown: BTreeMap<i64, Answer> = target.into_iter().map(|answer| (answer.key, answer)).collect();
    let mut wrong = Differing::new();
    let mut note = |key, kind, source, shown| drop(wrong.insert(key, Contrast { kind, source, shown }));
    for answer in source {
        let Answer { key, content, as_of } = answer;
        match shown.remove(&key) {
            None => note(key, Kind::Missing, Some(content), None),
            Some(shown) if shown.content == content => {}
            Some(shown) => {
                let is_behind = as_of.zip(shown.as_of).is_some_and(|(is, was)| was < is);
                let kind = if is_behind { Kind::Stale } else { Kind::Different };
                note(key, kind, Some(content), Some(shown.content));
            }
        }
    }
    for extra in shown.into_values() {
        note(extra.key, Kind::Extra, None, Some(extra.content));
    }
    wrong
}

/// The last key of each range but the last.
async fn bounds(source: &PgPool, query: &str) -> sqlx::Result<Vec<i64>> {
    let statement = format!(
        "select key from (select key, row_number() over (order by key) as place from ({query}) rows) numbered
          where place % $1 = 0 order by key"
    );
    // a projection is a constant of a consumer
    sqlx::query_scalar(AssertSqlSafe(statement)).bind(RANGE).fetch_all(source).await
}

/// How many rows a range has, and a sum of their hashes: the same on both sides when the rows are.
async fn digest(database: &PgPool, query: &str, (after, up_to): Range) -> sqlx::Result<(i64, String)> {
    let statement = format!(
        "select count(*), coalesce(sum(hashtextextended(key || ' ' || coalesce(content, ''), 0)::numeric), 0)::text
           from ({query}) rows where key > $1 and key <= $2"
    );
    sqlx::query_as(AssertSqlSafe(statement)).bind(after).bind(up_to).fetch_one(database).await
}

async fn answers_in(database: &PgPool, query: &str, (after, up_to): Range) -> sqlx::Result<Vec<Answer>> {
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
        let kinds: Vec<_> = compare(source, target).into_iter().map(|(key, wrong)| (key, wrong.kind)).collect();
        assert_eq!(kinds, [(2, Kind::Stale), (3, Kind::Different), (4, Kind::Missing), (5, Kind::Extra)]);
    }
}
