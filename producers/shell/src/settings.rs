//! The settings of one shell.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use platform::config::{Reader, Setting};
use platform::lifecycle::DrainSettings;
use platform::sealing::Key;
use platform::service::Service;
use url::Url;

/// Where it listens, how much it takes at once, and its secrets.
#[derive(Debug, Clone)]
pub struct ShellSettings {
    /// Where to listen: `APP_ENV_LISTEN_ADDRESS` (127.0.0.1), `APP_ENV_PORT` (the service's port of the table, plus
    /// `APP_ENV_PORT_OFFSET`).
    pub address: SocketAddr,
    /// The greatest body, in bytes. `APP_ENV_BODY_LIMIT_BYTES` (1 MiB).
    pub body_limit: usize,
    /// How long a request may take. `APP_ENV_REQUEST_TIMEOUT_MS` (20 s).
    pub request_timeout: Duration,
    /// How many requests are worked on at once; more are answered 503. `APP_ENV_MAX_IN_FLIGHT` (256).
    pub max_in_flight: usize,
    /// Signs cursors. `APP_ENV_CURSOR_SECRET`, 64 hexadecimal digits.
    pub cursor_secret: Key,
    /// Signs what is kept outside, such as decisions in Redis. `APP_ENV_APPLICATION_SECRET`, 64 hexadecimal digits.
    pub application_secret: Key,
    /// How it stops.
    pub drain: DrainSettings,
}

/// An address of this machine.
struct Address(IpAddr);

impl Setting for Address {
    const EXPECTED: &'static str = "an IP address to listen on";
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl ShellSettings {
    /// Reads the settings of this service.
    pub fn read(reader: &mut Reader<'_>, service: Service) -> Option<Self> {
        let address = reader.optional::<Address>("APP_ENV_LISTEN_ADDRESS", "address to listen on");
        let offset = reader.or("APP_ENV_PORT_OFFSET", 0_u16, "added to every port");
        let port = reader.optional::<u16>("APP_ENV_PORT", "port to listen on");
        let body_limit = reader.or("APP_ENV_BODY_LIMIT_BYTES", 1_usize << 20, "greatest body");
        let request_timeout = reader.or("APP_ENV_REQUEST_TIMEOUT_MS", Duration::from_secs(20), "time for a request");
        let max_in_flight = reader.or("APP_ENV_MAX_IN_FLIGHT", 256_usize, "requests at once");
        let cursor_secret = reader.key("APP_ENV_CURSOR_SECRET", "signs cursors");
        let application_secret = reader.key("APP_ENV_APPLICATION_SECRET", "signs what is kept in Redis");
        let drain = DrainSettings::read(reader);
        Some(Self {
            address: SocketAddr::new(
                address?.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.0),
                port?.unwrap_or(service.port + offset?),
            ),
            body_limit: body_limit?,
            request_timeout: request_timeout?,
            max_in_flight: max_in_flight?,
            cursor_secret: cursor_secret?,
            application_secret: application_secret?,
            drain: drain?,
        })
    }
}

/// Where identity answers: `APP_ENV_IDENTITY_URL`, else its port of the table on this machine plus `APP_ENV_PORT_OFFSET`.
pub fn identity_url(reader: &mut Reader<'_>) -> Option<Url> {
    let url = reader.optional::<Url>("APP_ENV_IDENTITY_URL", "where identity answers");
    let offset = reader.or("APP_ENV_PORT_OFFSET", 0_u16, "added to every port")?;
    let default = || Url::parse(&format!("http://127.0.0.1:{}", Service::IDENTITY.port + offset)).ok();
    url?.or_else(default)
}

#[cfg(test)]
mod tests {
    use platform::config::Environment;

    use super::*;

    #[test]
    fn ports_come_from_the_table_plus_the_offset() {
        let secret = "ab".repeat(32);
        let environment =
            Environment::from_pairs([("APP_ENV_CURSOR_SECRET", &secret), ("APP_ENV_APPLICATION_SECRET", &secret)])
                .with("APP_ENV_PORT_OFFSET", "100");
        let mut reader = Reader::new(&environment);
        let settings = ShellSettings::read(&mut reader, Service::COMMERCE);
        let identity_url = identity_url(&mut reader).unwrap();
        let (settings, printed) = reader.finish(settings).unwrap();
        assert_eq!(settings.address.to_string(), "127.0.0.1:31120");
        assert_eq!(identity_url.as_str(), "http://127.0.0.1:31110/");
        assert!(!printed.to_string().contains(&secret));
    }

    #[test]
    fn missing_secrets_are_all_named() {
        let environment = Environment::default();
        let mut reader = Reader::new(&environment);
        let settings = ShellSettings::read(&mut reader, Service::COMMERCE);
        assert_eq!(reader.finish(settings).unwrap_err().faults.len(), 2);
    }
}
