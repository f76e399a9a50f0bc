//! Clocks that are an hour apart.

use std::sync::Arc;

use platform::clock::Clock;
use platform::config::Reader;
use runtime::{Consumer, Settings, Surroundings};
use schemas::Registry;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::day::{Day, INVENTORY_DEFAULTS, MERCHANT_TAX, setting};

/// The machine's clock, so many hours off.
struct Off(i64);

impl Clock for Off {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::hours(self.0)
    }
}

/// A worker in this process, whose clock is off.
fn start<C: Consumer>(day: &Day, consumer: C, control: PgPool, hours: i64, stop: &CancellationToken) {
    let environment = bed::environment();
    let mut settings = Settings::read(consumer.name(), &mut Reader::new(&environment)).unwrap();
    day.group(consumer.name()).clone_into(&mut settings.group);
    let registry = Registry::new(&setting("APP_ENV_SCHEMA_REGISTRY_URL"), reqwest::Client::builder()).unwrap();
    let surroundings = Surroundings { settings, control, registry: Arc::new(registry), clock: Arc::new(Off(hours)) };
    tokio::spawn(runtime::run(consumer, surroundings, stop.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_whose_clocks_are_an_hour_ahead_and_behind() {
    let mut day = Day::begin(16, "clocks an hour apart").await;
    let stop = CancellationToken::new();
    for hours in [-1, 1] {
        let (control, invoice) = (day.backbone.pool.clone(), day.invoice.pool.clone());
        start(&day, merchant_tax::MerchantTax::new(invoice), control.clone(), hours, &stop);
        let inventory = inventory_defaults::InventoryDefaults::new(day.inventory.pool.clone());
        start(&day, inventory, control, hours, &stop);
    }
    let load = day.load();
    load.more(day.events / 2).await;
    day.recover().await;
    let truth = load.end().await;
    day.end_with(&[MERCHANT_TAX, INVENTORY_DEFAULTS], &truth).await;
    stop.cancel();
}
