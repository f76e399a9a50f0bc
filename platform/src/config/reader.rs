//! Reads settings one by one, remembering every fault, so that an operator sees all of them at once.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::Environment;

/// A value that a variable can hold.
pub trait Setting: Sized {
    /// What is expected, for the message when it is not: `a number of milliseconds`.
    const EXPECTED: &'static str;
    /// The value, or nothing when the text is not one.
    fn parse(text: &str) -> Option<Self>;
    /// What may be printed of it.
    #[must_use]
    fn shown(text: &str) -> String {
        text.to_owned()
    }
}

macro_rules! numbers {
    ($($number:ty => $expected:literal),+ $(,)?) => {$(
        impl Setting for $number {
            const EXPECTED: &'static str = $expected;
            fn parse(text: &str) -> Option<Self> { text.parse().ok() }
        }
    )+};
}
numbers! {
    u8 => "a whole number from 0 to 255", u16 => "a whole number from 0 to 65535", u32 => "a whole number",
    u64 => "a whole number", usize => "a whole number", i64 => "a whole number", f64 => "a number",
}

impl Setting for String {
    const EXPECTED: &'static str = "a text";
    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";
    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        }
    }
}

/// A duration, written as a whole number of milliseconds (the variables' names end in `_MS`).
impl Setting for Duration {
    const EXPECTED: &'static str = "a whole number of milliseconds";
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::from_millis)
    }
}

/// Printed without user, password and query.
impl Setting for Url {
    const EXPECTED: &'static str = "a URL such as http://host:port/";
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
    fn shown(text: &str) -> String {
        let Ok(mut url) = Self::parse(text) else { return "***".to_owned() };
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return "***".to_owned();
        }
        url.set_query(url.query().map(|_| "***"));
        url.to_string()
    }
}

/// Never printed.
impl Setting for SecretString {
    const EXPECTED: &'static str = "a secret";
    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }
    fn shown(_: &str) -> String {
        "***".to_owned()
    }
}

/// Comma-separated texts, trimmed, without empty ones.
impl Setting for Vec<String> {
    const EXPECTED: &'static str = "texts separated by commas";
    fn parse(text: &str) -> Option<Self> {
        Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }
}

/// Reads settings from an [`Environment`]. Getters answer `None` when they noted a fault; [`Reader::finish`] turns all
/// faults into one [`Invalid`]. Write `fn read(reader: &mut Reader<'_>) -> Option<Self>` for each struct of settings:
/// first call every getter, and only then use `?`, or later faults stay unseen.
pub struct Reader<'e> {
    environment: &'e Environment,
    faults: Vec<String>,
    printed: Vec<(String, String)>,
}

impl<'e> Reader<'e> {
    /// Reads from this environment.
    #[must_use]
    pub fn new(environment: &'e Environment) -> Self {
        Self { environment, faults: Vec::new(), printed: Vec::new() }
    }

