//! What a target holds, as people see it: for tracing an entity, and for saying what a change would do to it.

use std::collections::BTreeMap;

use schemas::position::Position;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

/// The rows of a Postgres table that changes of one entity write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// The table.
    pub table: &'static str,
    /// The bigint column that finds them.
    pub column: &'static str,
    /// The columns that tell one from the other: the table's primary key.
    pub key: &'static [&'static str],
    /// The column's value.
    pub id: i64,
}

/// A row or document of a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// Which: `tax_info merchant_id=42`, `document 42`.
    pub name: String,
    /// The position of the change that wrote it, as `epoch:commit/row`; none where the target keeps none.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub position: Option<Position>,
    /// What it says.
    pub content: Value,
}

#[expect(clippy::ref_option, reason = "serde passes it so")]
fn as_text<S: serde::Serializer>(position: &Option<Position>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&position.unwrap_or_default())
}

/// The guard's columns: shown as a position, never as content.
const GUARD: [&str; 4] = ["cdc_epoch", "cdc_commit_lsn", "cdc_lsn", "cdc_kept"];

impl Held {
    /// A guarded row, read as `to_jsonb`.
    fn of_row(rows: &Rows, mut content: Map<String, Value>) -> Self {
        let numbers: Vec<i64> = GUARD.iter().filter_map(|column| content.remove(*column)?.as_i64()).collect();
        let position = match numbers[..] {
            [epoch, commit, lsn] => i32::try_from(epoch).ok().map(|epoch| Position::from_columns(epoch, commit, lsn)),
            _ => None,
        };
        let key = rows.key.iter().map(|column| format!(" {column}={}", content.get(*column).unwrap_or(&Value::Null)));
        Self { name: rows.table.to_owned() + &key.collect::<String>(), position, content: Value::Object(content) }
    }
}

/// Reads rows, by their names.
pub async fn read(connection: &mut PgConnection, wanted: &[Rows]) -> sqlx::Result<BTreeMap<String, Held>> {
    let mut found = BTreeMap::new();
    let mut tables: Vec<&Rows> = wanted.iter().collect();
    tables.sort_unstable_by_key(|rows| (rows.table, rows.column));
    tables.dedup_by_key(|rows| (rows.table, rows.column));
    for like in tables {
        let ids = wanted.iter().filter(|rows| (rows.table, rows.column) == (like.table, like.column));
        let ids: Vec<i64> = ids.map(|rows| rows.id).collect();
        // both names are constants of a consumer
        let statement = format!("select to_jsonb(t) as content from {} t where {} = any($1)", like.table, like.column);
        for row in sqlx::query(AssertSqlSafe(statement)).bind(ids).fetch_all(&mut *connection).await? {
            let content: sqlx::types::Json<Map<String, Value>> = row.try_get("content")?;
            let held = Held::of_row(like, content.0);
            found.insert(held.name.clone(), held);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_named_by_its_key_and_its_guard_is_its_position() {
        let rows = Rows { table: "stock_level", column: "variant_id", key: &["location_id", "variant_id"], id: 5 };
        let content = json!({ "location_id": 4, "variant_id": 5, "quantity": 0, "cdc_epoch": 1, "cdc_commit_lsn": 10,
                              "cdc_lsn": 12 });
        let Value::Object(content) = content else { unreachable!() };
        let held = Held::of_row(&rows, content);
        assert_eq!(held.name, "stock_level location_id=4 variant_id=5");
        assert_eq!(held.position, Some(Position { epoch: 1, commit_lsn: 10, lsn: 12 }));
        assert_eq!(held.content, json!({ "location_id": 4, "variant_id": 5, "quantity": 0 }));
    }
}
