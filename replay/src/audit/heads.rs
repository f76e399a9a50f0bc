//! The head of the chain, outside the database: one object per entry, never written twice.

use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use url::Url;

/// The last entry of the chain, as it was when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The entry's number.
    pub id: i64,
    /// Its HMAC, in hexadecimal digits.
    pub mac: String,
}

/// Where heads are kept: object storage under one prefix, with the newest also under `newest`.
#[derive(Debug, Clone)]
pub struct Heads {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// Why heads cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    /// A folder that is not there cannot be made.
    #[error("cannot make the folder {0}: {1}")]
    Folder(String, std::io::Error),
    /// Object storage failed.
    #[error("the audit's heads at APP_ENV_AUDIT_HEADS_URL: {0}")]
    Storage(#[from] object_store::Error),
    /// What is there is no head.
    #[error("the newest head at APP_ENV_AUDIT_HEADS_URL is not one: {0}")]
    NotAHead(#[from] serde_json::Error),
}

impl Heads {
    /// The storage at a URL: `file:///var/lib/sluice/audit`, which is made where it is missing.
    pub fn open(url: &Url) -> Result<Self, HeadsError> {
        if let Some(folder) = (url.scheme() == "file").then(|| url.to_file_path().ok()).flatten() {
            std::fs::create_dir_all(&folder)
                .map_err(|error| HeadsError::Folder(folder.display().to_string(), error))?;
            return Ok(Self { store: Arc::new(LocalFileSystem::new_with_prefix(folder)?), prefix: Path::default() });
        }
        let (store, prefix) = object_store::parse_url(url)?;
        Ok(Self { store: store.into(), prefix })
    }

    /// Keeps a head.
    pub(super) async fn put(&self, head: &Head) -> Result<(), HeadsError> {
        let bytes = serde_json::to_vec(head)?;
        // 20 digits: names sort as numbers do
        self.store.put(&self.at(&format!("{:020}", head.id)), bytes.clone().into()).await?;
        self.store.put(&self.at("newest"), bytes.into()).await?;
        Ok(())
    }

    /// The newest head; none when nothing was ever written.
    pub(super) async fn newest(&self) -> Result<Option<Head>, HeadsError> {
        match self.store.get(&self.at("newest")).await {
            Ok(found) => Ok(Some(serde_json::from_slice(&found.bytes().await?)?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn at(&self, name: &str) -> Path {
        self.prefix.parts().chain(Path::from(format!("{name}.json")).parts()).collect()
    }
}
