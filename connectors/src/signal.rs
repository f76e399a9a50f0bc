//! Commands to a running connector, as rows of `public.debezium_signal`.
//!
//! The row travels through the log as every change does, so a command has its place among the changes. The connector
//! echoes it into `<service>.public.debezium_signal`, which nobody needs to read.

use serde_json::{Value, json};

/// What a connector is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Its own id, by which it is found again in the log of the worker.
    pub id: String,
    /// Debezium's name for the command.
    pub kind: String,
    /// What goes with it.
    pub data: Value,
}

/// A table's name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no <schema>.<table> that the connector captures; it captures {1}")]
pub struct NoSuchTable(pub String, pub String);

impl Signal {
    /// Reads a table again while changes go on, all of it or the rows that a condition of SQL names.
    #[must_use]
    pub fn snapshot(id: &str, table: &str, condition: Option<&str>) -> Self {
        // Debezium takes a regular expression here: the dot must be one.
        let pattern = table.replace('.', "\\.");
        let mut data = json!({ "data-collections": [pattern], "type": "INCREMENTAL" });
        if let Some(condition) = condition {
            data["additional-conditions"] = json!([{ "data-collection": table, "filter": condition }]);
        }
        Self { id: id.to_owned(), kind: "execute-snapshot".to_owned(), data }
    }

    /// Any command, such as `pause-snapshot`, `resume-snapshot`, `stop-snapshot` or `log`.
    #[must_use]
    pub fn other(id: &str, kind: &str, data: Value) -> Self {
        Self { id: id.to_owned(), kind: kind.to_owned(), data }
    }
}

/// A table as an operator names it, `<table>` or `<schema>.<table>`, among those that are captured.
pub fn captured_table(tables: &[&str], name: &str) -> Result<String, NoSuchTable> {
    let is_named = |table: &&&str| **table == name || table.split_once('.').is_some_and(|(_, bare)| bare == name);
    match tables.iter().find(is_named) {
        Some(table) => Ok((*table).to_owned()),
        None => Err(NoSuchTable(name.to_owned(), tables.join(", "))),
    }
}

/// Gives the command. It is carried out when the connector comes to it in the log.
pub async fn send(database: impl sqlx::PgExecutor<'_>, signal: &Signal) -> Result<(), sqlx::Error> {
    sqlx::query("insert into public.debezium_signal (id, type, data) values ($1, $2, $3)")
        .bind(&signal.id)
        .bind(&signal.kind)
        .bind(signal.data.to_string())
        .execute(database)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_of_some_rows_carries_their_condition() {
        let signal = Signal::snapshot("one", "public.merchant", Some("id = 42"));
        assert_eq!(
            signal.data,
            json!({
                "data-collections": ["public\\.merchant"], "type": "INCREMENTAL",
                "additional-conditions": [{ "data-collection": "public.merchant", "filter": "id = 42" }]
            })
        );
    }

    #[test]
    fn a_table_is_found_by_its_short_and_its_full_name() {
        let tables = ["public.merchant", "public.product"];
        assert_eq!(captured_table(&tables, "product").unwrap(), "public.product");
        assert_eq!(captured_table(&tables, "public.product").unwrap(), "public.product");
        let error = captured_table(&tables, "products").unwrap_err().to_string();
        assert!(error.contains("it captures public.merchant, public.product"), "{error}");
    }
}
