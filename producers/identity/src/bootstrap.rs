//! The first administrator, made from the command line.

use std::fmt;

use platform::clock::{Clock, SystemClock};
use platform::config::{Environment, Invalid, Reader};
use platform::postgres::{self, PoolSettings};
use platform::random::SystemRandom;
use platform::snowflake::{Snowflake, lease};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{PgConnection, PgPool};

use crate::password::hash;
use crate::password::strength::{self, Weakness};
use crate::rank::SUPER_ADMIN;
use crate::user::email::{self, NotAnEmail};
use crate::user::store::NewUser;
use crate::user::{grant, store};

/// What a bootstrap did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bootstrapped {
    /// There was no administrator; now there is this one.
    Created {
        /// Its id.
        id: i64,
        /// Its e-mail address.
        email: String,
    },
    /// There is one already (this one or another): nothing was changed, the password neither.
    Present,
}

impl fmt::Display for Bootstrapped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { id, email } => write!(formatter, "made the first administrator: {email} (id {id})"),
            Self::Present => formatter.write_str("there is an administrator already: nothing was changed"),
        }
    }
}

/// Why there is no administrator.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A variable is missing or wrong: exit 64.
    #[error(transparent)]
    Configuration(#[from] Invalid),
    /// The address is none.
    #[error("APP_ENV_BOOTSTRAP_EMAIL {0}")]
    Email(#[from] NotAnEmail),
    /// The password would be guessed.
    #[error("APP_ENV_BOOTSTRAP_PASSWORD {0}")]
    Weak(#[from] Weakness),
    /// Somebody who is no administrator has the address.
    #[error("{0} belongs to a user who is no administrator: choose another APP_ENV_BOOTSTRAP_EMAIL")]
    Taken(String),
    /// The seeds have not run.
    #[error("there is no role SUPER_ADMIN: run `sluice migrate` first")]
    Unseeded,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// argon2 failed.
    #[error(transparent)]
    Hash(#[from] hash::HashError),
}

/// Makes the first `SUPER_ADMIN` from `APP_ENV_BOOTSTRAP_EMAIL` and `APP_ENV_BOOTSTRAP_PASSWORD`, in the database at
/// `IDENTITY__APP_ENV_DB_URL`. Does nothing when there is an active one: whoever can read the variables later cannot
/// make himself an administrator with them.
pub async fn bootstrap(environment: &Environment) -> Result<Bootstrapped, BootstrapError> {
    let scoped = environment.scoped("identity");
    let mut reader = Reader::new(&scoped);
    let url: Option<SecretString> = reader.required("APP_ENV_DB_URL", "where identity's database is");
    let email: Option<String> = reader.required("APP_ENV_BOOTSTRAP_EMAIL", "the first administrator's e-mail address");
    let password: Option<SecretString> =
        reader.required("APP_ENV_BOOTSTRAP_PASSWORD", "the first administrator's password");
    let ((url, email, password), _) = reader.finish((|| Some((url?, email?, password?)))())?;
    let pool = postgres::connect(url.expose_secret(), &PoolSettings::named("identity-bootstrap").max_connections(2))?;
    let outcome = first_administrator(&pool, &email, &password).await;
    pool.close().await;
    outcome
}

/// As [`bootstrap`], in this database.
pub async fn first_administrator(
    pool: &PgPool,
    email: &str,
    password: &SecretString,
) -> Result<Bootstrapped, BootstrapError> {
    let email = email::normalise(email)?;
    strength::check(password.expose_secret(), &email)?;
    let password = password.expose_secret().to_owned();
    let hashed = tokio::task::spawn_blocking(move || hash::hash(&password, &SystemRandom)).await;
    let password_hash = hashed.map_err(|_| hash::HashError)??;
    let id = one_id(pool).await?;
    let user = NewUser { id, email, name: "Administrator".into(), password_hash, created_by: id };
    postgres::write(pool, move |transaction| Box::pin(async move { create(transaction, &user).await })).await
}

async fn create(connection: &mut PgConnection, user: &NewUser) -> Result<Bootstrapped, BootstrapError> {
    // One at a time: two that start together would both find that there is nobody yet. The role's row is the lock.
    if !lock_role(&mut *connection).await? {
        return Err(BootstrapError::Unseeded);
    }
    if has_administrator(&mut *connection).await? {
        return Ok(Bootstrapped::Present);
    }
    let now = SystemClock.now();
    let inserted = store::insert(&mut *connection, user, now).await;
    inserted.map_err(|error| match &error {
        sqlx::Error::Database(cause) if cause.constraint() == Some("app_user_email") => {
            BootstrapError::Taken(user.email.clone())
        }
        _ => error.into(),
    })?;
    grant::set_roles(&mut *connection, user.id, &[SUPER_ADMIN.to_owned()], user.id, now).await?;
    Ok(Bootstrapped::Created { id: user.id, email: user.email.clone() })
}

async fn lock_role(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let locked = sqlx::query("select id from role where name = 'SUPER_ADMIN' and deleted_at is null for update");
    Ok(locked.fetch_optional(connection).await?.is_some())
}

async fn has_administrator(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (
             select 1 from app_user u
             join user_role r on r.user_id = u.id and r.role = 'SUPER_ADMIN' and r.deleted_at is null
             where u.deleted_at is null and u.status = 'ACTIVE')",
    )
    .fetch_one(connection)
    .await
}

/// An id from a replica number that is leased for the moment, as a shell's are: the command runs beside running shells.
async fn one_id(pool: &PgPool) -> sqlx::Result<i64> {
    let holder = format!("bootstrap-{}", std::process::id());
    let (replica, floor_ms) = lease::acquire(pool, &holder).await?;
    let snowflake = Snowflake::fixed(platform::service::Service::IDENTITY.node_id, replica, SystemClock::shared());
    loop {
        let id = snowflake.next_id().map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
        if platform::snowflake::time_ms(id) > floor_ms {
            return Ok(id);
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
