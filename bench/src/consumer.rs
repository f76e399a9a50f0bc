//! The consumer that is measured: the runtime as every consumer has it, and an effect as merchant-tax has it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use platform::clock::SystemClock;
use platform::config::Reader;
use platform::postgres::PoolSettings;
use platform::telemetry::{self, TelemetrySettings};
use runtime::preview::Trial;
use runtime::{
    Batch, Change, Consumer, Decision, EntityKey, Fault, Outcome, Preview, Rows, Settings, Surroundings, Topic,
};
use schemas::{Position, Registry, Row as _};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::row::{self, Plan, Variant};
use crate::stack::Stack;
use crate::upsert;

/// What the process is told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The topic to read.
    #[arg(long)]
    topic: String,
    /// The group to read it as.
    #[arg(long)]
    group: String,
    /// The database to write.
    #[arg(long)]
    target: String,
    /// Its `backbone`.
    #[arg(long)]
    control: String,
    /// Without the guard, tombstones and frontier: what they cost is measured against it.
    #[arg(long)]
    bare: bool,
}

/// The consumer's name.
pub(crate) const NAME: &str = "bench";

pub(crate) struct Variants {
    target: PgPool,
    topic: String,
    is_bare: bool,
}

impl Consumer for Variants {
    type Row = Variant;
    type Plan = Plan;

    fn name(&self) -> &'static str {
        NAME
    }

    fn topics(&self) -> Vec<Topic<Variant>> {
        let topic = Topic::of::<Variant>(|variant| variant, |variant| variant.deleted_at.is_some());
        vec![topic.named(&self.topic)]
    }

    fn inherit(variant: &mut Variant, earlier: Variant, at: Position) {
        variant.inherit(earlier, at);
    }

    fn home(&self) -> &PgPool {
        &self.target
    }

    fn decide(&self, change: &Change<Variant>) -> Decision<Plan> {
        row::decide(change)
    }

    async fn apply(&self, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
        if self.is_bare {
            return upsert::apply_bare(&self.target, batch).await;
        }
        upsert::apply(&self.target, batch).await
    }

    async fn preview(&self, batch: &Batch<Plan>) -> Result<Preview, Fault> {
        let mut trial = Trial::begin(&self.target, batch, rows).await?;
        let outcome = upsert::write(trial.connection(), batch).await?;
        trial.end(outcome).await
    }
}

fn rows(variant: &EntityKey) -> Vec<Rows> {
    variant.id().map(|id| Rows { table: "variant", column: "id", key: &["id"], id }).into_iter().collect()
}

/// Runs the consumer until SIGTERM, with the logs and metrics that a consumer in production has.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let mut reader = Reader::new(&stack.environment);
    let read = (TelemetrySettings::read(&mut reader), Settings::read(NAME, &mut reader));
    let read = match read {
        (Some(telemetry), Some(settings)) => Some((telemetry, settings)),
        _ => None,
    };
    let ((logs, mut settings), _) = reader.finish(read)?;
    settings.group.clone_from(&arguments.group);
    telemetry::install_logs(&logs);
    let metrics = telemetry::install_metrics().context("cannot install the metrics recorder")?;
    // nobody scrapes here, and what is not scraped is kept
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            metrics.run_upkeep();
        }
    });
    let (mut variants, around) = make(stack, settings, arguments.topic.clone(), &arguments.target, &arguments.control)?;
    variants.is_bare = arguments.bare;
    let stop = CancellationToken::new();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            if let Ok(mut signal) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                signal.recv().await;
                stop.cancel();
            }
        }
    });
    runtime::run(variants, around, stop).await
}

/// The consumer and its surroundings.
pub(crate) fn make(
    stack: &Stack,
    settings: Settings,
    topic: String,
    target: &str,
    control: &str,
) -> anyhow::Result<(Variants, Surroundings)> {
    let pool = |database: &str| {
        let settings = PoolSettings::named(NAME).max_connections(8);
        platform::postgres::connect(&stack.url(database), &settings)
    };
    let registry = Registry::new(stack.get("APP_ENV_SCHEMA_REGISTRY_URL")?, reqwest::Client::builder())?;
    let around =
        Surroundings { settings, control: pool(control)?, registry: Arc::new(registry), clock: SystemClock::shared() };
    Ok((Variants { target: pool(target)?, topic, is_bare: false }, around))
}
