//! A connector's file and what it becomes in one environment.
//!
//! `${NAME}` in the file stands for `APP_ENV_NAME` of the environment. `${file:...}` is Connect's own and stays: the
//! worker reads the secret from its file, so that no password is in the configuration that its REST API shows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use platform::config::Environment;

/// Why a file does not become a configuration.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not an object of texts.
    #[error("{}: {source}; a connector's file is one JSON object of texts", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Variables are missing.
    #[error("{}: set {} in the environment", path.display(), names.join(", "))]
    Missing {
        /// The file.
        path: PathBuf,
        /// All of them.
        names: Vec<String>,
    },
    /// The folder holds no connector.
    #[error("{}: no <service>.json here; is this the connectors folder?", .0.display())]
    Empty(PathBuf),
}

/// A connector as Connect is to run it.
#[derive(Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The connector's name: the service's.
    pub name: String,
    /// Every setting.
    pub settings: BTreeMap<String, String>,
}

// The settings of another tool's connector may hold a password in clear.
impl std::fmt::Debug for Configuration {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let masked = self.settings.iter().map(|(name, value)| (name, mask(name, value)));
        formatter
            .debug_struct("Configuration")
            .field("name", &self.name)
            .field("settings", &masked.collect::<Vec<_>>())
            .finish()
    }
}

impl Configuration {
    /// Reads `<service>.json` and resolves it, with the service's own view of the environment.
    pub fn load(folder: &Path, service: &str, environment: &Environment) -> Result<Self, TemplateError> {
        let path = folder.join(format!("{service}.json"));
        let text = std::fs::read_to_string(&path).map_err(|source| TemplateError::Io { path: path.clone(), source })?;
        let file: BTreeMap<String, String> =
            serde_json::from_str(&text).map_err(|source| TemplateError::Json { path: path.clone(), source })?;
        let environment = environment.scoped(service);
        let mut names = Vec::new();
        let settings = file.into_iter().map(|(key, value)| (key, resolve(&value, &environment, &mut names))).collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            Ok(Self { name: service.to_owned(), settings })
        } else {
            Err(TemplateError::Missing { path, names })
        }
    }

    /// A setting, or nothing.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// The same connector with one setting of another value.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The captured tables, `<schema>.<table>`.
    #[must_use]
    pub fn tables(&self) -> Vec<&str> {
        self.get("table.include.list")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|table| !table.is_empty())
            .collect()
    }

    /// The topics of the captured tables.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        let prefix = self.get("topic.prefix").unwrap_or(&self.name);
        self.tables().iter().map(|table| format!("{prefix}.{table}")).collect()
    }
}

/// The services that have a connector, by name.
pub fn services(folder: &Path) -> Result<Vec<String>, TemplateError> {
    let entries = std::fs::read_dir(folder).map_err(|source| TemplateError::Io { path: folder.to_owned(), source })?;
    let mut services: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json").map(ToOwned::to_owned))
        .collect();
    services.sort();
    if services.is_empty() { Err(TemplateError::Empty(folder.to_owned())) } else { Ok(services) }
}

/// Replaces every `${NAME}`; what is between other braces is not ours.
fn resolve(text: &str, environment: &Environment, missing: &mut Vec<String>) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        resolved.push_str(before);
        let inner = &from[2..];
        match inner
            .find(|character: char| !(character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_'))
        {
            Some(end) if end > 0 && inner[end..].starts_with('}') => {
                let name = format!("APP_ENV_{}", &inner[..end]);
                match environment.get(&name) {
                    Some(value) => resolved.push_str(value),
                    None => missing.push(name),
                }
                rest = &inner[end + 1..];
            }
            _ => {
                resolved.push_str("${");
                rest = inner;
            }
        }
    }
    resolved.push_str(rest);
    resolved
}

