//! What was found in the evening, for the reader of a failure and for the table of `bench/FAULTS.md`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

/// How the targets differ from the truth.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Evening {
    /// How many rows, documents and cached values are not as they must be.
    pub(crate) lost: usize,
    /// How many once-only effects are there more than once.
    pub(crate) doubled: usize,
    /// How often a row was written at an earlier position than before.
    pub(crate) regressed: i64,
    /// How many records are parked.
    pub(crate) parked: i64,
    /// How many records have not been committed.
    pub(crate) behind: i64,
    /// The first few differences, in words.
    pub(crate) samples: Vec<String>,
}

impl Evening {
    /// Nothing is lost, doubled, regressed or on its way, and as many records are parked as must be.
    pub(crate) fn is_right(&self, parked: i64) -> bool {
        (self.lost, self.doubled, self.regressed, self.behind) == (0, 0, 0, 0) && self.parked == parked
    }

    /// Counts what differs.
    pub(crate) fn differ<V: PartialEq + Debug>(
        &mut self,
        target: &str,
        truth: &BTreeMap<i64, V>,
        shown: &BTreeMap<i64, V>,
    ) {
        let short = |value: Option<&V>| format!("{value:?}").chars().take(200).collect::<String>();
        for id in truth.keys().chain(shown.keys().filter(|id| !truth.contains_key(id))) {
            let (is, seems) = (truth.get(id), shown.get(id));
            if is != seems {
                self.lost += 1;
                if self.samples.len() < 5 {
                    self.samples.push(format!("{target}: {id} is {} and shows {}", short(is), short(seems)));
                }
            }
        }
    }
}

/// One line of the table.
pub(crate) struct Report<'e> {
    pub(crate) number: u32,
    pub(crate) fault: &'static str,
    pub(crate) seed: u64,
    pub(crate) events: u64,
    pub(crate) recovered: Option<Duration>,
    pub(crate) evening: &'e Evening,
}

impl Report<'_> {
    /// Leaves it in the folder `SLUICE_FAULTS_REPORTS`, where there is one.
    pub(crate) fn write(&self) {
        let line = serde_json::json!({
            "number": self.number,
            "fault": self.fault,
            "seed": self.seed,
            "events": self.events,
            "lost": self.evening.lost,
            "doubled": self.evening.doubled,
            "regressed": self.evening.regressed,
            "parked": self.evening.parked,
            "recovered_ms": self.recovered.map(|recovered| recovered.as_millis()),
        });
        println!("{line}");
        if let Ok(folder) = std::env::var("SLUICE_FAULTS_REPORTS") {
            let file = format!("{:02}-{}.json", self.number, self.fault.replace(|c: char| !c.is_alphanumeric(), "-"));
            std::fs::write(Path::new(&folder).join(file), line.to_string()).unwrap();
        }
    }
}
