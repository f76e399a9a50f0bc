//! `sluice connectors status`: does it run, how far is it behind, when did it last see anything.

use std::fmt;

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::connect::{Connect, ConnectError, State};
use crate::slot::{self, Slot};
use crate::template::Configuration;

/// A connector as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The connector.
    pub name: String,
    /// What it does; none when Connect does not have it.
    pub connector: Option<State>,
    /// What its task does.
    pub task: Option<State>,
    /// Why it failed, in one line.
    pub failure: Option<String>,
    /// Its slot; none when there is none, or the database did not answer.
    pub slot: Option<Slot>,
    /// Why the slot could not be read.
    pub slot_error: Option<String>,
    /// How long ago the last event that it has noted was committed, in seconds. Heartbeats count.
    pub last_event_age: Option<i64>,
}

impl Standing {
    /// True when changes flow.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let slot = self.slot.as_ref().is_some_and(|slot| slot.active && slot.wal_status.as_deref() != Some("lost"));
        self.connector == Some(State::Running) && self.task == Some(State::Running) && slot
    }
}

/// Looks at one connector. A source database that does not answer is part of the answer, not an error.
pub async fn standing(
    connect: &Connect,
    configuration: &Configuration,
    database: &PgPool,
    now: OffsetDateTime,
) -> Result<Standing, ConnectError> {
    let name = configuration.name.clone();
    let status = connect.status(&name).await?;
    let last_event = connect.last_event(&name).await?;
    let (slot, slot_error) = match slot::read(database, configuration.get("slot.name").unwrap_or_default()).await {
        Ok(slot) => (slot, None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Standing {
        connector: status.as_ref().map(|status| status.connector.state),
        task: status.as_ref().and_then(|status| status.tasks.first()).map(|task| task.state),
        failure: status.as_ref().and_then(crate::connect::Status::failure),
        last_event_age: last_event.map(|micros| now.unix_timestamp() - micros / 1_000_000),
        name,
        slot,
        slot_error,
    })
}

/// The heading of the lines that [`Standing`] prints.
#[must_use]
pub fn heading() -> String {
    format!(
        "{:<12} {:<11} {:<11} {:>12} {:>12} {:>12}",
        "connector", "state", "task", "slot behind", "slot keeps", "last event"
    )
}

/// Bytes for people.
#[must_use]
pub fn bytes(count: i64) -> String {
    const UNITS: [(&str, i64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{}.{} {unit}", count / size, count % size * 10 / size),
        None => format!("{count} B"),
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = |state: Option<State>| state.map_or("absent".to_owned(), |state| state.to_string());
        let slot = |of: fn(&Slot) -> i64| self.slot.as_ref().map_or("no slot".to_owned(), |slot| bytes(of(slot)));
        let age = self.last_event_age.map_or("never".to_owned(), |seconds| format!("{seconds} s ago"));
        let (behind, kept) = (slot(|slot| slot.behind), slot(|slot| slot.retained));
        let (connector, task) = (state(self.connector), state(self.task));
        write!(formatter, "{:<12} {connector:<11} {task:<11} {behind:>12} {kept:>12} {age:>12}", self.name)?;
        if let Some(failure) = &self.failure {
            write!(formatter, "\n    {failure}")?;
        }
        if let Some(error) = &self.slot_error {
            write!(formatter, "\n    the source did not answer: {error}")?;
        }
        match self.slot.as_ref().and_then(|slot| slot.wal_status.as_deref()) {
            Some("lost") => {
                write!(formatter, "\n    the slot is lost: changes are gone from it; see connectors/README.md")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_printed_for_people() {
        assert_eq!(
            [bytes(12), bytes(2048), bytes(1_572_864), bytes(3 << 30)],
            ["12 B", "2.0 KiB", "1.5 MiB", "3.0 GiB"]
        );
    }

    #[test]
    fn a_running_connector_without_a_slot_is_not_healthy() {
        let standing = Standing {
            name: "shop".to_owned(),
            connector: Some(State::Running),
            task: Some(State::Running),
            failure: None,
            slot: None,
            slot_error: None,
            last_event_age: Some(1),
        };
        assert!(!standing.is_healthy());
        assert!(standing.to_string().contains("no slot"));
    }
}
