//! Everything that the environment names, in order: roles and databases, migrations, seeds.

use std::fmt;

use platform::config::Environment;
use sqlx::postgres::PgConnectOptions;

use crate::{Applied, DATABASES, Database, Error, Passwords, migrate, provision, seed};

/// What a run did; printed one line for each thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Roles and databases made now, as sentences; empty when all were there.
    pub made: Vec<String>,
    /// Each database that was brought up to date.
    pub migrated: Vec<Applied>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.made {
            writeln!(f, "{line}")?;
        }
        for Applied { database, now, before } in &self.migrated {
            match now {
                0 => writeln!(f, "database {database}: up to date ({before} migrations)")?,
                _ => writeln!(f, "database {database}: {now} applied, {before} before")?,
            }
        }
        Ok(())
    }
}

/// Does all that the environment asks for.
///
/// With `APP_ENV_ADMIN_DB_URL`, roles and databases are made first, which needs every role's password. Then each database
/// is migrated and seeded as its own role: the one at `<DATABASE>__APP_ENV_DB_URL`, for each that is set.
pub async fn run(environment: &Environment) -> Result<Report, Error> {
    let mut report = Report::default();
    let administrator = environment.get(ADMINISTRATOR);
    if let Some(url) = administrator {
        report.made = provision(&parse(ADMINISTRATOR, url)?, &Passwords::read(environment)?).await?;
    }
    let targets = targets(environment)?;
    if administrator.is_none() && targets.is_empty() {
        return Err(Error::Nothing);
    }
    for (database, url) in targets {
        report.migrated.push(migrate(database, &url).await?);
        seed(database, &url).await?;
    }
    Ok(report)
}

const ADMINISTRATOR: &str = "APP_ENV_ADMIN_DB_URL";

/// Only what is named for the database itself: a plain `APP_ENV_DB_URL` would be the same database for all of them.
fn targets(environment: &Environment) -> Result<Vec<(Database, PgConnectOptions)>, Error> {
    DATABASES
        .into_iter()
        .filter_map(|database| {
            let name = format!("{}__APP_ENV_DB_URL", database.name.to_uppercase());
            environment.get(&name).map(|url| Ok((database, parse(&name, url)?)))
        })
        .collect()
}

fn parse(name: &str, url: &str) -> Result<PgConnectOptions, Error> {
    // The parser takes any scheme, and its messages may quote the URL, password included: only the name is told.
    let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let options = url.parse().ok().filter(|_| postgres);
    options.ok_or_else(|| Error::Url(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_needs_a_url_of_its_own() {
        let plain = Environment::from_pairs([("APP_ENV_DB_URL", "postgres://commerce:secret@localhost/commerce")]);
        assert!(targets(&plain).unwrap().is_empty());
        let both = plain.with("COMMERCE__APP_ENV_DB_URL", "postgres://commerce:secret@localhost/commerce");
        let names: Vec<_> = targets(&both).unwrap().into_iter().map(|(database, _)| database.name).collect();
        assert_eq!(names, ["commerce"]);
    }

    #[test]
    fn a_url_that_cannot_be_read_is_named_and_not_shown() {
        let environment = Environment::from_pairs([("COMMERCE__APP_ENV_DB_URL", "mysql://commerce:secret@localhost")]);
        let message = targets(&environment).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("COMMERCE__APP_ENV_DB_URL") && !message.contains("secret"), "{message}");
    }

    #[test]
    fn a_report_has_one_line_for_each_thing_done() {
        let report = Report {
            made: vec!["role commerce created".to_owned()],
            migrated: vec![
                Applied { database: "commerce", now: 4, before: 0 },
                Applied { database: "invoice", now: 0, before: 2 },
            ],
        };
        let expected = "role commerce created\ndatabase commerce: 4 applied, 0 before\n\
                        database invoice: up to date (2 migrations)\n";
        assert_eq!(report.to_string(), expected);
    }
}
