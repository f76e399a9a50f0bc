//! What an operator does to a running consumer, with the command line and nothing else.

use std::collections::BTreeSet;

use backbone::process::Process;
use backbone::source::{self, Merchants};
use backbone::{eventually, source::commerce};
use serde_json::Value;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::merchant_tax::tax_info;

pub(crate) const TOPIC: &str = "commerce.public.merchant";

/// A consumer of the test's own, and an operator of it.
pub(crate) struct Stage {
    pub(crate) invoice: bed::Database,
    backbone: bed::Database,
    variables: Vec<(String, String)>,
    _heads: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let (invoice, backbone) = tokio::join!(bed::database("invoice"), bed::database("backbone"));
        let heads = tempfile::tempdir().unwrap();
        let variables = [
            ("APP_ENV_KAFKA_GROUP", bed::unique("merchant-tax")),
            ("INVOICE__APP_ENV_DB_URL", invoice.url.clone()),
            ("BACKBONE__APP_ENV_DB_URL", backbone.url.clone()),
            ("APP_ENV_AUDIT_KEY", "5c".repeat(32)),
            ("APP_ENV_AUDIT_HEADS_URL", Url::from_directory_path(heads.path()).unwrap().to_string()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self { invoice, backbone, variables, _heads: heads }
    }

    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub(crate) async fn sluice(&self, arguments: &[&str]) -> (i32, String) {
        Process::run(arguments, &self.variables()).await
    }

    /// The operator is this person from now on.
    fn log_in(&mut self, person: &PgConnectOptions) {
        self.variables.push(("APP_ENV_OPERATOR_DB_URL".to_owned(), person.to_url_lossy().to_string()));
    }

    /// Plans, and answers the token.
    pub(crate) async fn plan(&self, arguments: &[&str]) -> String {
        let (code, said) = self.sluice(&[arguments, &["--json"]].concat()).await;
        assert_eq!(code, 0, "{said}");
        let plan: Value = serde_json::from_str(&said).unwrap();
        plan["token"].as_str().unwrap().to_owned()
    }

    /// Plans, and carries the plan out.
    pub(crate) async fn carry_out(&self, arguments: &[&str]) -> String {
        let token = self.plan(arguments).await;
        let (code, said) = self.sluice(&[arguments, &["--execute", &token, "--reason", "a test"]].concat()).await;
        assert_eq!(code, 0, "{said}");
        said
    }

    async fn positions(&self) -> Vec<Value> {
        let (_, said) = self.sluice(&["position", "merchant-tax", "--json"]).await;
        serde_json::from_str(&said).unwrap()
    }

    /// The states of the partitions, as `sluice position` tells them.
    async fn states(&self) -> BTreeSet<String> {
        let state = |position: Value| position["owner"]["state"].as_str().unwrap_or("nobody's").to_owned();
        self.positions().await.into_iter().map(state).collect()
    }
}

pub(crate) fn named(id: i64, name: &str) -> Merchants {
    [(id, (name.to_owned(), None))].into()
}

#[tokio::test]
async fn a_consumer_is_paused_resumed_and_rewound_by_plans_and_leaves_an_audit() {
    let (stage, commerce) = (Stage::set().await, commerce());
    let ids = [source::id(), source::id()];
    let [first, second] = ids;
    let consumer = Process::start(&["consume", "merchant-tax"], &stage.variables());
    source::insert(&commerce, first, "Bánh cuốn", None).await;
    eventually("the first", named(first, "Bánh cuốn"), || tax_info(&stage.invoice.pool, &ids)).await;

    let pause = ["pause", "merchant-tax", "--topic", TOPIC];
    let token = stage.plan(&pause).await;
    assert_eq!(stage.states().await, BTreeSet::from(["running".to_owned()]), "a plan does nothing");
    let execute = [pause.as_slice(), &["--execute", &token, "--reason", "a test"]].concat();
    assert_eq!(stage.sluice(&execute).await.0, 0);
    assert_eq!(stage.sluice(&execute).await.0, 4, "a token is good once");
    eventually("the pause", BTreeSet::from(["paused".to_owned()]), || stage.states()).await;
    source::insert(&commerce, second, "Bún bò", None).await;

    stage.carry_out(&["resume", "merchant-tax"]).await;
    let mut both = named(first, "Bánh cuốn");
    both.extend(named(second, "Bún bò"));
    eventually("both", both.clone(), || tax_info(&stage.invoice.pool, &ids)).await;

    sqlx::query("delete from tax_info where merchant_id = any($1)")
        .bind(ids)
        .execute(&stage.invoice.pool)
        .await
        .unwrap();
    eventually("positions", true, async || stage.positions().await.iter().all(|at| at["committed"].is_i64())).await;
    for position in stage.positions().await {
        let (first, committed) = (position["first"].as_i64().unwrap(), position["committed"].as_i64().unwrap());
        if committed > first {
            let (partition, to) = (position["partition"].to_string(), first.to_string());
            stage
                .carry_out(&["rewind", "merchant-tax", "--topic", TOPIC, "--partition", &partition, "--to", &to])
                .await;
        }
    }
    eventually("the repair", both, || tax_info(&stage.invoice.pool, &ids)).await;

    let (code, said) = stage.sluice(&["audit", "verify"]).await;
    assert_eq!(code, 0, "{said}");
    sqlx::raw_sql("alter table audit disable trigger user; update audit set reason = 'nothing' where id = 2")
        .execute(&stage.backbone.pool)
        .await
        .unwrap();
    let (code, said) = stage.sluice(&["audit", "verify"]).await;
    assert_eq!((code, said.contains("entry 2 was edited")), (3, true), "{said}");
    consumer.kill().await;
}

#[tokio::test]
async fn who_may_look_plans_and_who_may_operate_does_it_under_their_own_name() {
    let mut stage = Stage::set().await;
    let parked = "insert into parked_change (consumer, entity, topic, partition, \"offset\", record_time, record_key,
            record_value, record_headers, cause, detail, attempts)
        values ('merchant-tax', 'commerce.public.merchant/7', 'commerce.public.merchant', 0, 1, now(), 'k', 'v', '[]',
            'refused', 'no', 1);
        insert into started_partition (consumer, topic, partition) values ('merchant-tax', 'commerce.public.merchant', 0)";
    sqlx::raw_sql(parked).execute(&stage.backbone.pool).await.unwrap();
    let discard = ["parked", "discard", "merchant-tax", "commerce.public.merchant/7"];

