//! What an operator of the day does, with the command line and, where there is none for it, at the servers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use backbone::process::Process;
use backbone::source;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use super::{ALL, Day, MERCHANT_TAX, setting};
use crate::statement;
use crate::truth::{Change, Merchant};

/// Where what is halted is applied again from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Back<'d> {
    /// The first record that there is.
    First,
    /// An offset of each partition.
    To(&'d BTreeMap<i32, i64>),
}

impl Day {
    /// Runs `sluice` to its end as an operator of this day; answers its exit code and what it wrote.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> (i32, String) {
        let mut variables = self.variables();
        // an operator tries again in a storm; this one is not in it
        variables.push(("BACKBONE__APP_ENV_DB_URL", &self.control));
        Process::run(arguments, &variables).await
    }

    /// The same where it must succeed.
    pub(crate) async fn sluice(&self, arguments: &[&str]) -> String {
        let (code, said) = self.ask(arguments).await;
        assert_eq!(code, 0, "sluice {}: {said}", arguments.join(" "));
        said
    }

    /// Plans something; answers the plan's token.
    pub(crate) async fn plan(&self, arguments: &[&str]) -> String {
        let planned = self.sluice(&[arguments, &["--json"]].concat()).await;
        let plan: serde_json::Value = serde_json::from_str(planned.lines().last().unwrap_or_default()).unwrap();
        plan["token"].as_str().unwrap_or_else(|| panic!("no token: {planned}")).to_owned()
    }

    /// Plans something, and does it.
    pub(crate) async fn carry_out(&self, arguments: &[&str]) -> String {
        let token = self.plan(arguments).await;
        self.sluice(&[arguments, &["--execute", &token, "--reason", self.fault]].concat()).await
    }

    /// Compares a target with its source and mends what differs.
    pub(crate) async fn repair(&self, consumer: &str) {
        let (code, said) = self.ask(&["reconcile", consumer, "--repair"]).await;
        if code == 0 {
            return;
        }
        let token = said.split("--execute ").nth(1).unwrap().split(' ').next().unwrap();
        let reason = ["--execute", token, "--reason", self.fault];
        self.sluice(&[["reconcile", consumer, "--repair"].as_slice(), &reason].concat()).await;
    }

    /// Asks commerce's database, or its server, for something that only an administrator may.
    pub(crate) async fn ask_source(&self, statement: &'static str) {
        let admin: PgConnectOptions = setting("APP_ENV_ADMIN_DB_URL").parse().unwrap();
        let mut connection = admin.database("commerce").connect().await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }

    /// Commits that many merchants by one COPY; answers what changed.
    pub(crate) async fn copy_merchants(&self, rows: usize) -> Vec<Change> {
        let mut connection = self.commerce.acquire().await.unwrap();
        let row = |name| Merchant { name, tax_name: None, tax_address: None, is_gone: false };
        let merchants: Vec<_> = (0..rows).map(|n| (source::id(), row(format!("Quán thứ {n}")))).collect();
        statement::copy_merchants(&mut connection, &merchants).await;
        merchants.into_iter().map(|(id, row)| Change::Merchant(id, row)).collect()
    }

    /// A process that observes, and what it measures.
    pub(crate) async fn observer(&self) -> Observer {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let (port, mut variables) = (port.to_string(), self.variables());
        variables.push(("APP_ENV_OPS_PORT", &port));
        let process = Process::start(&["observe"], &variables);
        Observer { _process: process, metrics: format!("http://127.0.0.1:{port}/metrics") }
    }

    /// Waits until every record has been read, whatever became of it.
    pub(crate) async fn read_to_the_end(&self, consumers: &[&str]) {
        let began = Instant::now();
        loop {
            let unread = self.unread(consumers).await;
            if unread.is_empty() {
                return;
            }
            assert!(began.elapsed() < self.patience(), "{}: not everything is read: {unread:#?}", self.fault);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The partitions of a consumer that are halted, and why: topic, partition, reason.
    pub(crate) async fn halted(&self, consumer: &str) -> Vec<(String, i32, String)> {
        sqlx::query_as(
            "select p->>'topic', (p->>'partition')::int, p->>'reason'
               from worker w, jsonb_array_elements(w.partitions) p
              where w.consumer = $1 and p->>'state' = 'halted' and w.seen_at > now() - interval '10 seconds'",
        )
        .bind(consumer)
        .fetch_all(&self.backbone.pool)
        .await
        .unwrap()
    }

    /// Waits until partitions of a topic are halted at each of these consumers, and has them applied again until none is
    /// halted. Answers why they were.
    pub(crate) async fn rewind_halted(&self, consumers: &[&str], topic: &str, back: Back<'_>) -> BTreeSet<String> {
        let began = Instant::now();
        for consumer in consumers {
            while self.halted(consumer).await.is_empty() {
                assert!(began.elapsed() < self.patience(), "{}: {consumer} never halted", self.fault);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let mut reasons = BTreeSet::new();
        loop {
            let mut halted: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
            for consumer in consumers {
                for (of, partition, reason) in self.halted(consumer).await {
                    assert_eq!(of, topic, "{consumer} halted: {reason}");
                    reasons.insert(reason);
                    halted.entry(consumer).or_default().insert(partition);
                }
            }
            if halted.is_empty() {
                return reasons;
            }
            println!("halted: {halted:?}: {reasons:#?}");
            assert!(began.elapsed() < self.patience() * 2, "{}: what is halted stays so", self.fault);
            let rewinding = halted.iter().map(|(consumer, partitions)| self.rewind(consumer, topic, partitions, back));
            futures::future::join_all(rewinding).await;
            // others may still be finding out, and say so within a round
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
    }

    /// Has what is halted of a topic applied again.
    async fn rewind(&self, consumer: &str, topic: &str, partitions: &BTreeSet<i32>, back: Back<'_>) {
        let whole = ["rewind", consumer, "--topic", topic];
        match back {
            Back::First => {
                let rewind = [whole.as_slice(), &["--halted", "--first"]].concat();
                let token = self.plan(&rewind).await;
                // void when one more was found to be halted meanwhile: then this is not the last round
                self.ask(&[rewind.as_slice(), &["--execute", &token, "--reason", self.fault]].concat()).await;
            }
            Back::To(offsets) => {
                let each = partitions.iter().map(async |partition| {
                    let (number, to) = (partition.to_string(), offsets[partition].to_string());
                    self.carry_out(&[whole.as_slice(), &["--partition", &number, "--offset", &to]].concat()).await;
                });
                futures::future::join_all(each).await;
            }
        }
    }

    /// How many records are parked in all.
    pub(crate) async fn parked_by_all(&self) -> i64 {
        sqlx::query_scalar("select count(*) from parked_change").fetch_one(&self.backbone.pool).await.unwrap()
    }

    /// How many records a consumer has parked.
    pub(crate) async fn parked(&self, consumer: &str) -> i64 {
        sqlx::query_scalar("select count(*) from parked_change where consumer = $1")
            .bind(consumer)
            .fetch_one(&self.backbone.pool)
            .await
            .unwrap()
    }

    /// Releases what is parked, as an operator who knows that the cause is gone.
    pub(crate) async fn release_everything(&self, consumers: &[&str]) {
        for consumer in consumers {
            if self.parked(consumer).await > 0 {
                self.carry_out(&["parked", "release", consumer, "--all"]).await;
            }
        }
    }

    /// A key that moves is read from two partitions: its first change may come after one that lacks a large value, which has no
    /// row to take it from and parks. An operator who knows that everything has come by now releases them. Rows of other
    /// days, whose first change this day's groups have not read, stay parked, rightly.
    pub(crate) async fn release_what_came_too_early(&self) {
        self.read_to_the_end(&ALL).await;
        if self.parked(MERCHANT_TAX).await > 0 {
            let release = ["parked", "release", MERCHANT_TAX, "--all"];
            let token = self.plan(&release).await;
            self.ask(&[release.as_slice(), &["--execute", &token, "--reason", self.fault]].concat()).await;
        }
    }
}

/// `sluice observe`, at work.
pub(crate) struct Observer {
    _process: Process,
    metrics: String,
}

impl Observer {
    /// What a metric of commerce's connector says; waits until it says something.
    pub(crate) async fn value(&self, metric: &str) -> f64 {
        let name = format!("{metric}{{connector=\"commerce\"}} ");
        for _ in 0..300 {
            let said = match reqwest::get(&self.metrics).await {
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if let Some(value) = said.lines().find_map(|line| line.strip_prefix(&name)) {
                return value.parse().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{metric} of commerce was never measured");
    }
}
