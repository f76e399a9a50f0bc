//! Pools: lazy, small, and named for whoever looks into `pg_stat_activity`.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};
use tokio_util::sync::CancellationToken;

/// How a pool behaves. Start from [`PoolSettings::named`].
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// What the server calls these connections (`application_name`).
    pub application_name: String,
    /// At most this many connections. An idle pool has none.
    pub max_connections: u32,
    /// How long a caller waits for a connection before it is told that there is none.
    pub acquire_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// How long a transaction may stand idle before the server ends it: a net under the rule of `write`.
    pub idle_in_transaction_timeout: Duration,
    /// How long one statement may run; zero is without limit.
    pub statement_timeout: Duration,
}

impl PoolSettings {
    /// Sixteen connections, three seconds to get one, fifteen for a statement: right for a shell.
    pub fn named(application_name: impl Into<String>) -> Self {
        Self {
            application_name: application_name.into(),
            max_connections: 16,
            acquire_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_mins(2),
            idle_in_transaction_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(15),
        }
    }

    /// With another number of connections.
    #[must_use]
    pub fn max_connections(mut self, max_connections: u32) -> Self {
        self.max_connections = max_connections;
        self
    }

    /// With another limit for one statement.
    #[must_use]
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = limit;
        self
    }
}

/// A pool that connects when it is first used. Touches no network; see [`wait_until_ready`].
///
/// # Errors
/// [`sqlx::Error::Configuration`] when the URL is not a Postgres URL.
pub fn connect(url: &str, settings: &PoolSettings) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name(&settings.application_name).options([
        ("idle_in_transaction_session_timeout", settings.idle_in_transaction_timeout.as_millis().to_string()),
        ("statement_timeout", settings.statement_timeout.as_millis().to_string()),
        ("timezone", "UTC".to_owned()),
        // each statement sees what was committed before it: what waits for a lock and then looks would else look at the past
        ("default_transaction_isolation", "read committed".to_owned()),
    ]);
    Ok(PgPoolOptions::new()
        .min_connections(0)
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        .idle_timeout(settings.idle_timeout)
        .max_lifetime(Duration::from_mins(30))
        // A ping before every use would be a round trip of every request. One that was used a moment ago is taken as
        // it is; one that lay idle is tried, so that a restarted server costs no request an error.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for < Duration::from_secs(1) {
                    return Ok(true);
                }
                Ok(connection.ping().await.is_ok())
            })
        })
        .connect_lazy_with(options))
}

/// Waits for a server that is slow at start, saying so every few seconds. Ends at the first answer, or at `stop`.
/// `what` names the database for the log. Answers whether the server answered.
pub async fn wait_until_ready(pool: &PgPool, what: &str, stop: &CancellationToken) -> bool {
    let mut pause = Duration::from_millis(100);
    for attempt in 1_u32.. {
        // Only the sleep is cancelled by `stop`, never the statement: see the rule of `write`.
        let Err(error) = sqlx::query("select 1").execute(pool).await else { return true };
        if attempt == 1 || attempt % 5 == 0 {
            tracing::warn!(database = what, attempt, %error, "waiting for the {what} database");
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    false
}
