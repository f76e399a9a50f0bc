//! What every endpoint of identity works with.

use platform::clock::SharedClock;
use platform::random::SharedRandom;
use platform::snowflake::Snowflake;
use sqlx::PgPool;

use crate::password::check::Checker;
use crate::policy::bundle::Bundles;
use crate::signing_key::ring::SigningKeys;
use crate::throttle::Limits;

/// The service. Clones share everything.
#[derive(Clone)]
pub struct Identity {
    /// Its database.
    pub pool: PgPool,
    /// The time.
    pub clock: SharedClock,
    /// Randomness.
    pub random: SharedRandom,
    /// Ids.
    pub snowflake: Snowflake,
    /// What signs.
    pub keys: SigningKeys,
    /// The policies, signed.
    pub bundles: Bundles,
    /// What checks passwords.
    pub passwords: Checker,
    /// How many failures are allowed.
    pub limits: Limits,
}
