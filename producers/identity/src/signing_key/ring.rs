//! The keys of this process: which signs, which verify, and how one is made or rotated.
//!
//! The database is asked which key signs each time something is signed (one indexed row), so that after a rotation no
//! replica signs with the old key for longer than the moment between the question and the signature.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use platform::clock::SharedClock;
use platform::postgres;
use platform::random::SharedRandom;
use platform::sealing::{Keyring, OpenError, Place};
use platform::snowflake::{Snowflake, Unleased};
use shell::authority::{Jwk, Jwks};
use sqlx::{PgConnection, PgPool};

use super::keypair::{self, KeyError, KeyPair};
use super::store::{self, StoredKey};
use crate::token::access;

/// How long a retired key stays in the JWKS: until the last token that it signed has expired by everybody's clock,
/// and a minute for a signature that was under way while the key was retired.
pub const RETIREMENT: Duration = Duration::from_secs(access::LIFETIME.as_secs() + access::LEEWAY.as_secs() + 60);

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The database could not be asked.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// `APP_ENV_APPLICATION_SECRET` is not the one under which the key was sealed.
    #[error("the signing key {kid} does not open: {source}")]
    Sealed {
        /// Which key.
        kid: String,
        /// Why.
        source: OpenError,
    },
    /// The scalar is none, or the library refused.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No id can be made now.
    #[error(transparent)]
    Unleased(#[from] Unleased),
    /// Two rotations at the same moment: the other one counts.
    #[error("the key was rotated by somebody else at the same moment")]
    Raced,
}

/// Signing keys, opened once and kept in memory by their `kid`.
#[derive(Clone)]
pub struct SigningKeys {
    pool: PgPool,
    sealing: Keyring,
    random: SharedRandom,
    clock: SharedClock,
    snowflake: Snowflake,
    opened: Arc<Mutex<HashMap<String, KeyPair>>>,
}

impl SigningKeys {
    /// Keys in this database, whose private halves are sealed by `sealing`.
    #[must_use]
    pub fn new(pool: PgPool, sealing: Keyring, random: SharedRandom, clock: SharedClock, snowflake: Snowflake) -> Self {
        Self { pool, sealing, random, clock, snowflake, opened: Arc::default() }
    }

    /// The key that signs now. One is made if there is none at all.
    pub async fn signer(&self) -> Result<KeyPair, RingError> {
        if let Some(stored) = store::active(&self.pool).await? {
            return self.open(&stored);
        }
        let stored = self.make()?;
        let pool = self.pool.clone();
        postgres::uninterrupted(async move { store::insert(&pool, &stored).await }).await?;
        // Another replica may have been faster: whichever is there now is the one.
        let stored = store::active(&self.pool).await?.ok_or(RingError::Raced)?;
        self.open(&stored)
    }

    /// The public keys with which something may be verified now. The first to ask in a new installation makes the first
    /// key, so that nobody is told an empty set just before something is signed.
    pub async fn verifying(&self) -> Result<Jwks, RingError> {
        let mut keys = store::verifying(&self.pool, self.clock.now()).await?;
        if keys.is_empty() {
            self.signer().await?;
            keys = store::verifying(&self.pool, self.clock.now()).await?;
        }
        Ok(Jwks { keys: keys.iter().map(|key| keypair::jwk(&key.x, &key.y)).collect() })
    }

    /// A new key signs from now on; the old one verifies until [`RETIREMENT`] has passed. Part of the caller's
    /// transaction. Answers the new key.
    pub async fn rotate(&self, connection: &mut PgConnection) -> Result<StoredKey, RingError> {
        let new = self.make()?;
        if let Some(old) = store::active(&mut *connection).await? {
            let expires_at = new.created_at + RETIREMENT;
            if !store::retire(&mut *connection, old.id, new.created_at, expires_at).await? {
                return Err(RingError::Raced);
            }
        }
        if store::insert(&mut *connection, &new).await? { Ok(new) } else { Err(RingError::Raced) }
    }

    /// Seals every private half under today's application secret, after that was rotated. Run at every start: it
    /// does nothing when nothing is old.
    pub async fn reseal(&self) -> Result<usize, RingError> {
        let mut resealed = 0;
        for stored in store::verifying(&self.pool, self.clock.now()).await? {
            let anew = self.sealing.reseal(place(stored.id), &stored.private_sealed);
            let anew = anew.map_err(|source| RingError::Sealed { kid: stored.kid.clone(), source })?;
            if let Some(anew) = anew {
                let pool = self.pool.clone();
                let write = async move { store::reseal(&pool, stored.id, &stored.private_sealed, &anew).await };
                postgres::uninterrupted(write).await?;
                resealed += 1;
            }
        }
        Ok(resealed)
    }

    fn make(&self) -> Result<StoredKey, RingError> {
        let id = self.snowflake.next_id()?;
        let pair = KeyPair::generate(&*self.random)?;
        let Jwk { kid, x, y, .. } = pair.jwk().clone();
        let private_sealed = self.sealing.seal(place(id), &pair.scalar());
        let created_at = self.clock.now();
        Ok(StoredKey { id, kid, x, y, private_sealed, created_at, retired_at: None, expires_at: None })
    }

    fn open(&self, stored: &StoredKey) -> Result<KeyPair, RingError> {
        if let Some(pair) = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(&stored.kid) {
            return Ok(pair.clone());
        }
        let scalar = self.sealing.open(place(stored.id), &stored.private_sealed);
        let scalar = scalar.map_err(|source| RingError::Sealed { kid: stored.kid.clone(), source })?;
        let pair = KeyPair::from_scalar(&scalar)?;
        self.remember(&pair);
        Ok(pair)
    }

    /// Only the key that signs is worth keeping.
    fn remember(&self, pair: &KeyPair) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.clear();
        opened.insert(pair.jwk().kid.clone(), pair.clone());
    }
}

fn place(id: i64) -> Place<'static> {
    Place { table: "public.signing_key", row: id, column: "private_sealed" }
}