    /// The environment that is read, for what needs a look without a fault.
    #[must_use]
    pub fn environment(&self) -> &'e Environment {
        self.environment
    }

    /// A value that must be there. `what` says what it is for, in a few words.
    pub fn required<T: Setting>(&mut self, name: &str, what: &str) -> Option<T> {
        let Some(text) = self.environment.get(name) else {
            self.fault(format!("missing {}: {what} ({})", self.environment.spelled(name), T::EXPECTED));
            return None;
        };
        self.parsed(name, text)
    }

    /// A value with a default; wrong text is a fault, absence is not.
    pub fn or<T: Setting + fmt::Debug>(&mut self, name: &str, default: T, _what: &str) -> Option<T> {
        if let Some(text) = self.environment.get(name) {
            return self.parsed(name, text);
        }
        self.printed.push((name.to_owned(), format!("{default:?} (default)")));
        Some(default)
    }

    /// A value that may be absent: `Some(None)` then. Wrong text is a fault.
    pub fn optional<T: Setting>(&mut self, name: &str, _what: &str) -> Option<Option<T>> {
        match self.environment.get(name) {
            None => Some(None),
            Some(text) => self.parsed(name, text).map(Some),
        }
    }

    /// A key of exactly 32 bytes, written as 64 hexadecimal digits. Never printed.
    pub fn key(&mut self, name: &str, what: &str) -> Option<crate::sealing::Key> {
        let secret: SecretString = self.required(name, what)?;
        let key = crate::sealing::Key::from_hex(secrecy::ExposeSecret::expose_secret(&secret));
        if key.is_none() {
            self.fault(format!(
                "{} must be 64 hexadecimal digits ({what}); make one with `openssl rand -hex 32`",
                self.environment.spelled(name)
            ));
        }
        key
    }

    /// Notes a fault that concerns several settings together.
    pub fn fault(&mut self, sentence: impl Into<String>) {
        self.faults.push(sentence.into());
    }

    /// The settings with what may be printed of them, or every fault that was seen.
    ///
    /// # Errors
    /// [`Invalid`] when a fault was noted. `built` being `None` without one is a fault too: a getter was forgotten.
    pub fn finish<T>(mut self, built: Option<T>) -> Result<(T, Printed), Invalid> {
        match built {
            Some(settings) if self.faults.is_empty() => Ok((settings, Printed(self.printed))),
            _ => {
                if self.faults.is_empty() {
                    self.faults.push("the configuration is incomplete".to_owned());
                }
                Err(Invalid { faults: self.faults })
            }
        }
    }

    fn parsed<T: Setting>(&mut self, name: &str, text: &str) -> Option<T> {
        let value = T::parse(text.trim());
        if value.is_some() {
            self.printed.push((name.to_owned(), T::shown(text.trim())));
        } else {
            // The text itself is not repeated: it may be a secret that was put under the wrong name.
            self.fault(format!("{} is not {}", self.environment.spelled(name), T::EXPECTED));
        }
        value
    }
}

/// A configuration that was refused: one sentence per fault, each naming its variable. The process exits with
/// [`super::EXIT_CONFIGURATION`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not usable:\n  {}", faults.join("\n  "))]
pub struct Invalid {
    /// The faults, in the order in which the settings are read.
    pub faults: Vec<String>,
}

/// The settings as they may be logged: secrets are `***`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Printed(pub Vec<(String, String)>);

impl fmt::Display for Printed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(formatter, "{gap}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Example = (u16, Url, SecretString);

    fn read(environment: &Environment) -> Result<(Example, Printed), Invalid> {
        let mut reader = Reader::new(environment);
        let port = reader.or("PORT", 80, "port to listen on");
        let url = reader.required("DB_URL", "where the database is");
        let secret = reader.required("SECRET", "signs cursors");
        let built = (|| Some((port?, url?, secret?)))();
        reader.finish(built)
    }

    #[test]
    fn all_faults_are_reported_at_once_and_each_names_its_variable() {
        let environment = Environment::from_pairs([("PORT", "eighty")]).scoped("commerce");
        let invalid = read(&environment).unwrap_err();
        assert_eq!(invalid.faults.len(), 3);
        assert!(invalid.faults[0].starts_with("PORT (or COMMERCE__PORT) is not a whole number"), "{invalid}");
        assert!(
            invalid.faults[1].starts_with("missing DB_URL (or COMMERCE__DB_URL): where the database is"),
            "{invalid}"
        );
        assert!(invalid.faults[2].contains("SECRET"), "{invalid}");
    }

    #[test]
    fn the_print_hides_secrets_and_passwords_in_urls() {
        let environment =
            Environment::from_pairs([("DB_URL", "postgres://me:hunter2@db:5432/x?token=abc"), ("SECRET", "hunter3")]);
        let (_, printed) = read(&environment).unwrap();
        let line = printed.to_string();
        assert_eq!(line, "PORT=80 (default) DB_URL=postgres://me:***@db:5432/x?*** SECRET=***");
    }

    #[test]
    fn a_wrong_value_is_not_repeated_in_the_message() {
        let environment = Environment::from_pairs([("DB_URL", "hunter2"), ("SECRET", "s")]);
        assert!(!read(&environment).unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn a_key_that_is_not_64_hex_digits_is_refused_with_the_command_that_makes_one() {
        let environment = Environment::from_pairs([("KEY", "abc")]);
        let mut reader = Reader::new(&environment);
        let key = reader.key("KEY", "seals credentials");
        let invalid = reader.finish(key).unwrap_err();
        assert!(invalid.faults[0].contains("openssl rand -hex 32"), "{invalid}");
    }
}