/// What may be shown of a setting: a secret is hidden unless it is only a reference to one.
#[must_use]
pub fn mask(name: &str, value: &str) -> String {
    let name = name.to_ascii_lowercase();
    let is_secret =
        ["password", "secret", "credential", "token", "jaas", "sslkey"].iter().any(|word| name.contains(word));
    if is_secret && !value.starts_with("${") { "********".to_owned() } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::from_pairs([
            ("APP_ENV_POSTGRES_HOST", "db.internal"),
            ("COMMERCE__APP_ENV_POSTGRES_HOST", "commerce-db.internal"),
            ("APP_ENV_POSTGRES_PORT", "5432"),
            ("APP_ENV_CONNECT_SECRETS_FILE", "/etc/connect/secrets.properties"),
            ("APP_ENV_CONNECT_REGISTRY_URL", "http://registry:8080/apis/registry/v2"),
        ])
    }

    fn folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn a_placeholder_is_the_services_own_variable_where_there_is_one() {
        let commerce = Configuration::load(&folder(), "commerce", &environment()).unwrap();
        let identity = Configuration::load(&folder(), "identity", &environment()).unwrap();
        assert_eq!(commerce.get("database.hostname"), Some("commerce-db.internal"));
        assert_eq!(identity.get("database.hostname"), Some("db.internal"));
    }

    #[test]
    fn the_password_stays_a_reference_for_the_worker() {
        let commerce = Configuration::load(&folder(), "commerce", &environment()).unwrap();
        let reference = "${file:/etc/connect/secrets.properties:replication.password}";
        assert_eq!(commerce.get("database.password"), Some(reference));
        assert_eq!(mask("database.password", reference), reference);
        assert_eq!(mask("database.password", "hunter2"), "********");
    }

    #[test]
    fn every_missing_variable_is_named_at_once() {
        let error = Configuration::load(&folder(), "commerce", &Environment::default()).unwrap_err().to_string();
        for name in [
            "APP_ENV_POSTGRES_HOST",
            "APP_ENV_POSTGRES_PORT",
            "APP_ENV_CONNECT_SECRETS_FILE",
            "APP_ENV_CONNECT_REGISTRY_URL",
        ] {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn no_file_here_holds_a_secret() {
        for service in services(&folder()).unwrap() {
            let text = std::fs::read_to_string(folder().join(format!("{service}.json"))).unwrap();
            let file: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
            for (name, value) in file {
                assert_eq!(mask(&name, &value), value, "{service}: {name}");
            }
        }
    }

    /// What may differ between two services. Everything else is one decision, made once for all of them.
    const OWN: &[&str] = &["database.dbname", "topic.prefix", "slot.name", "table.include.list"];

    #[test]
    fn all_connectors_agree_on_everything_but_their_own_names() {
        let all: Vec<Configuration> = services(&folder())
            .unwrap()
            .iter()
            .map(|service| Configuration::load(&folder(), service, &environment().scoped("none")).unwrap())
            .collect();
        let rest = |configuration: &Configuration| {
            let own = |name: &String| OWN.contains(&name.as_str()) || name == "database.hostname";
            configuration
                .settings
                .iter()
                .filter(|(name, _)| !own(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<BTreeMap<_, _>>()
        };
        for configuration in &all {
            assert_eq!(rest(configuration), rest(&all[0]), "{} and {}", configuration.name, all[0].name);
        }
    }

    #[test]
    fn names_follow_the_table_of_services() {
        for service in services(&folder()).unwrap() {
            let known = platform::service::Service::named(&service).unwrap();
            let configuration = Configuration::load(&folder(), &service, &environment()).unwrap();
            assert_eq!(configuration.get("topic.prefix"), Some(known.topic_prefix));
            assert_eq!(configuration.get("database.dbname"), known.database);
            assert_eq!(configuration.get("slot.name"), Some(format!("sluice_{service}").as_str()));
        }
    }

    #[test]
    fn every_captured_table_has_a_folder_and_every_folder_is_captured() {
        let mut captured: Vec<String> = services(&folder())
            .unwrap()
            .iter()
            .flat_map(|service| Configuration::load(&folder(), service, &environment()).unwrap().topics())
            .collect();
        captured.sort();
        let topics: Vec<String> =
            schemas::files::load(&folder().join("../schemas")).unwrap().into_iter().map(|topic| topic.name).collect();
        assert_eq!(captured, topics);
    }

    #[test]
    fn braces_that_are_not_ours_stay() {
        let mut missing = Vec::new();
        let resolved = resolve("${file:x:y} ${lower} ${} ${POSTGRES_PORT", &environment(), &mut missing);
        assert_eq!((resolved.as_str(), missing.len()), ("${file:x:y} ${lower} ${} ${POSTGRES_PORT", 0));
    }
}
