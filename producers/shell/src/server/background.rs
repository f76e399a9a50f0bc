//! What runs beside the requests.

use std::time::Duration;

use metrics::gauge;
use platform::metric;
use platform::postgres::wait_until_ready;
use platform::snowflake::{Snowflake, lease};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::idempotency;
use crate::kit::Kit;

const GAUGED_EVERY: Duration = Duration::from_secs(15);

/// What runs beside the requests until the lifecycle stops: keys and policies are kept fresh, old idempotency keys are
/// swept, the pool is measured, and the snowflake replica number is kept leased (unless it is fixed) until the last
/// request is answered. Registers `postgres` and `snowflake` as readiness checks. Answers when all of it has ended, so
/// that the lease is given back before the process ends. Run it as a task.
pub async fn background(kit: Kit, pool: PgPool, snowflake: Snowflake) {
    let (stop, service) = (kit.lifecycle().stop(), kit.service());
    register(&kit, &pool, &snowflake);
    let leasing_ends = CancellationToken::new();
    let leasing = async {
        // The number is fixed when it is there before anybody leased it.
        if snowflake.is_leased() || !wait_until_ready(&pool, service.name, &stop).await {
            return;
        }
        lease::keep(pool.clone(), snowflake.clone(), holder(&kit), leasing_ends.clone()).await;
    };
    let draining = async {
        stop.cancelled().await;
        drop(tokio::time::timeout(kit.settings().drain.deadline, kit.drained().cancelled()).await);
        leasing_ends.cancel();
    };
    let sweeping = idempotency::keep_sweeping(pool.clone(), service.name, stop.clone());
    let measuring = keep_measuring(&kit, &pool, &snowflake);
    let all = async { tokio::join!(kit.gate().keep_fresh(stop.clone()), leasing, draining, sweeping, measuring) };
    all.instrument(tracing::info_span!("background", service = service.name)).await;
}

fn register(kit: &Kit, pool: &PgPool, snowflake: &Snowflake) {
    kit.readiness().register_postgres("postgres", pool.clone());
    let checked = snowflake.clone();
    kit.readiness().register("snowflake", move || {
        let leased = checked.is_leased();
        async move { if leased { Ok(()) } else { Err("no replica number is leased yet".to_owned()) } }
    });
}

async fn keep_measuring(kit: &Kit, pool: &PgPool, snowflake: &Snowflake) {
    let (stop, service) = (kit.lifecycle().stop(), kit.service().name);
    loop {
        let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        let used = pool.size().saturating_sub(idle);
        gauge!(metric::POSTGRES_CONNECTIONS, "service" => service, "state" => "idle").set(idle);
        gauge!(metric::POSTGRES_CONNECTIONS, "service" => service, "state" => "used").set(used);
        gauge!(metric::SNOWFLAKE_LEASED, "service" => service).set(u32::from(snowflake.is_leased()));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(GAUGED_EVERY) => {}
        }
    }
}

/// Names this process for whoever looks at the leases. Process ids repeat in containers, so it has a random end.
fn holder(kit: &Kit) -> String {
    let mut bytes = [0; 8];
    kit.random().fill(&mut bytes);
    format!("{}/{}/{}", kit.service().name, std::process::id(), hex::encode(bytes))
}
