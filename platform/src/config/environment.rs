//! The variables a process was given, as a value.

use std::collections::BTreeMap;
use std::fmt;

/// Variables by name. Passed in everywhere, so that several services can run in one process and tests need no
/// environment. A scope lets one service of a process have its own value: see [`Environment::scoped`].
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    scope: Option<String>,
}

impl Environment {
    /// What this process was started with. Variables that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { variables: variables.collect(), scope: None }
    }

    /// An environment of exactly these pairs.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self { variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect(), scope: None }
    }

    /// The same environment with one variable set (or replaced).
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The view that one service or consumer has: `COMMERCE__APP_ENV_DB_URL` wins over `APP_ENV_DB_URL` in
    /// `scoped("commerce")`. A `-` in the name becomes `_`, letters become capitals.
    #[must_use]
    pub fn scoped(&self, name: &str) -> Self {
        let scope = name.to_ascii_uppercase().replace('-', "_");
        Self { variables: self.variables.clone(), scope: Some(scope) }
    }

    /// The value of a variable; one that is empty counts as absent, because a manifest cannot leave one out.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let scoped = self.scope.as_ref().and_then(|scope| self.variables.get(&format!("{scope}__{name}")));
        scoped.or_else(|| self.variables.get(name)).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// The name by which an operator can set this variable, for messages.
    pub(super) fn spelled(&self, name: &str) -> String {
        match &self.scope {
            Some(scope) => format!("{name} (or {scope}__{name})"),
            None => name.to_owned(),
        }
    }

    /// Every variable and its value, unscoped, for handing on to a child process.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("scope", &self.scope)
            .field("names", &self.variables.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scoped_variable_wins_over_the_plain_one() {
        let environment = Environment::from_pairs([("A", "plain"), ("SEARCH_SYNC__A", "own"), ("B", "both")]);
        let scoped = environment.scoped("search-sync");
        assert_eq!((scoped.get("A"), scoped.get("B")), (Some("own"), Some("both")));
        assert_eq!(environment.get("A"), Some("plain"));
    }

    #[test]
    fn an_empty_variable_is_absent_and_the_debug_print_has_no_values() {
        let environment = Environment::from_pairs([("EMPTY", " "), ("SECRET", "hunter2")]);
        assert_eq!(environment.get("EMPTY"), None);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
