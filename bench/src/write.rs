//! Products written through the API, in turns with pgbench, which runs the same statements and nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context as _;
use platform::service::Service;
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::load::{self, NUMBER, Request};
use crate::pgbench::{self, Answer, Load};
use crate::process::{self, Running};
use crate::report::{self, Table, percentile, verdict};
use crate::sluice::Sluice;
use crate::stack::Stack;

/// How many connections write at once; each writes products of a merchant of its own.
const CLIENTS: usize = 32;
/// For how long the service is warmed up before each of its turns.
const WARM_UP: Duration = Duration::from_secs(2);
/// What there is to say of each product.
pub(crate) const DESCRIPTION: &str = "Bánh tráng trộn với khô bò, trứng cút, xoài xanh và rau răm";

/// What the first write meets: merchants with a category each, and a catalogue that is not empty.
const CATALOGUE: &str = "
truncate merchant, idempotency_key cascade;
insert into merchant (id, name, industry, taxpayer, address_line, status, deletion_policy, created_by, version, created_at, updated_at)
select i, 'Quán ' || i, 'RETAIL', 'HOUSEHOLD', '1 Lê Lợi', 'ACTIVE', 'RESTRICT', 1, 1, now(), now() from generate_series(1, 32) i;
insert into category (id, merchant_id, name, slug, position, created_by, version, created_at, updated_at)
select i, i, 'Ăn vặt', 'an-vat', 0, 1, 1, now(), now() from generate_series(1, 32) i;
insert into product (id, merchant_id, category_id, kind, name, slug, description, status, industry_group, vat_class, created_by,
                     version, created_at, updated_at)
select 1000 + i * 4, 1 + i % 32, 1 + i % 32, 'RETAIL', 'Bánh ' || i, 'banh-' || i, '', 'ACTIVE', 'GOODS', 'STANDARD', 1, 1, now(), now()
  from generate_series(1, 20000) i;
insert into variant (id, product_id, merchant_id, sku, barcode, name, unit, price, attributes, is_default, position, created_by,
                     version, created_at, updated_at)
select 1000 + i * 4 + k, 1000 + i * 4, 1 + i % 32, 'B-' || i || '-' || k, null, 'Cỡ ' || k, 'gói', 1000, '{}', k = 1, k, 1, 1, now(), now()
  from generate_series(1, 20000) i, generate_series(1, 3) k;
insert into price (variant_id, product_version, merchant_id, amount, set_by, set_at)
select id, 1, merchant_id, price, 1, now() from variant;";
const FORGET: &str = "truncate merchant, idempotency_key cascade";
const VACUUM: &str = "vacuum (analyze) merchant, category, product, variant, price, idempotency_key";

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long a turn lasts, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// How many turns each of the two has.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Nothing is written to RESULTS.md.
    #[arg(long)]
    quiet: bool,
}

/// One turn of one of the two.
struct Turn {
    per_second: f64,
    milliseconds: Vec<f64>,
    /// Processor time per request of the service and of the client that asks it, in microseconds. Not taken of pgbench.
    cpu_us: Option<(f64, f64)>,
    load: String,
}

/// Starts the service, takes the turns, reports.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let load = report::load();
    let sluice = Sluice::built(stack)?;
    sluice.run(&["migrate"])?;
    sluice.run(&["identity", "bootstrap"])?;
    execute(stack, CATALOGUE).await?;
    let mut running = sluice.start(&["serve", "identity", "commerce"]).await?;
    let service = Commerce::open(stack).await?;
    let answer = service.answer().await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 1..=arguments.runs {
        let measured = by_pgbench(stack, &answer, arguments.seconds, turn).await?;
        say("pgbench", turn, &measured);
        theirs.push(measured);
        let measured = by_service(stack, &service, &mut running, arguments.seconds).await?;
        say("sluice", turn, &measured);
        ours.push(measured);
    }
    running.stop()?;
    execute(stack, FORGET).await?;
    if arguments.quiet { Ok(()) } else { publish(&load, &ours, &theirs, arguments) }
}

