//! The registry as consumers see it: the schema of an id, asked for once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schema_registry_converter::async_impl::schema_registry::{SrSettings, get_schema_by_id};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, RegisteredSchema, SchemaType};
use serde_avro_fast::Schema;
use tokio::sync::OnceCell;

/// Why the registry did not give a schema. The kinds ask for different verdicts.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// The registry answered that it has no such schema: the record was written elsewhere, or the registry lost it.
    #[error("the registry has no schema {id}: it was rebuilt or the record was written elsewhere")]
    NotFound {
        /// The id that stands in the record.
        id: u32,
    },
    /// The registry did not answer, or answered with an error of its own: ask again later.
    #[error("the registry is not available: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
    },
    /// The schema is there and is not an Avro schema that this decoder reads.
    #[error("schema {id} is not usable: {reason}")]
    Unusable {
        /// The id that stands in the record.
        id: u32,
        /// What is wrong with it.
        reason: String,
    },
}

impl RegistryError {
    /// True when the same question may be answered later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// How long one answer may take. Consumers wait for the registry by asking again, not by hanging.
const PATIENCE: Duration = Duration::from_secs(5);

/// Confluent's error code for an id that is not there.
const NO_SUCH_SCHEMA: u32 = 40403;

/// Schemas by id. An id never changes its schema, so each is asked for once and kept; errors are not kept.
#[derive(Debug)]
pub struct Registry {
    settings: SrSettings,
    schemas: Mutex<HashMap<u32, Arc<OnceCell<Arc<Schema>>>>>,
}

impl Registry {
    /// A registry at its Confluent-compatible address (`.../apis/ccompat/v7`), through the given HTTP client.
    pub fn new(address: &str, client: reqwest::ClientBuilder) -> Result<Self, RegistryError> {
        let settings = SrSettings::new_builder(address.trim_end_matches('/').to_owned())
            .set_timeout(PATIENCE)
            .build_with(client)
            .map_err(|error| RegistryError::Unavailable { reason: reason(&error) })?;
        Ok(Self { settings, schemas: Mutex::default() })
    }

    /// The schema of an id. Many callers asking for one id at once ask the registry once.
    pub async fn schema(&self, id: u32) -> Result<Arc<Schema>, RegistryError> {
        let cell = self.cell(id);
        cell.get_or_try_init(|| self.fetch(id)).await.map(Arc::clone)
    }

    /// The schema of an id if it was asked for before: the hot path's look-up, which never waits.
    #[must_use]
    pub fn known(&self, id: u32) -> Option<Arc<Schema>> {
        let schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        schemas.get(&id).and_then(|cell| cell.get()).map(Arc::clone)
    }

    fn cell(&self, id: u32) -> Arc<OnceCell<Arc<Schema>>> {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(schemas.entry(id).or_default())
    }

    async fn fetch(&self, id: u32) -> Result<Arc<Schema>, RegistryError> {
        let registered = get_schema_by_id(id, &self.settings).await.map_err(|error| judge(id, &error))?;
        tracing::debug!(id, "schema {id} was read from the registry");
        parse(id, &registered).map(Arc::new)
    }
}

fn judge(id: u32, error: &SRCError) -> RegistryError {
    match answer(error) {
        Some(answer) if answer.error_code == NO_SUCH_SCHEMA => RegistryError::NotFound { id },
        _ => RegistryError::Unavailable { reason: reason(error) },
    }
}

fn answer(error: &SRCError) -> Option<&RawError> {
    std::error::Error::source(error).and_then(|source| source.downcast_ref())
}

fn reason(error: &SRCError) -> String {
    match &error.cause {
        Some(cause) => format!("{}: {cause}", error.error),
        None => error.error.clone(),
    }
}

fn parse(id: u32, registered: &RegisteredSchema) -> Result<Schema, RegistryError> {
    let unusable = |reason: String| RegistryError::Unusable { id, reason };
    if registered.schema_type != SchemaType::Avro {
        return Err(unusable(format!("it is {:?} and not Avro", registered.schema_type)));
    }
    if !registered.references.is_empty() {
        return Err(unusable("it refers to other schemas, which Debezium's never do".to_owned()));
    }
    registered.schema.parse().map_err(|error: serde_avro_fast::schema::SchemaError| unusable(error.to_string()))
}
