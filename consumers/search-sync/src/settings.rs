//! Where the search engine is, and how much goes to it at once.

use std::time::Duration;

use platform::config::Reader;
use secrecy::SecretString;
use url::Url;

/// Settings of the search engine's side.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Typesense answers. `APP_ENV_TYPESENSE_URL`.
    pub url: Url,
    /// Its key, which may write documents, collections and aliases. `APP_ENV_TYPESENSE_API_KEY`.
    pub key: SecretString,
    /// The alias that is written and searched; the collection behind it has a number after it.
    /// `APP_ENV_TYPESENSE_COLLECTION` (`products`).
    pub collection: String,
    /// How many products are read, and locked, together. `APP_ENV_SEARCH_CHUNK_PRODUCTS` (500).
    pub chunk_products: usize,
    /// How many chunks are under way at once: while one is imported, others are read. Each holds one connection to
    /// `backbone` and one to commerce. `APP_ENV_SEARCH_CONCURRENCY` (3).
    pub concurrency: usize,
    /// How many bytes of documents go into one request. `APP_ENV_SEARCH_IMPORT_BYTES` (1 MiB).
    pub import_bytes: usize,
    /// How long one request may take: an engine under pressure is slow before it refuses.
    /// `APP_ENV_TYPESENSE_TIMEOUT_MS` (60 s).
    pub timeout: Duration,
}

impl Settings {
    /// Reads the settings.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.required("APP_ENV_TYPESENSE_URL", "where the search engine answers");
        let key = reader.required("APP_ENV_TYPESENSE_API_KEY", "the search engine's key");
        let collection =
            reader.or("APP_ENV_TYPESENSE_COLLECTION", "products".to_owned(), "the alias of the collection");
        let chunk_products = reader.or("APP_ENV_SEARCH_CHUNK_PRODUCTS", 500, "products read together");
        let concurrency = reader.or("APP_ENV_SEARCH_CONCURRENCY", 3, "chunks under way at once");
        let import_bytes = reader.or("APP_ENV_SEARCH_IMPORT_BYTES", 1 << 20, "bytes of documents in one request");
        let timeout = reader.or("APP_ENV_TYPESENSE_TIMEOUT_MS", Duration::from_mins(1), "time for one request");
        if collection.as_deref().is_some_and(|name| !is_name(name)) {
            reader.fault(
                "APP_ENV_TYPESENSE_COLLECTION must be of letters, digits and _, and must not end in _ and a number",
            );
        }
        for (name, value) in [
            ("APP_ENV_SEARCH_CHUNK_PRODUCTS", chunk_products),
            ("APP_ENV_SEARCH_CONCURRENCY", concurrency),
            ("APP_ENV_SEARCH_IMPORT_BYTES", import_bytes),
        ] {
            if value == Some(0) {
                reader.fault(format!("{name} must not be 0"));
            }
        }
        Some(Self {
            url: url?,
            key: key?,
            collection: collection?,
            chunk_products: chunk_products?,
            concurrency: concurrency?,
            import_bytes: import_bytes?,
            timeout: timeout?,
        })
    }
}

/// A name that can stand in a path, and that no collection behind another alias can have.
fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let versioned = name.rsplit_once('_').is_some_and(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
    plain && !name.is_empty() && !versioned
}

#[cfg(test)]
mod tests {
    use platform::config::Environment;

    use super::*;

    #[test]
    fn what_is_missing_or_wrong_is_named_together() {
        let environment = Environment::from_pairs([
            ("APP_ENV_TYPESENSE_URL", "nowhere"),
            ("APP_ENV_TYPESENSE_COLLECTION", "products_2"),
            ("APP_ENV_SEARCH_CONCURRENCY", "0"),
        ]);
        let mut reader = Reader::new(&environment);
        let settings = Settings::read(&mut reader);
        let faults = reader.finish(settings).unwrap_err().faults.join("\n");
        for name in ["TYPESENSE_URL", "TYPESENSE_API_KEY", "TYPESENSE_COLLECTION", "SEARCH_CONCURRENCY"] {
            assert!(faults.contains(name), "{faults}");
        }
    }

    #[test]
    fn the_defaults_are_complete() {
        let environment = Environment::from_pairs([
            ("APP_ENV_TYPESENSE_URL", "http://127.0.0.1:1"),
            ("APP_ENV_TYPESENSE_API_KEY", "k"),
        ]);
        let mut reader = Reader::new(&environment);
        let settings = Settings::read(&mut reader);
        let (settings, printed) = reader.finish(settings).unwrap();
        assert_eq!((settings.collection.as_str(), settings.concurrency), ("products", 3));
        assert!(printed.to_string().contains("APP_ENV_TYPESENSE_API_KEY=***"));
    }
}
