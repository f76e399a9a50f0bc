//! What is done beside the requests: private keys are sealed anew after the secret was rotated, and what nobody asks for
//! any more is deleted.

use std::time::Duration;

use platform::postgres::uninterrupted;
use tokio_util::sync::CancellationToken;

use crate::state::Identity;
use crate::throttle;
use crate::token::refresh;

const FIRST: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_mins(10);

/// Until `stop`. Run it as a task.
pub async fn keep(identity: Identity, stop: CancellationToken) {
    let mut pause = FIRST;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => pause = PAUSE,
        }
        let once = identity.clone();
        if let Err(error) = uninterrupted(async move { tidy(&once).await }).await {
            tracing::warn!(error = format!("{error:#}"), "housekeeping failed; trying again in ten minutes");
        }
    }
}

/// Does all of it once.
pub async fn tidy(identity: &Identity) -> anyhow::Result<()> {
    let now = identity.clock.now();
    let resealed = identity.keys.reseal().await?;
    if resealed > 0 {
        tracing::info!(resealed, "sealed {resealed} signing keys anew under the present application secret");
    }
    let window = identity.limits.account.window.max(identity.limits.address.window);
    throttle::store::sweep(&identity.pool, now - window).await?;
    refresh::sweep(&identity.pool, now - refresh::KEPT).await?;
    Ok(())
}
