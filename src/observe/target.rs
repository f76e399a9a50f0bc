//! Whether targets show what their sources hold: `sluice reconcile` again and again, at a low rate, as counts.

use std::time::Duration;

use platform::config::Environment;
use platform::metric;
use replay::reconcile::{Kind, reconcile};
use runtime::{Comparison, Consumer, Surroundings};
use tokio_util::sync::CancellationToken;

use super::float;
use crate::consume::{CONSUMERS, Visit, with};
use crate::tools::Tools;

/// Compares every target that can be, after each pause. No pause: never.
pub(super) async fn watch(environment: Environment, every: Duration, stop: CancellationToken) -> anyhow::Result<()> {
    if every.is_zero() {
        return Ok(());
    }
    let tools = Tools::new(&environment)?;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
        for name in CONSUMERS {
            // a comparison is given up half way: it only reads
            let compared = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                compared = compare(&tools, name) => compared,
            };
            if let Err(error) = compared {
                metrics::counter!(metric::OBSERVE_FAILURES, "what" => "target", "service" => name).increment(1);
                tracing::warn!(consumer = name, error = format!("{error:#}"), "cannot compare the target of {name}");
            }
        }
    }
}

async fn compare(tools: &Tools<'_>, name: &'static str) -> anyhow::Result<()> {
    let comparisons = with(name, &tools.ground(), Compared(tools))??;
    if comparisons.is_empty() {
        return Ok(());
    }
    let found = reconcile(&comparisons).await?;
    for kind in Kind::ALL {
        let count = found.wrong.iter().filter(|wrong| wrong.kind == kind).count();
        let count = float(i64::try_from(count).unwrap_or(i64::MAX));
        metrics::gauge!(metric::RECONCILER_DIFFERENCES, "consumer" => name, "kind" => kind.name()).set(count);
    }
    tracing::info!(consumer = name, rows = found.rows, wrong = found.wrong.len(), "compared the target of {name}");
    Ok(())
}

/// What of a consumer is compared.
struct Compared<'t>(&'t Tools<'t>);

impl Visit for Compared<'_> {
    type Output = anyhow::Result<Vec<Box<dyn Comparison>>>;

    fn visit<C: Consumer>(self, consumer: C, _: Surroundings) -> Self::Output {
        consumer.comparisons(&|service| self.0.source(service))
    }
}
