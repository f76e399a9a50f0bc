//! The whole audit as text that another system keeps.

use serde_json::{Value, json};
use sqlx::PgExecutor;
use time::format_description::well_known::Rfc3339;

use super::{Entry, entry};

/// Every entry, oldest first, as one JSON object each.
pub async fn export(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<Value>> {
    let rows = sqlx::query("select * from audit order by id").fetch_all(executor).await?;
    rows.iter().map(|row| Ok(described(&entry(row)?))).collect()
}

/// An entry as JSON, its bytes as hexadecimal digits.
#[must_use]
pub fn described(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "at": entry.at.format(&Rfc3339).unwrap_or_default(),
        "operator": entry.operator,
        "action": entry.action,
        "phase": entry.phase,
        "subject": entry.subject,
        "detail": entry.detail,
        "reason": entry.reason,
        "ticket": entry.ticket,
        "previous_mac": hex::encode(&entry.previous_mac),
        "mac": hex::encode(&entry.mac),
    })
}
