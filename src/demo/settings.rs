//! Where everything is.

use std::path::PathBuf;

use platform::config::{Environment, Invalid, Reader};
use platform::service::Service;
use secrecy::SecretString;
use url::Url;

/// What the demonstration needs of the environment.
pub(super) struct Settings {
    pub(super) email: String,
    pub(super) password: SecretString,
    port_offset: u16,
    pub(super) ops_port: u16,
    pub(super) admin_url: SecretString,
    pub(super) invoice_url: SecretString,
    pub(super) inventory_url: SecretString,
    pub(super) typesense_url: Url,
    pub(super) typesense_key: SecretString,
    pub(super) collection: String,
    /// Where it remembers how many rounds it made.
    pub(super) memory: PathBuf,
}

impl Settings {
    /// Reads them, with all that is missing at once.
    pub(super) fn of(environment: &Environment) -> Result<Self, Invalid> {
        let mut reader = Reader::new(environment);
        let built = Self::read(&mut reader);
        Ok(reader.finish(built)?.0)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let email = reader.required("APP_ENV_BOOTSTRAP_EMAIL", "the administrator's e-mail address");
        let password = reader.required("APP_ENV_BOOTSTRAP_PASSWORD", "the administrator's password");
        let port_offset = reader.or("APP_ENV_PORT_OFFSET", 0_u16, "added to every port");
        let ops_port = reader.or("APP_ENV_OPS_PORT", 9_464_u16, "the port of /metrics");
        let admin_url = reader.required("APP_ENV_ADMIN_DB_URL", "Postgres, to see how far Debezium has read");
        let invoice_url = reader.required("INVOICE__APP_ENV_DB_URL", "invoice's database");
        let inventory_url = reader.required("INVENTORY__APP_ENV_DB_URL", "inventory's database");
        let typesense_url = reader.required("APP_ENV_TYPESENSE_URL", "the search engine");
        let typesense_key = reader.required("APP_ENV_TYPESENSE_API_KEY", "the search engine's key");
        let collection = reader.or("APP_ENV_TYPESENSE_COLLECTION", "products".to_owned(), "the collection's alias");
        let folder = reader.or("SLUICE_STACK_DIR", PathBuf::from(".stack"), "the stack's folder");
        Some(Self {
            email: email?,
            password: password?,
            port_offset: port_offset?,
            ops_port: ops_port?,
            admin_url: admin_url?,
            invoice_url: invoice_url?,
            inventory_url: inventory_url?,
            typesense_url: typesense_url?,
            typesense_key: typesense_key?,
            collection: collection?,
            memory: folder?.join("demo.json"),
        })
    }

    /// What every path of a service's begins with.
    pub(super) fn base(&self, service: Service) -> String {
        format!("http://127.0.0.1:{}{}", service.port + self.port_offset, service.base_path)
    }
}
