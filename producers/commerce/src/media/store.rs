//! Where the bytes are: object storage under one prefix.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use shell::Problem;
use url::Url;

/// Object storage, shared by clones.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// Why a URL gives no storage.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder that is not there cannot be made.
    #[error("cannot make the folder {0}: {1}")]
    Folder(String, std::io::Error),
    /// The URL is none of object storage.
    #[error("APP_ENV_MEDIA_URL is no object storage: {0}")]
    Url(#[from] object_store::Error),
}

impl Store {
    /// The storage at a URL: `file:///var/lib/sluice/media`, which is made where it is missing.
    pub fn open(url: &Url) -> Result<Self, StoreError> {
        if let Some(folder) = (url.scheme() == "file").then(|| url.to_file_path().ok()).flatten() {
            std::fs::create_dir_all(&folder)
                .map_err(|error| StoreError::Folder(folder.display().to_string(), error))?;
            let inner = Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_automatic_cleanup(true));
            return Ok(Self { inner, prefix: Path::default() });
        }
        let (inner, prefix) = object_store::parse_url(url)?;
        Ok(Self { inner: inner.into(), prefix })
    }

    fn at(&self, key: &str) -> Path {
        self.prefix.parts().chain(Path::from(key).parts()).collect()
    }

    /// Puts bytes under a key.
    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Problem> {
        self.inner.put(&self.at(key), bytes.into()).await.map(|_| ()).map_err(|error| unavailable(&error))
    }

    /// A part of the bytes under a key, as they come.
    pub(super) async fn get(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, std::io::Error>>, Problem> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.inner.get_opts(&self.at(key), options).await.map_err(|error| unavailable(&error))?;
        Ok(found.into_stream().map(|chunk| chunk.map_err(std::io::Error::other)).boxed())
    }

    /// Forgets what is under a key. Failing leaves bytes that nothing points at: it is logged, no more.
    pub(super) async fn forget(&self, key: &str) {
        if let Err(error) = self.inner.delete(&self.at(key)).await {
            tracing::warn!(key, %error, "could not delete an object that nothing points at");
        }
    }
}

fn unavailable(error: &object_store::Error) -> Problem {
    tracing::error!(%error, "object storage failed");
    Problem::unavailable("STORAGE_UNAVAILABLE", "the storage of media is out of reach at the moment; try again", 5)
}
