//! The end of a connector: for a table that is no longer captured, and for tests.

use sqlx::PgPool;

use crate::connect::{Connect, ConnectError};
use crate::slot;
use crate::template::Configuration;

/// Why a connector could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// Connect could not be asked, or refused.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The slot could not be dropped.
    #[error("slot {slot}: {source}")]
    Slot {
        /// The slot.
        slot: String,
        /// What the database said.
        source: sqlx::Error,
    },
}

/// How often a slot is tried that its connector still holds, and how long apart.
const ATTEMPTS: u32 = 40;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// Stops a connector, forgets its offsets, removes it and drops its slot: without that last step the database would
/// keep its log until the disk is full. Topics and schemas stay.
pub async fn delete(connect: &Connect, configuration: &Configuration, database: &PgPool) -> Result<(), DeleteError> {
    let name = &configuration.name;
    match connect.stop(name).await {
        Ok(()) => {
            forget(connect, name).await?;
            connect.delete(name).await?;
        }
        Err(ConnectError::NoSuchConnector(_)) => {}
        Err(error) => return Err(error.into()),
    }
    drop_slot(configuration.get("slot.name").unwrap_or_default(), database).await
}

/// Offsets can be forgotten only when the tasks are gone, which takes a moment after the connector was stopped.
async fn forget(connect: &Connect, name: &str) -> Result<(), ConnectError> {
    let mut attempt = 1;
    loop {
        match connect.forget_offsets(name).await {
            Err(ConnectError::Refused { .. }) if attempt < ATTEMPTS => attempt += 1,
            forgotten => return forgotten,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn drop_slot(name: &str, database: &PgPool) -> Result<(), DeleteError> {
    let failed = |source| DeleteError::Slot { slot: name.to_owned(), source };
    for _ in 0..ATTEMPTS {
        if slot::drop(database, name).await.map_err(failed)?
            || slot::read(database, name).await.map_err(failed)?.is_none()
        {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(failed(sqlx::Error::Protocol("still in use".into())))
}
