//! Damaged documents found and made again, and a search collection replaced while products change: with the command line alone.

use std::collections::BTreeMap;

use backbone::eventually;
use backbone::process::Process;
use backbone::source::{self, commerce};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use url::Url;

use crate::alerts::root;
use crate::observe::metrics;
use crate::search_sync::{ask, found};

const TOPIC: &str = "commerce.public.product";

/// A search-sync of the test's own, and an operator of it.
struct Stage {
    backbone: bed::Database,
    alias: String,
    variables: Vec<(String, String)>,
    _heads: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        platform::tls::install();
        let (backbone, heads) = (bed::database("backbone").await, tempfile::tempdir().unwrap());
        let alias = format!("{}x", bed::unique("products"));
        let variables = [
            ("SEARCH_SYNC__APP_ENV_KAFKA_GROUP", bed::unique("search-sync")),
            ("APP_ENV_TYPESENSE_COLLECTION", alias.clone()),
            ("BACKBONE__APP_ENV_DB_URL", backbone.url.clone()),
            ("APP_ENV_AUDIT_KEY", "5c".repeat(32)),
            ("APP_ENV_AUDIT_HEADS_URL", Url::from_directory_path(heads.path()).unwrap().to_string()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self { backbone, alias, variables, _heads: heads }
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    async fn sluice(&self, arguments: &[&str]) -> (i32, String) {
        Process::run(arguments, &self.variables()).await
    }

    async fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let (code, said) = self.sluice(&[arguments, &["--json"]].concat()).await;
        let last = said.lines().last().unwrap_or_default();
        (code, serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {said}")))
    }

    /// Plans, and answers what does it.
    async fn plan<'a>(&self, arguments: &[&'a str], token: &'a mut String) -> Vec<&'a str> {
        let (code, plan) = self.json(arguments).await;
        assert_eq!(code, 0, "{plan}");
        plan["token"].as_str().unwrap().clone_into(token);
        [arguments, &["--execute", token, "--reason", "a test"]].concat()
    }

    /// What of these products is wrong in the engine.
    async fn wrong(&self, ids: &[i64]) -> BTreeMap<String, String> {
        let (code, said) = self.json(&["reconcile", "search-sync"]).await;
        let all = said["wrong"].as_array().unwrap();
        assert_eq!(code == 0, all.is_empty());
        let entities: Vec<String> = ids.iter().map(|id| format!("{TOPIC}/{id}")).collect();
        let of =
            |wrong: &Value| (wrong["entity"].as_str().unwrap().to_owned(), wrong["kind"].as_str().unwrap().to_owned());
        all.iter().map(of).filter(|(entity, _)| entities.contains(entity)).collect()
    }

    async fn document(&self, id: i64) -> Value {
        let path = format!("/collections/{}/documents/{id}", self.alias);
        ask(Method::GET, &path).send().await.unwrap().json().await.unwrap()
    }

    /// Names and prices of a merchant's documents, by product.
    async fn documents(&self, merchant: i64) -> BTreeMap<i64, (String, i64)> {
        let path = format!("/collections/{}/documents/export", self.alias);
        let request = ask(Method::GET, &path).query(&[("filter_by", format!("merchant_id:={merchant}"))]);
        let text = request.send().await.unwrap().text().await.unwrap();
        let document = |line: &str| {
            let document: Value = serde_json::from_str(line).unwrap();
            let name = document["name"].as_str().unwrap().to_owned();
            (
                document["id"].as_str().unwrap().parse().unwrap(),
                (name, document["price_min"].as_i64().unwrap_or_default()),
            )
        };
        text.lines().map(document).collect()
    }

    /// How far the collection beside is filled.
    async fn filled_to(&self) -> Option<i64> {
        let filled: Option<Option<i64>> =
            sqlx::query_scalar("select filled_to from reindex").fetch_optional(&self.backbone.pool).await.unwrap();
        filled.flatten()
    }

    async fn forget(&self) {
        for number in 1..=3 {
            ask(Method::DELETE, &format!("/collections/{}_{number}", self.alias)).send().await.ok();
        }
        ask(Method::DELETE, &format!("/aliases/{}", self.alias)).send().await.ok();
    }
}

/// Names and prices of a merchant's living products, as the source has them.
async fn products(commerce: &PgPool, merchant: i64) -> BTreeMap<i64, (String, i64)> {
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(
        "select p.id, p.name, min(v.price) from product p join variant v on v.product_id = p.id
          where p.merchant_id = $1 and p.deleted_at is null group by p.id",
    )
    .bind(merchant)
    .fetch_all(commerce)
    .await
    .unwrap();
    rows.into_iter().map(|(id, name, price)| (id, (name, price))).collect()
}

async fn damage(method: Method, path: &str, body: &Value) {
    let answer = ask(method, path).body(body.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn documents_removed_changed_and_invented_at_random_are_all_found_and_all_mended() {
    let (stage, commerce) = (Stage::set().await, commerce());
    let (merchant, mut random) = (source::id(), StdRng::seed_from_u64(7));
    source::insert(&commerce, merchant, "Quán Sửa", None).await;
    let mut ids = Vec::new();
    for number in 0..60 {
        ids.push(source::insert_product(&commerce, merchant, &format!("Món {number}")).await.0);
    }
    let consumer = Process::start(&["consume", "search-sync"], &stage.variables());
    eventually("all products", Some(60), || found(&stage.alias, merchant, "*")).await;
    eventually("nothing is wrong", BTreeMap::new(), || stage.wrong(&ids)).await;

    let documents = format!("/collections/{}/documents", stage.alias);
    let mut expected = BTreeMap::new();
    for id in ids.clone() {
        let (path, invented) = (format!("{documents}/{id}"), source::id());
        let (wrong, kind) = match random.random_range(0..6) {
            0 => {
                damage(Method::DELETE, &path, &Value::Null).await;
                (id, "missing")
            }
            1 => {
                damage(Method::PATCH, &path, &json!({ "price_min": random.random_range(0..9) })).await;
                (id, "different")
            }
            2 => {
                damage(Method::PATCH, &path, &json!({ "version": 0, "name": "cũ" })).await;
                (id, "stale")
            }
            3 => {
                let mut document = stage.document(id).await;
                document["id"] = json!(invented.to_string());
                damage(Method::POST, &documents, &document).await;
                ids.push(invented);
                (invented, "extra")
            }
            _ => continue,
        };
        expected.insert(format!("{TOPIC}/{wrong}"), kind.to_owned());
    }
    assert!(expected.len() > 20, "{expected:?}");
    assert_eq!(stage.wrong(&ids).await, expected);
    told(&stage, &expected).await;

    let repair = ["reconcile", "search-sync", "--repair"];
    let (code, said) = stage.sluice(&repair).await;
    assert_eq!(code, 3);
    let token = said.split("--execute ").nth(1).unwrap().split(' ').next().unwrap();
    let execute = [&repair[..], &["--execute", token, "--reason", "a test"]].concat();
    let (code, said) = stage.sluice(&execute).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&format!("{} made again", expected.len())), "{said}");
    assert_eq!(stage.wrong(&ids).await, BTreeMap::new());
    assert_eq!(stage.documents(merchant).await, products(&commerce, merchant).await);
    let (code, _) = stage.sluice(&execute).await;
    assert_eq!(code, 0, "nothing is wrong, so nothing is done");
    assert_eq!(stage.sluice(&["audit", "verify"]).await.0, 0);
    consumer.kill().await;
    stage.forget().await;
}

/// The observer tells how many are wrong, and how.
async fn told(stage: &Stage, expected: &BTreeMap<String, String>) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folders = ["connectors", "schemas"].map(|folder| root().join(folder).to_str().unwrap().to_owned());
    let mut variables = stage.variables();
    let text = port.to_string();
    variables.extend([("APP_ENV_OPS_PORT", text.as_str()), ("APP_ENV_RECONCILE_MS", "200")]);
    let words = ["observe", "--connectors", &folders[0], "--schemas", &folders[1]];
    let observer = Process::start(&words, &variables);
    for kind in ["missing", "stale", "extra", "different"] {
        let name = format!(r#"reconciler_differences{{consumer="search-sync",kind="{kind}"}}"#);
        let count = f64::from(u32::try_from(expected.values().filter(|of| *of == kind).count()).unwrap());
        let is_told = async || metrics(port).await.get(&name).is_some_and(|told| *told >= count);
        eventually(&name, true, is_told).await;
    }
    observer.kill().await;
}

/// One random change of a merchant's products.
async fn change(commerce: &PgPool, merchant: i64, random: &mut StdRng) {
    let known: Vec<i64> = products(commerce, merchant).await.into_keys().collect();
    let id = known[random.random_range(0..known.len())];
    let statement = match random.random_range(0..8) {
        0..2 => {
            let name = format!("Món mới {}", random.random_range(0..1_000_000));
            source::insert_product(commerce, merchant, &name).await;
            return;
        }
        2..4 => "update product set name = name || ' đổi', version = version + 1 where id = $1",
        4..6 => "update variant set price = price + 1000, version = version + 1 where product_id = $1",
        6 => "update product set deleted_at = now(), version = version + 1 where id = $1",
        _ => {
            sqlx::query("delete from variant where product_id = $1").bind(id).execute(commerce).await.unwrap();
            "delete from product where id = $1"
        }
    };
    sqlx::query(statement).bind(id).execute(commerce).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_is_replaced_and_put_back_while_products_change() {
    let (mut stage, commerce) = (Stage::set().await, commerce());
    // small steps, so that a reindex can be killed in the middle
    for variable in ["SEARCH_SYNC__APP_ENV_SEARCH_CHUNK_PRODUCTS", "SEARCH_SYNC__APP_ENV_SEARCH_CONCURRENCY"] {
        stage.variables.push((variable.to_owned(), "1".to_owned()));
    }
    let merchant = source::id();
    source::insert(&commerce, merchant, "Quán Đổi", None).await;
    for number in 0..150 {
        source::insert_product(&commerce, merchant, &format!("Món {number}")).await;
    }
    let consumer = Process::start(&["consume", "search-sync"], &stage.variables());
    eventually("all products", Some(150), || found(&stage.alias, merchant, "*")).await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let changing = tokio::spawn({
        let commerce = commerce.clone();
        async move {
            let (mut random, mut changes) = (StdRng::seed_from_u64(11), 0);
            while stopped.try_recv().is_err() {
                change(&commerce, merchant, &mut random).await;
                changes += 1;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            changes
        }
    });

    let mut tokens = [String::new(), String::new(), String::new(), String::new()];
    let [first, second, third, last] = &mut tokens;
    let execute = stage.plan(&["reindex"], first).await;
    assert_eq!(stage.filled_to().await, None, "a plan does nothing");
    let killed = Process::start(&execute, &stage.variables());
    eventually("a place is reached", true, async || stage.filled_to().await.is_some()).await;
    killed.kill().await;
    let reached = stage.filled_to().await;
    assert_eq!(stage.sluice(&execute).await.0, 4, "a token is good once");
    let (code, _) = stage.sluice(&["reindex", "--roll-back"]).await;
    assert_eq!(code, 1, "what was begun is finished first, or taken away");

    let execute = stage.plan(&["reindex"], second).await;
    let (code, said) = stage.sluice(&execute).await;
    assert_eq!(code, 0, "{said}");
    let (old, new) = (format!("{}_1", stage.alias), format!("{}_2", stage.alias));
    assert!(said.contains(&format!("{} names {new}", stage.alias)) && said.contains("products filled"), "{said}");
    assert!(reached.is_some() && stage.filled_to().await.is_none());
    stop.send(()).unwrap();
    let changes = changing.await.unwrap();
    assert!(changes > 50, "{changes}");
    let truth = products(&commerce, merchant).await;
    eventually("every document is what the source says", truth.clone(), || stage.documents(merchant)).await;
    let ids: Vec<i64> = truth.keys().copied().collect();
    assert_eq!(stage.wrong(&ids).await, BTreeMap::new());

    // back to the old one, which missed what came since
    sqlx::query("update product set name = 'sau cùng', version = version + 1 where id = $1")
        .bind(ids[0])
        .execute(&commerce)
        .await
        .unwrap();
    let name = async |id| stage.document(id).await["name"].as_str().unwrap_or_default().to_owned();
    eventually("the change", "sau cùng".to_owned(), || name(ids[0])).await;
    let execute = stage.plan(&["reindex", "--roll-back"], third).await;
    let (code, said) = stage.sluice(&execute).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&format!("{} names {old}", stage.alias)), "{said}");
    assert_eq!(name(ids[0]).await, "sau cùng");
    assert_eq!(stage.documents(merchant).await, products(&commerce, merchant).await);

    let execute = stage.plan(&["reindex", "--drop-old"], last).await;
    let (code, said) = stage.sluice(&execute).await;
    assert_eq!((code, said.contains(&format!("{new} is gone"))), (0, true), "{said}");
    assert_eq!(stage.sluice(&["reindex", "--roll-back"]).await.0, 1, "there is no way back");
    let (_, audited) = stage.sluice(&["audit", "export"]).await;
    let entries = audited.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let actions: Vec<String> = entries.map(|entry| format!("{} {}", entry["phase"], entry["action"])).collect();
    assert!(actions.iter().all(|action| action.contains("reindex")), "{actions:?}");
    assert_eq!(actions.len(), 7, "the one that was killed has no outcome: {actions:?}");
    assert_eq!(stage.sluice(&["audit", "verify"]).await.0, 0);
    consumer.kill().await;
    stage.forget().await;
}
