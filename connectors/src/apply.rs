//! `sluice connectors apply`: topics as promised, connectors as reviewed, and not back before they run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemas::files::{Promise, Topic};

use crate::brokers::{Brokers, BrokersError};
use crate::connect::{Connect, ConnectError};
use crate::template::{Configuration, mask};
use crate::topics::{TopicChange, compare, creation_rules};

/// Why a connector was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Connect could not be asked, or refused.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Kafka could not be asked, or refused.
    #[error(transparent)]
    Brokers(#[from] BrokersError),
    /// A captured table has no folder.
    #[error("{topic} is captured and has no folder under schemas/; see docs/capture-a-table.md")]
    NoFolder {
        /// Its topic.
        topic: String,
    },
    /// It was applied and does not work.
    #[error("connector {name} failed: {reason}")]
    Failed {
        /// The connector.
        name: String,
        /// The useful line of its trace.
        reason: String,
    },
    /// It was applied and neither works nor says why not.
    #[error("connector {name} is not running after {} s: {state}; look at `sluice connectors status` and the worker's log", waited.as_secs())]
    Late {
        /// The connector.
        name: String,
        /// How long it was waited for.
        waited: Duration,
        /// What it was doing last.
        state: String,
    },
}

/// A change of one setting. Values are as they may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// The setting.
    pub name: String,
    /// As it is; none when it is new.
    pub from: Option<String>,
    /// As it is to be; none when it goes.
    pub to: Option<String>,
}

/// What applying one connector would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The connector as it is to be, with its topics' rules.
    pub wanted: Configuration,
    /// Is it new?
    pub is_new: bool,
    /// What changes in its topics.
    pub topics: Vec<TopicChange>,
    /// What changes in its settings.
    pub settings: Vec<SettingChange>,
}

impl Plan {
    /// True when applying does nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty() && !self.topics.iter().any(TopicChange::is_applicable)
    }
}

/// Compares a connector and its topics with what is there. Changes nothing.
pub async fn plan(
    connect: &Connect,
    brokers: &Brokers,
    configuration: Configuration,
    topics: &[Topic],
) -> Result<Plan, ApplyError> {
    let promises = promises(&configuration, topics)?;
    let topics = compare(brokers, &promises).await?;
    let mut wanted = configuration;
    wanted.settings.extend(creation_rules(&promises));
    let found = connect.configuration(&wanted.name).await?;
    let is_new = found.is_none();
    let settings = changes(found.unwrap_or_default(), &wanted);
    Ok(Plan { wanted, is_new, topics, settings })
}

/// The promise of each captured table's topic.
pub fn promises(configuration: &Configuration, topics: &[Topic]) -> Result<Vec<(String, Promise)>, ApplyError> {
    let promise = |name: &str| topics.iter().find(|topic| topic.name == name).map(|topic| topic.promise.clone());
    configuration
        .topics()
        .into_iter()
        .map(|topic| match promise(&topic) {
            Some(promise) => Ok((topic, promise)),
            None => Err(ApplyError::NoFolder { topic }),
        })
        .collect()
}

fn changes(mut found: BTreeMap<String, String>, wanted: &Configuration) -> Vec<SettingChange> {
    // Connect adds the name by itself.
    found.remove("name");
    let names: std::collections::BTreeSet<&String> = found.keys().chain(wanted.settings.keys()).collect();
    names
        .into_iter()
        .filter(|name| found.get(*name) != wanted.settings.get(*name))
        .map(|name| {
            let shown = |settings: &BTreeMap<String, String>| settings.get(name).map(|value| mask(name, value));
            SettingChange { name: name.clone(), from: shown(&found), to: shown(&wanted.settings) }
        })
        .collect()
}

/// How long a connector may take to run: a first start waits for every transaction open in the cluster, to make its slot.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Does what the plan says, topics first, and waits until the connector runs. A connector that was paused stays so.
pub async fn apply(connect: &Connect, brokers: &Brokers, plan: &Plan) -> Result<(), ApplyError> {
    for change in plan.topics.iter().filter(|change| change.is_applicable()) {
        change.apply(brokers).await?;
    }
    if !plan.settings.is_empty() {
        connect.put(&plan.wanted.name, &plan.wanted.settings).await?;
    }
    wait_until_running(connect, &plan.wanted.name, PATIENCE).await
}

