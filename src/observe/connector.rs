//! A connector as Connect sees it, and its slot as the source's database does: two questions, because either may be down.

use connectors::connect::{State, Status};
use connectors::slot::{self, Slot};
use connectors::{Configuration, ConnectError};
use metrics::gauge;
use platform::metric::{
    CONNECTOR_EVENT_AGE, CONNECTOR_RUNNING, CONNECTOR_TASK_RUNNING, SLOT_ACTIVE, SLOT_BEHIND_BYTES, SLOT_LOST,
    SLOT_RETAINED_BYTES, SLOT_SAFE_WAL_BYTES,
};
use tokio::time::timeout;

use super::{Observer, PATIENCE, float};

impl Observer {
    /// Asks Connect. What it does not say is not taken for running.
    pub(super) async fn connector(&self, configuration: &Configuration) {
        let name = &configuration.name;
        let asked = async {
            let status = self.connect.status(name).await?;
            Ok::<_, ConnectError>((status, self.connect.last_event(name).await?))
        };
        // Connect answers 409 while its workers agree, and is asked again for longer than a look may take
        let asked = timeout(PATIENCE, asked).await.map_err(anyhow::Error::from).and_then(|asked| Ok(asked?));
        let now_ms = self.clock.now_ms();
        let (status, last_event) = self.notes.take("connector", name, now_ms, asked).unwrap_or_default();
        let age = last_event.map_or(f64::NAN, |micros| float(now_ms.saturating_sub(micros / 1000).max(0)) / 1000.0);
        let running = status.as_ref().is_some_and(|status| status.connector.state == State::Running);
        gauge!(CONNECTOR_RUNNING, "connector" => name.clone()).set(u32::from(running));
        gauge!(CONNECTOR_TASK_RUNNING, "connector" => name.clone()).set(u32::from(tasks_run(status.as_ref())));
        gauge!(CONNECTOR_EVENT_AGE, "connector" => name.clone()).set(age);
    }

    /// Asks the source's database for the slot.
    pub(super) async fn slot(&self, configuration: &Configuration) {
        let name = &configuration.name;
        let Some(database) = self.databases.get(name) else { return };
        let asked = slot::read(database, configuration.get("slot.name").unwrap_or_default()).await;
        let asked = self.notes.take("slot", name, self.clock.now_ms(), asked.map_err(anyhow::Error::from));
        let seen = match asked.as_ref() {
            None => Seen::Nothing,
            Some(None) => Seen::NoSlot,
            Some(Some(slot)) => Seen::Slot(slot),
        };
        for (metric, value) in of_slot(seen) {
            gauge!(metric, "connector" => name.clone()).set(value);
        }
    }
}

fn tasks_run(status: Option<&Status>) -> bool {
    status
        .is_some_and(|status| !status.tasks.is_empty() && status.tasks.iter().all(|task| task.state == State::Running))
}

/// What a source's database said of a slot.
#[derive(Debug, Clone, Copy)]
enum Seen<'s> {
    /// It did not answer.
    Nothing,
    /// It has no such slot.
    NoSlot,
    /// How it stands.
    Slot(&'s Slot),
}

/// The gauges of a slot.
fn of_slot(seen: Seen<'_>) -> [(&'static str, f64); 5] {
    let flag = |flag: bool| f64::from(u32::from(flag));
    let [active, behind, retained, safe, lost] = match seen {
        Seen::Nothing => [f64::NAN; 5],
        Seen::NoSlot => [0.0, f64::NAN, f64::NAN, f64::NAN, 0.0],
        Seen::Slot(slot) => [
            flag(slot.active),
            float(slot.behind),
            float(slot.retained),
            slot.safe_wal.map_or(f64::INFINITY, float),
            flag(slot.wal_status.as_deref() == Some("lost")),
        ],
    };
    [
        (SLOT_ACTIVE, active),
        (SLOT_BEHIND_BYTES, behind),
        (SLOT_RETAINED_BYTES, retained),
        (SLOT_SAFE_WAL_BYTES, safe),
        (SLOT_LOST, lost),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> Slot {
        Slot { active: true, behind: 5, retained: 9, wal_status: Some("reserved".to_owned()), safe_wal: None }
    }

    fn values(seen: Seen<'_>) -> Vec<String> {
        of_slot(seen).iter().map(|(_, value)| value.to_string()).collect()
    }

    #[test]
    fn a_slot_without_a_limit_has_infinite_room() {
        assert_eq!(values(Seen::Slot(&slot())), ["1", "5", "9", "inf", "0"]);
    }

    #[test]
    fn a_lost_slot_is_told_apart_from_none_and_from_a_database_that_does_not_answer() {
        let lost = Slot { active: false, wal_status: Some("lost".to_owned()), safe_wal: Some(0), ..slot() };
        assert_eq!(values(Seen::Slot(&lost)), ["0", "5", "9", "0", "1"]);
        assert_eq!(values(Seen::NoSlot), ["0", "NaN", "NaN", "NaN", "0"]);
        assert_eq!(values(Seen::Nothing), ["NaN"; 5]);
    }
}