    let viewer = stage.backbone.as_member_of(migrations::VIEWER).await;
    stage.log_in(&viewer);
    assert!(stage.sluice(&["parked", "list", "merchant-tax"]).await.1.contains("commerce.public.merchant/7"));
    let token = stage.plan(&discard).await;
    let execute = [discard.as_slice(), &["--execute", &token, "--reason", "a test"]].concat();
    assert_eq!(stage.sluice(&execute).await.0, 1, "a viewer does nothing");
    let left: (i64, i64) = sqlx::query_as("select (select count(*) from parked_change), (select count(*) from audit)")
        .fetch_one(&stage.backbone.pool)
        .await
        .unwrap();
    assert_eq!(left, (1, 0), "nothing half done");

    let operator = stage.backbone.as_member_of(migrations::OPERATOR).await;
    stage.log_in(&operator);
    let (code, said) = stage.sluice(&execute).await;
    assert_eq!(code, 0, "a plan that one made another carries out: {said}");
    let (_, entries) = stage.sluice(&["audit", "list", "--json"]).await;
    assert_eq!(entries.matches(operator.get_username()).count(), 2, "{entries}");
    assert_eq!(stage.sluice(&["audit", "verify"]).await.0, 0);
}

#[tokio::test]
async fn what_cannot_be_done_says_what_to_do() {
    let stage = Stage::set().await;
    let (code, _) = stage.sluice(&["pause", "merchant-tax"]).await;
    assert_eq!(code, 1, "nothing of that name ever started on this control database");
    let (code, _) = stage.sluice(&["parked", "release", "merchant-tax", "nonsense"]).await;
    assert_eq!(code, 1);
    let (code, _) = stage
        .sluice(&["skip", "merchant-tax", "--topic", TOPIC, "--partition", "0", "--offset", "1", "--execute", "x"])
        .await;
    assert_eq!(code, 2, "without a reason nothing is done");
    let (code, said) = stage.sluice(&["parked", "list", "merchant-tax"]).await;
    assert_eq!((code, said.trim()), (0, "nothing is parked"));
}
