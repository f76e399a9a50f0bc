//! The pages for whoever is on call: one for each alert, and every command of every page is run here. What changes something is
//! run as its plan, because no page names a token.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backbone::eventually;
use backbone::process::{Process, binary};
use backbone::source::{self, Merchants, commerce};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::Url;

use crate::alerts::{alerts, files, root};
use crate::merchant_tax::tax_info;

const CONSUMER: &str = "merchant-tax";
const TOPIC: &str = "commerce.public.merchant";

/// The commands of a page: the lines of its blocks of `sh`.
fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut in_shell = false;
    for line in page.lines() {
        match line {
            "```sh" => in_shell = true,
            "```" => in_shell = false,
            line if in_shell && !line.is_empty() => commands.push(line.to_owned()),
            _ => {}
        }
    }
    commands
}

#[test]
fn every_alert_has_its_page_and_every_page_its_alert() {
    let mut pages = files("docs/runbooks", ".md");
    let index = pages.remove("README").unwrap();
    let alerts: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!(pages.keys().cloned().collect::<BTreeSet<_>>(), alerts);
    for (name, page) in &pages {
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        let parts: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(parts, ["Meaning", "Impact", "Diagnosis", "Mitigation"], "{name}");
        assert!(!commands(page).is_empty(), "{name} has no command");
        assert!(index.contains(&format!("| [{name}]({name}.md) |")), "{name} is not in the index");
        assert!(commands(page).iter().all(|command| !command.contains("--execute")), "{name}: pages plan");
    }
    let status = std::fs::read_to_string(root().join("src/status.rs")).unwrap();
    let is_name = |word: &&str| word.starts_with(char::is_uppercase) && word.chars().all(char::is_alphanumeric);
    let named: BTreeSet<&str> = status.split('"').skip(1).step_by(2).filter(is_name).collect();
    assert!(named.len() >= 4 && named.iter().all(|name| alerts.contains(*name)), "`sluice status` names {named:?}");
    for (name, page) in pages.iter().chain([(&"README".to_owned(), &index)]) {
        for target in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(root().join("docs/runbooks").join(target).exists(), "{name} leads to {target}, which is not there");
        }
    }
}

#[test]
fn the_names_that_people_search_for_are_mapped() {
    let pages = files("docs/runbooks", ".md");
    for name in [
        "SyncProductWorker",
        "ProductCreateService",
        "ProductUpdateService",
        "EncryptService",
        "PaymentWebhookService",
        "PaymentWebhookController",
        "PricingNetworkService",
        "KITCHEN_TICKET_ITEM_STATUS_CHANGED",
        "OrderMergeService.rollback",
        "Disconnected from broker",
        "SVC-00150-INVOICE_CONSUMER",
        "ledger.generate",
        "\"SaleOrder\"",
        "\"Configuration\"",
        "\"PosSession\"",
        "AllocationUsage",
    ] {
        assert!(pages["README"].contains(name), "{name}");
    }
}

fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// A consumer of the test's own that an operator may look at, commerce, and an observer.
struct Stage {
    variables: BTreeMap<String, String>,
    /// Addresses of operations ports: of the consumer, of commerce, of the observer.
    ops: [String; 3],
    processes: Vec<Process>,
    invoice: bed::Database,
    backbone: bed::Database,
    _heads: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let (invoice, backbone) = tokio::join!(bed::database("invoice"), bed::database("backbone"));
        let (heads, stack) = (tempfile::tempdir().unwrap(), bed::environment());
        let (port, ports) = (free_port(), [free_port(), free_port(), free_port()]);
        let mut variables: BTreeMap<String, String> = [
            ("APP_ENV_KAFKA_GROUP", bed::unique(CONSUMER)),
            ("INVOICE__APP_ENV_DB_URL", invoice.url.clone()),
            ("BACKBONE__APP_ENV_DB_URL", backbone.url.clone()),
            ("APP_ENV_AUDIT_KEY", "5c".repeat(32)),
            ("APP_ENV_AUDIT_HEADS_URL", Url::from_directory_path(heads.path()).unwrap().to_string()),
            ("APP_ENV_PORT", port.clone()),
            ("API", format!("127.0.0.1:{port}")),
            ("CONSUMER", CONSUMER.to_owned()),
            ("TOPIC", TOPIC.to_owned()),
            // a connector whose restart holds up few other tests
            ("SERVICE", "identity".to_owned()),
            ("TABLE", "role".to_owned()),
            ("SLUG", "pho-bo".to_owned()),
            ("SOURCE_DB", stack.get("COMMERCE_READER__APP_ENV_DB_URL").unwrap().to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let folders = ["connectors", "schemas"].map(|folder| root().join(folder).to_str().unwrap().to_owned());
        let observe = ["observe", "--connectors", &folders[0], "--schemas", &folders[1]];
        let mut processes = Vec::new();
        for (words, ops) in [["consume", CONSUMER].as_slice(), &["serve", "commerce"], &observe].iter().zip(&ports) {
            let mut own: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            own.push(("APP_ENV_OPS_PORT", ops));
            processes.push(Process::start(words, &own));
        }
        variables.insert("LOG".to_owned(), processes[0].log.to_str().unwrap().to_owned());
        let ops = ports.map(|port| format!("127.0.0.1:{port}"));
        Self { variables, ops, processes, invoice, backbone, _heads: heads }
    }

    async fn sluice(&self, arguments: &[&str]) -> Value {
        let own: Vec<_> = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (_, said) = Process::run(&[arguments, &["--json"]].concat(), &own).await;
        serde_json::from_str(&said).unwrap()
    }

    async fn positions(&self) -> Vec<Value> {
        self.sluice(&["position", CONSUMER]).await.as_array().unwrap().clone()
    }

    /// Lets a partition that has records wait, so that where it stands stays so; names it, and something parked there.
    async fn stand_still(&mut self, merchant: i64) {
        let chosen = |at: &Value| at["committed"].as_i64() > at["first"].as_i64();
        eventually("a position", true, async || self.positions().await.iter().any(chosen)).await;
        let at = self.positions().await.into_iter().find(chosen).unwrap();
        let partition = at["partition"].to_string();
        let words = ["pause", CONSUMER, "--topic", TOPIC, "--partition", &partition];
        let token = self.sluice(&words).await["token"].as_str().unwrap().to_owned();
        let execute = [&words[..], &["--execute", &token, "--reason", "a test of the runbooks"]].concat();
        assert_eq!(self.sluice(&execute).await["complete"], true);
        let paused = async || {
            let positions = self.positions().await;
            let this = positions.into_iter().find(|position| position["partition"] == at["partition"]).unwrap();
            (this["owner"]["state"] == "paused").then(|| this["owner"]["next_offset"].to_string())
        };
        eventually("a pause", true, async || paused().await.is_some()).await;
        let offset = paused().await.unwrap();
        let entity = format!("{TOPIC}/{merchant}");
        let parked: i64 = sqlx::query_scalar(
            r#"insert into parked_change (consumer, entity, topic, partition, "offset", record_time, record_headers, cause,
                                          detail, attempts)
               values ($1, $2, $3, $4, -1, now(), '[]', 'refused', 'a test of the runbooks', 1) returning id"#,
        )
        .bind(CONSUMER)
        .bind(&entity)
        .bind(TOPIC)
        .bind(i32::try_from(at["partition"].as_i64().unwrap()).unwrap())
        .fetch_one(&self.backbone.pool)
        .await
        .unwrap();
        for (name, value) in [
            ("PARTITION", partition),
            ("OFFSET", offset),
            ("FROM", at["first"].to_string()),
            ("ROW", merchant.to_string()),
            ("ENTITY", entity),
            ("PARKED", parked.to_string()),
            ("CAUSE", "refused".to_owned()),
        ] {
            self.variables.insert(name.to_owned(), value);
        }
    }