async fn execute(stack: &Stack, statements: &'static str) -> anyhow::Result<()> {
    let mut connection = stack.connection("commerce").await?;
    sqlx::raw_sql(statements).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Leaves neither dirty pages nor work for autovacuum to the turn that follows.
async fn settle(stack: &Stack) -> anyhow::Result<()> {
    execute(stack, VACUUM).await?;
    stack.checkpoint().await
}

async fn by_pgbench(stack: &Stack, answer: &Answer, seconds: u32, turn: u32) -> anyhow::Result<Turn> {
    settle(stack).await?;
    let base = 900_000_000_000_000_000 + i64::from(turn) * 1_000_000_000_000;
    let measured = pgbench::run(stack, answer, &Load { clients: CLIENTS, seconds, base }).await?;
    let pgbench::Measured { per_second, milliseconds } = measured;
    Ok(Turn { per_second, milliseconds, cpu_us: None, load: report::load() })
}

async fn by_service(stack: &Stack, service: &Commerce, running: &mut Running, seconds: u32) -> anyhow::Result<Turn> {
    let own = std::process::id();
    settle(stack).await?;
    service.post(WARM_UP).await?;
    let before = (process::cpu(running.pid())?, process::cpu(own)?);
    let answered = service.post(Duration::from_secs(seconds.into())).await?;
    let after = (process::cpu(running.pid())?, process::cpu(own)?);
    running.ensure_alive()?;
    #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
    let requests = answered.milliseconds.len() as f64;
    let each = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / requests;
    Ok(Turn {
        per_second: requests / answered.elapsed.as_secs_f64(),
        milliseconds: answered.milliseconds,
        cpu_us: Some((each(before.0, after.0), each(before.1, after.1))),
        load: report::load(),
    })
}

/// The service, and who may write there.
struct Commerce {
    address: SocketAddr,
    path: String,
    token: String,
    http: reqwest::Client,
    /// The number of the next request.
    numbers: Arc<AtomicU64>,
}

impl Commerce {
    async fn open(stack: &Stack) -> anyhow::Result<Self> {
        let offset: u16 = stack.get("APP_ENV_PORT_OFFSET")?.parse().context("APP_ENV_PORT_OFFSET is no number")?;
        let address = |service: Service| SocketAddr::from((Ipv4Addr::LOCALHOST, service.port + offset));
        let http = reqwest::Client::new();
        let grant = json!({
            "grant_type": "password",
            "email": stack.get("APP_ENV_BOOTSTRAP_EMAIL")?,
            "password": stack.get("APP_ENV_BOOTSTRAP_PASSWORD")?,
        });
        let tokens = format!("http://{}{}/tokens", address(Service::IDENTITY), Service::IDENTITY.base_path);
        let granted: Value = http.post(tokens).json(&grant).send().await?.error_for_status()?.json().await?;
        let token = granted["access_token"].as_str().context("identity answered without a token")?.to_owned();
        let path = format!("{}/products", Service::COMMERCE.base_path);
        Ok(Self { address: address(Service::COMMERCE), path, token, http, numbers: Arc::new(AtomicU64::new(1)) })
    }

    /// One product, for what is answered to it.
    async fn answer(&self) -> anyhow::Result<Answer> {
        let request = self.http.post(format!("http://{}{}", self.address, self.path)).bearer_auth(&self.token);
        let body = product(1).replace(NUMBER, "0000000000");
        let request = request.header("idempotency-key", "bench-0000000000").header("content-type", "application/json");
        let answered = request.body(body).send().await?;
        let status = answered.status();
        let header = |name: &str| Some(answered.headers().get(name)?.to_str().ok()?.to_owned());
        let (location, etag) = (header("location"), header("etag"));
        let body = answered.text().await?;
        anyhow::ensure!(status.as_u16() == 201, "the first product was answered {status}: {body}");
        Ok(Answer { location: location.unwrap_or_default(), etag: etag.unwrap_or_default(), body })
    }

    async fn post(&self, lasting: Duration) -> anyhow::Result<load::Answered> {
        let headers = format!("authorization: Bearer {}\r\nidempotency-key: bench-{NUMBER}\r\n", self.token);
        let request = |merchant| Request::post(self.address, &self.path, &headers, &product(merchant));
        load::run(self.address, (1..=CLIENTS).map(request).collect(), self.numbers.clone(), lasting).await
    }
}

/// A product with three variants, as it is sent.
fn product(merchant: usize) -> String {
    let variants = [("S", "Cỡ nhỏ", 15_000, 9_000), ("M", "Cỡ vừa", 20_000, 12_000), ("L", "Cỡ lớn", 25_000, 15_000)];
    let variants = variants.map(|(size, name, price, cost)| {
        json!({
            "sku": format!("SKU-{NUMBER}-{size}"), "barcode": format!("893{NUMBER}{size}"), "name": name, "unit": "gói",
            "price": price, "cost": cost, "attributes": { "size": size }, "is_default": size == "S",
        })
    });
    let name = format!("Bánh tráng trộn {NUMBER}");
    let merchant = merchant.to_string();
    json!({
        "merchant_id": merchant, "category_id": merchant, "kind": "RETAIL", "name": name, "description": DESCRIPTION,
        "variants": variants,
    })
    .to_string()
}

fn say(who: &str, turn: u32, measured: &Turn) {
    let [half, most] = percentiles(measured);
    let cpu =
        measured.cpu_us.map(|(service, client)| format!(", {service:.0} us CPU/request, {client:.0} of the client"));
    println!(
        "{who:>8} {turn}: {:.0}/s, p50 {half} p99 {most} ms{}, load {}",
        measured.per_second,
        cpu.unwrap_or_default(),
        measured.load
    );
}

fn percentiles(measured: &Turn) -> [String; 2] {
    [0.5, 0.99].map(|share| format!("{:.1}", percentile(&measured.milliseconds, share)))
}

fn best(turns: &[Turn]) -> Option<&Turn> {
    turns.iter().max_by(|one, other| one.per_second.total_cmp(&other.per_second))
}

fn publish(load: &str, ours: &[Turn], theirs: &[Turn], arguments: &Arguments) -> anyhow::Result<()> {
    let (Some(our), Some(their)) = (best(ours), best(theirs)) else { return Ok(()) };
    let mut turns = Table::new(&[
        "turn",
        "who",
        "products/s",
        "p50, ms",
        "p99, ms",
        "us CPU/request, service",
        "us CPU/request, client",
        "load average",
    ]);
    for (turn, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        for (who, measured) in [("pgbench", theirs), ("sluice", ours)] {
            let [half, most] = percentiles(measured);
            let cpu =
                |of: fn((f64, f64)) -> f64| measured.cpu_us.map_or_else(String::new, |us| format!("{:.0}", of(us)));
            turns.row([
                (turn + 1).to_string(),
                who.to_owned(),
                format!("{:.0}", measured.per_second),
                half,
                most,
                cpu(|us| us.0),
                cpu(|us| us.1),
                measured.load.clone(),
            ]);
        }
    }
    let note = format!("{CLIENTS} connections, {} s a turn; every answer was 201.", arguments.seconds);
    report::publish("write", load, &[&targets(our, their), &turns], &[note])
}

fn targets(our: &Turn, their: &Turn) -> Table {
    let ratio = our.per_second / their.per_second;
    let mut table = Table::new(&["best turn of each", "sluice", "pgbench", "ratio", "target", ""]);
    table.row([
        "products/s".to_owned(),
        format!("{:.0}", our.per_second),
        format!("{:.0}", their.per_second),
        format!("{ratio:.2}"),
        ">= 0.8".to_owned(),
        verdict(ratio >= 0.8),
    ]);
    for (name, share) in [("p50, ms", 0.5), ("p99, ms", 0.99)] {
        let (our, their) = (percentile(&our.milliseconds, share), percentile(&their.milliseconds, share));
        let ratio = format!("{:.2}", our / their);
        table.row([name.to_owned(), format!("{our:.1}"), format!("{their:.1}"), ratio, String::new(), String::new()]);
    }
    // a turn with an error does not come this far
    let none = "0".to_owned();
    table.row(["errors".to_owned(), none.clone(), none.clone(), String::new(), none, verdict(true)]);
    table
}
