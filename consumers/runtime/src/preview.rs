//! What applying would change: a consumer's own statements in a transaction that is rolled back.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sqlx::postgres::PgTransaction;
use sqlx::{PgConnection, PgPool};

use crate::change::EntityKey;
use crate::consumer::{Batch, Outcome};
use crate::held::{self, Held, Rows};
use crate::verdict::Fault;

/// What a batch would do.
#[derive(Debug, Default)]
pub struct Preview {
    /// What would be counted.
    pub outcome: Outcome,
    /// What would change, ordered by name.
    pub differences: Vec<Difference>,
}

/// A row or document that would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// As it is; none when it would be made.
    pub before: Option<Held>,
    /// As it would be; none when it would be removed.
    pub after: Option<Held>,
}

impl Difference {
    /// Both, unless they say the same. A position that would move alone is no difference.
    #[must_use]
    pub fn of(before: Option<Held>, after: Option<Held>) -> Option<Self> {
        let content = |held: &Option<Held>| held.as_ref().map(|held| held.content.clone());
        (content(&before) != content(&after)).then_some(Self { before, after })
    }

    /// The row's or document's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.after.as_ref().or(self.before.as_ref()).map_or("", |held| &held.name)
    }

    /// Field by field: its name, what it says, what it would say. `Null` where there is nothing.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, Value, Value)> {
        let of = |held: &Option<Held>| -> BTreeMap<String, Value> {
            match held.as_ref().map(|held| &held.content) {
                Some(Value::Object(content)) => content.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
                Some(other) => BTreeMap::from([(String::new(), other.clone())]),
                None => BTreeMap::new(),
            }
        };
        let (before, mut after) = (of(&self.before), of(&self.after));
        let mut fields: Vec<_> = before
            .into_iter()
            .map(|(name, was)| {
                let becomes = after.remove(&name).unwrap_or_default();
                (name, was, becomes)
            })
            .collect();
        fields.extend(after.into_iter().map(|(name, becomes)| (name, Value::Null, becomes)));
        fields.retain(|(_, was, becomes)| was != becomes);
        fields
    }
}

/// Everything of both that differs, by name.
#[must_use]
pub fn differences(mut before: BTreeMap<String, Held>, after: BTreeMap<String, Held>) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (name, after) in after {
        differences.extend(Difference::of(before.remove(&name), Some(after)));
    }
    differences.extend(before.into_values().filter_map(|gone| Difference::of(Some(gone), None)));
    differences.sort_by(|a, b| a.name().cmp(b.name()));
    differences
}

/// A trial in a Postgres target: what is written through its connection is compared with what was there, and undone.
///
/// It waits for no lock longer than two seconds and holds its own no longer than the batch takes, so that a live consumer
/// is not held up; nothing that a rollback leaves behind (a sequence, a call to somebody else) may be in `apply`.
pub struct Trial {
    transaction: PgTransaction<'static>,
    rows: Vec<Rows>,
    before: BTreeMap<String, Held>,
}

impl Trial {
    /// Begins one; `rows` says which rows an entity's changes write.
    pub async fn begin<P>(pool: &PgPool, batch: &Batch<P>, rows: fn(&EntityKey) -> Vec<Rows>) -> Result<Self, Fault> {
        let rows: Vec<Rows> = batch.plans.iter().flat_map(|planned| rows(&planned.entity)).collect();
        let mut transaction = pool.begin().await?;
        sqlx::query("select set_config('lock_timeout', '2s', true), set_config('statement_timeout', '30s', true)")
            .execute(&mut *transaction)
            .await?;
        let before = held::read(&mut transaction, &rows).await?;
        Ok(Self { transaction, rows, before })
    }

    /// What the consumer writes through.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Undoes it and says what it did.
    pub async fn end(mut self, outcome: Outcome) -> Result<Preview, Fault> {
        let after = held::read(&mut self.transaction, &self.rows).await?;
        self.transaction.rollback().await?;
        Ok(Preview { outcome, differences: differences(self.before, after) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn held(name: &str, content: Value) -> Held {
        Held { name: name.to_owned(), position: None, content }
    }

    #[test]
    fn what_is_made_changed_and_removed_is_told_and_what_stays_is_not() {
        let all = |rows: &[Held]| rows.iter().map(|held| (held.name.clone(), held.clone())).collect();
        let before = [held("a", json!({"x": 1})), held("b", json!({"x": 1, "y": 2})), held("c", json!({}))];
        let after = [held("a", json!({"x": 1})), held("b", json!({"x": 3, "z": 4})), held("d", json!({}))];
        let found = differences(all(&before), all(&after));
        assert_eq!(found.iter().map(Difference::name).collect::<Vec<_>>(), ["b", "c", "d"]);
        let fields = found[0].fields();
        assert_eq!(
            fields,
            [
                ("x".to_owned(), json!(1), json!(3)),
                ("y".to_owned(), json!(2), Value::Null),
                ("z".to_owned(), Value::Null, json!(4))
            ]
        );
        assert!(found[1].after.is_none() && found[2].before.is_none());
    }
}