    /// The environment of a page's commands: the operations port is that of the process which the page is about.
    fn environment(&self, page: &str) -> BTreeMap<String, String> {
        let about = match page {
            "NotObserved" => 2,
            "CommerceHighErrorRate" | "CommerceAggregateRollbacks" => 1,
            _ => 0,
        };
        let stack = bed::environment();
        let mut environment: BTreeMap<_, _> =
            stack.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        environment.extend(self.variables.clone());
        environment.insert("OPS".to_owned(), self.ops[about].clone());
        environment.insert("LOG".to_owned(), self.processes[about].log.to_str().unwrap().to_owned());
        let path = std::env::var("PATH").unwrap();
        environment.insert("PATH".to_owned(), format!("{}:{path}", binary().parent().unwrap().display()));
        environment
    }
}

/// Runs one command as a person would type it; what is wrong with it, if anything.
async fn wrong(page: &str, command: &str, environment: &BTreeMap<String, String>) -> Option<String> {
    // a name that is not set is a mistake of the page; a failure in the middle of a line is one too
    let line = format!("set -uo pipefail; {command}");
    let mut shell = Command::new("bash");
    shell.args(["-c", &line]).current_dir(root()).env_clear().envs(environment).kill_on_drop(true);
    let done = shell.output().await.unwrap();
    let code = done.status.code().unwrap_or(-1);
    // 3: something needs a look, which is an answer; so is a search that finds nothing
    let answers = code == 0
        || (code == 3 && command.starts_with("sluice "))
        || (code == 1 && command.contains("grep ") && done.stdout.is_empty());
    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    println!("{page}: {command}\n  -> {code}\n{said}{complained}");
    (!answers).then(|| format!("{page}: `{command}` ended with {code}: {said}{complained}"))
}

#[tokio::test]
async fn every_command_of_every_page_does_what_it_is_there_for() {
    platform::tls::install();
    let mut stage = Stage::set().await;
    let merchant = source::id();
    source::insert(&commerce(), merchant, "Quán Gió", None).await;
    let expected: Merchants = [(merchant, ("Quán Gió".into(), None))].into();
    eventually("the tax info", expected, async || tax_info(&stage.invoice.pool, &[merchant]).await).await;
    stage.stand_still(merchant).await;
    for ops in &stage.ops {
        let metrics = format!("http://{ops}/metrics");
        eventually("an operations port", true, async || reqwest::get(&metrics).await.is_ok()).await;
    }

    let mut running = JoinSet::new();
    // pages side by side: what they wait for is mostly processes that start
    let turns = Arc::new(Semaphore::new(3));
    for (page, text) in files("docs/runbooks", ".md") {
        let (environment, turns) = (stage.environment(&page), turns.clone());
        running.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            let mut mistakes = Vec::new();
            for command in commands(&text) {
                mistakes.extend(wrong(&page, &command, &environment).await);
            }
            mistakes
        });
    }
    let mistakes: Vec<String> = running.join_all().await.concat();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    for process in stage.processes {
        process.kill().await;
    }
}
