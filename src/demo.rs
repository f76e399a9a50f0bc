//! `sluice demo`: a catalogue is written through the public API, and its way into every target is watched.

mod api;
mod board;
mod catalogue;
mod change;
mod draw;
mod latency;
mod ledger;
mod section;
mod settings;
mod show;
mod survey;
mod targets;
mod tax;
mod watch;
mod write;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use platform::config::Environment;
use serde_json::{Value, json};

use api::Api;
use catalogue::{Shop, catalogue, round};
use change::Change;
use ledger::{Effects, Ledger};
use settings::Settings;
use survey::Known;
use targets::{Targets, What};
use watch::{Goal, watch};

/// Writes what is missing of the catalogue; when all of it is there, makes a round of changes.
pub(crate) async fn run(environment: &Environment) -> anyhow::Result<ExitCode> {
    let settings = Settings::of(environment)?;
    println!("{}", ::identity::bootstrap(environment).await?);
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
    let api = Arc::new(Api::new(http.clone(), &settings));
    let targets = Targets::new(http, &settings)?;
    let shops: Arc<[Shop]> = catalogue().into();
    let known = survey::survey(&api, &shops)
        .await
        .context("cannot see what is there; is `sluice dev` up? type `make status`")?;
    let known = if write::missing(&shops, &known) > 0 {
        first_run(&api, &targets, &shops, known).await?
    } else {
        later_run(&api, &targets, &shops, known, &settings.memory).await?
    };
    let merchants: Vec<i64> = known.iter().filter_map(|known| known.merchant).collect();
    show::samples(&targets, &merchants).await?;
    latency::measure(&api, &targets, &known).await?;
    show::what_to_open(&settings, merchants.first().copied().unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

async fn first_run(
    api: &Arc<Api>,
    targets: &Targets,
    shops: &Arc<[Shop]>,
    mut known: Vec<Known>,
) -> anyhow::Result<Vec<Known>> {
    let missing = write::missing(shops, &known);
    let live = |(shop, known): (&Shop, &Known)| {
        let items = shop.items.iter().filter(|item| !known.deleted.contains_key(item.name));
        items.fold((0, 0), |(products, variants), item| (products + 1, variants + item.sizes.len()))
    };
    let (products, variants) =
        shops.iter().zip(&known).map(live).fold((0, 0), |sum, shop| (sum.0 + shop.0, sum.1 + shop.1));
    println!(
        "A catalogue of {} merchants and {products} products with {variants} variants; {missing} rows are to be written.",
        shops.len()
    );
    let merchants = known.iter().filter_map(|known| known.merchant).collect();
    let ledger = Arc::new(Ledger::new(missing, Effects { merchants, ..Effects::default() }));
    let goals = [
        Goal::new("invoice: tax info", What::TaxInfo, shops.len()),
        Goal::new("inventory: default locations", What::Locations, shops.len()),
        Goal::new("inventory: levels", What::Levels, variants),
        Goal::new("search: documents", What::Documents, products),
    ];
    let writer = tokio::spawn({
        let (api, shops, ledger) = (api.clone(), shops.clone(), ledger.clone());
        async move {
            let start = Instant::now();
            write::write(&api, &shops, &mut known, &ledger).await?;
            Ok((known, start.elapsed()))
        }
    });
    let (known, took) = watch(writer, &ledger, targets, &goals).await?;
    rate(missing, took);
    Ok(known)
}

async fn later_run(
    api: &Arc<Api>,
    targets: &Targets,
    shops: &Arc<[Shop]>,
    known: Vec<Known>,
    memory: &Path,
) -> anyhow::Result<Vec<Known>> {
    let number = rounds_made(memory) + 1;
    let changes = change::plan(shops, &known, number, &round(shops, number), &round(shops, number - 1));
    let count = |of: fn(&Change) -> bool| changes.iter().filter(|change| of(change)).count();
    let repriced = count(|change| matches!(change, Change::Reprice(..)));
    let renamed = count(|change| matches!(change, Change::Rename(..)));
    let gone = count(|change| matches!(change, Change::Delete(_)));
    let back = count(|change| matches!(change, Change::Restore(_)));
    println!(
        "Round {number} of changes: {repriced} products get other prices, {renamed} merchants another name at the tax \
         office, {gone} products are deleted, {back} restored."
    );
    let goals = [
        Goal::new("invoice: names at the tax office", What::TaxNames, renamed),
        Goal::new("search: other prices", What::Prices, repriced),
        Goal::new("search: documents gone", What::GoneDocuments, gone),
        Goal::new("search: documents back", What::BackDocuments, back),
        Goal::new("inventory: products without levels", What::GoneLevels, gone),
    ];
    let planned = changes.len();
    let ledger = Arc::new(Ledger::new(planned, Effects::default()));
    let writer = tokio::spawn({
        let (api, ledger) = (api.clone(), ledger.clone());
        async move {
            let start = Instant::now();
            change::change(&api, &changes, &ledger).await?;
            Ok(start.elapsed())
        }
    });
    let took = watch(writer, &ledger, targets, &goals).await?;
    rate(planned, took);
    let made = json!({"rounds": number}).to_string();
    std::fs::write(memory, made).with_context(|| format!("cannot write {}", memory.display()))?;
    survey::survey(api, shops).await
}

fn rounds_made(memory: &Path) -> u64 {
    let text = std::fs::read_to_string(memory).unwrap_or_default();
    serde_json::from_str::<Value>(&text).ok().and_then(|memory| memory["rounds"].as_u64()).unwrap_or(0)
}

fn rate(writes: usize, took: Duration) {
    let seconds = took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a count of writes is far below 2^52")]
    let per_second = writes as f64 / seconds.max(0.001);
    println!(
        "  {writes} writes through the API in {seconds:.1} s: {per_second:.0} a second, {} at a time",
        write::AT_ONCE
    );
}