/// How often a connector is looked at, and how often in a row it must be seen running or failed: just after a change,
/// Connect still shows the tasks from before.
const PAUSE: Duration = Duration::from_millis(500);
const IN_A_ROW: u32 = 5;

/// Waits until a connector and its tasks run, or one has failed.
pub async fn wait_until_running(connect: &Connect, name: &str, patience: Duration) -> Result<(), ApplyError> {
    let started = tokio::time::Instant::now();
    let (mut seen_running, mut seen_failed) = (0, 0);
    loop {
        let status = connect.status(name).await?;
        let failure = status.as_ref().and_then(crate::connect::Status::failure);
        seen_failed = if failure.is_some() { seen_failed + 1 } else { 0 };
        if let Some(reason) = failure.filter(|_| seen_failed >= IN_A_ROW) {
            return Err(ApplyError::Failed { name: name.to_owned(), reason });
        }
        let is_waiting = status.as_ref().is_some_and(|status| {
            matches!(status.connector.state, crate::connect::State::Paused | crate::connect::State::Stopped)
        });
        seen_running = if is_waiting || status.as_ref().is_some_and(crate::connect::Status::is_running) {
            seen_running + 1
        } else {
            0
        };
        if seen_running >= IN_A_ROW {
            return Ok(());
        }
        if started.elapsed() > patience {
            let state = status.map_or("not placed on a worker".to_owned(), |status| status.connector.state.to_string());
            return Err(ApplyError::Late { name: name.to_owned(), waited: patience, state });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl fmt::Display for SettingChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match (&self.from, &self.to) {
            (None, Some(to)) => write!(formatter, "+ {name} = {to}"),
            (Some(from), None) => write!(formatter, "- {name} (was {from})"),
            (from, to) => {
                let text = |value: &Option<String>| value.clone().unwrap_or_default();
                write!(formatter, "~ {name}: {} -> {}", text(from), text(to))
            }
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.wanted.name;
        for change in &self.topics {
            writeln!(formatter, "{change}")?;
        }
        if self.is_new {
            return write!(formatter, "+ connector {name}: new, {} settings", self.wanted.settings.len());
        }
        if self.settings.is_empty() {
            return write!(formatter, "connector {name} is as reviewed");
        }
        write!(formatter, "~ connector {name}:")?;
        self.settings.iter().try_for_each(|change| write!(formatter, "\n    {change}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(settings: &[(&str, &str)]) -> Configuration {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Configuration { name: "shop".to_owned(), settings }
    }

    #[test]
    fn equal_settings_are_no_change_and_connects_own_name_does_not_count() {
        let mut found = configuration(&[("a", "1")]).settings;
        found.insert("name".to_owned(), "shop".to_owned());
        assert_eq!(changes(found, &configuration(&[("a", "1")])), []);
    }

    #[test]
    fn a_changed_secret_is_seen_and_not_shown() {
        let found = configuration(&[("database.password", "old")]).settings;
        let changes = changes(found, &configuration(&[("database.password", "${file:/x:y}")]));
        assert_eq!(changes[0].to_string(), "~ database.password: ******** -> ${file:/x:y}");
    }

    #[test]
    fn what_comes_and_what_goes_is_shown() {
        let found = configuration(&[("gone", "1"), ("kept", "2")]).settings;
        let shown: Vec<String> =
            changes(found, &configuration(&[("kept", "3"), ("new", "4")])).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["- gone (was 1)", "~ kept: 2 -> 3", "+ new = 4"]);
    }

    #[test]
    fn a_captured_table_without_a_folder_is_refused() {
        let captured = configuration(&[("topic.prefix", "shop"), ("table.include.list", "public.thing")]);
        let error = promises(&captured, &[]).unwrap_err().to_string();
        assert!(error.contains("shop.public.thing is captured and has no folder"), "{error}");
    }
}
