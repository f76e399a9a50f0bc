//! What an operator can do to the collections of the search engine, and what it comes to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::operation::View;

/// What is done to the collections behind an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Make another one, fill it beside the live consumer, compare it, and let the alias name it.
    Build {
        /// Its name.
        collection: String,
        /// It was begun before and is gone on with.
        begun: bool,
        /// The alias names it although so many documents are still wrong.
        wrong_at_most: usize,
    },
    /// Let the alias name an earlier one again, and make there what is wrong.
    RollBack {
        /// Its name.
        collection: String,
    },
    /// Take these away.
    Drop {
        /// Their names.
        collections: BTreeSet<String>,
    },
}

/// What a step comes to.
pub(crate) fn view(consumer: &str, alias: &str, searched: &str, step: &Step) -> View {
    let summary = match step {
        Step::Build { collection, begun, wrong_at_most } => vec![
            if *begun {
                format!("{collection}, which was begun, is filled from the source to its end")
            } else {
                format!("{collection} is made and filled from the source")
            },
            format!("meanwhile {consumer} goes on, and writes {collection} beside {searched}"),
            format!("then {collection} is compared with the source, and what is wrong in it is made again"),
            format!("when no more than {wrong_at_most} documents are wrong after that, {alias} names it, in one step"),
            format!("{searched} stays as it is then: --roll-back goes back to it, --drop-old takes it away"),
        ],
        Step::RollBack { collection } => vec![
            format!("{alias} names {collection} again, at once, in place of {searched}"),
            format!("then {collection} is compared with the source, and what it missed since is made again"),
            "until then, searches show old states of what changed since it was replaced".to_owned(),
            format!("{searched} stays as it is then"),
        ],
        Step::Drop { collections } => {
            let names: Vec<&str> = collections.iter().map(String::as_str).collect();
            vec![format!("{} with their documents are taken away; {alias} goes on naming {searched}", names.join(", "))]
        }
    };
    View { facts: json!([]), summary, commands: Vec::new() }
}
