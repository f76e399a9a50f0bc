//! An entity traced, changes replayed beside the live group, a damaged target found and mended: with the command line alone.

use backbone::eventually;
use backbone::process::Process;
use backbone::source::{self, Merchants, commerce};
use serde_json::Value;

use crate::merchant_tax::tax_info;
use crate::operate::{Stage, TOPIC, named};

fn json(said: &str) -> Value {
    serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// What became of an entity's records at merchant-tax, in their order.
fn fates(traced: &Value) -> Vec<String> {
    let made = traced["consumers"].as_array().unwrap().iter().find(|made| made["consumer"] == "merchant-tax").unwrap();
    made["fates"].as_array().unwrap().iter().map(|fate| fate["fate"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_entity_is_traced_from_its_row_over_its_records_to_its_target() {
    let (stage, commerce) = (Stage::set().await, commerce());
    let id = source::id();
    let text = id.to_string();
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas");
    let trace = ["trace", "commerce", "merchant", &text, "--schemas", schemas, "--json"];
    let (code, _) = stage.sluice(&trace).await;
    assert_eq!(code, 1, "an entity that never existed");

    source::insert(&commerce, id, "Chè Hẻm", None).await;
    sqlx::query("update merchant set name = 'Chè Hẻm 2', version = 2, updated_at = now() where id = $1")
        .bind(id)
        .execute(&commerce)
        .await
        .unwrap();
    let reached = async || {
        let (_, said) = stage.sluice(&trace).await;
        said.lines().last().map_or(0, |_| json(&said)["records"].as_array().unwrap().len())
    };
    eventually("two records", 2, reached).await;
    let before = json(&stage.sluice(&trace).await.1);
    assert_eq!(before["row"]["name"], "Chè Hẻm 2");
    assert_eq!(fates(&before), ["not-reached", "not-reached"]);

    let consumer = Process::start(&["consume", "merchant-tax"], &stage.variables());
    eventually("the tax info", named(id, "Chè Hẻm 2"), async || tax_info(&stage.invoice.pool, &[id]).await).await;
    let after = json(&stage.sluice(&trace).await.1);
    assert_eq!(fates(&after), ["superseded", "applied"]);
    let operations: Vec<_> = after["records"].as_array().unwrap().iter().map(|record| &record["operation"]).collect();
    assert_eq!(operations, ["c", "u"]);
    let made = after["consumers"].as_array().unwrap().iter().find(|made| made["consumer"] == "merchant-tax").unwrap();
    assert_eq!(made["held"][0]["content"]["name"], "Chè Hẻm 2");
    assert_eq!(made["held"][0]["position"], after["records"][1]["position"]);
    consumer.kill().await;
}

#[tokio::test]
async fn what_is_parked_is_read_tried_and_then_released() {
    let (stage, commerce) = (Stage::set().await, commerce());
    let id = source::id();
    let (entity, name) = (format!("{TOPIC}/{id}"), "Bún Chả Hết Hạn");
    let forbid = "alter table tax_info add constraint unwanted check (name <> 'Bún Chả Hết Hạn')";
    sqlx::raw_sql(forbid).execute(&stage.invoice.pool).await.unwrap();
    let consumer = Process::start(&["consume", "merchant-tax"], &stage.variables());
    source::insert(&commerce, id, name, None).await;
    // of other tests' merchants something may be parked here too
    let parked = async || {
        let all = json(&stage.sluice(&["parked", "list", "merchant-tax", "--json"]).await.1);
        all.as_array().unwrap().iter().find(|parked| parked["entity"] == entity).map(|parked| parked["id"].to_string())
    };
    eventually("the parked record", true, async || parked().await.is_some()).await;
    let number = parked().await.unwrap();
    let show = ["parked", "show", "merchant-tax", &number];
    let shown = json(&stage.sluice(&[show.as_slice(), &["--json"]].concat()).await.1);
    assert_eq!(shown["decoded"]["value"]["datum"]["after"]["name"], name);
    assert_eq!(shown["decoded"]["key"]["datum"]["id"], id);
    let (code, read) = stage.sluice(&show).await;
    assert!(code == 0 && read.contains(name), "{read}");

    sqlx::raw_sql("alter table tax_info drop constraint unwanted").execute(&stage.invoice.pool).await.unwrap();
    let release = ["parked", "release", "merchant-tax", entity.as_str()];
    let tried = json(&stage.sluice(&[release.as_slice(), &["--dry-run", "--json"]].concat()).await.1);
    assert_eq!(tried["report"]["outcomes"]["applied"], 1, "{tried}");
    assert_eq!(tried["differences"][0]["after"]["content"]["name"], name, "{tried}");
    assert_eq!(tax_info(&stage.invoice.pool, &[id]).await, Merchants::new(), "nothing was changed");

    stage.carry_out(&release).await;
    eventually("the release", named(id, name), async || tax_info(&stage.invoice.pool, &[id]).await).await;
    consumer.kill().await;
}

#[tokio::test]
async fn a_dry_run_shows_what_a_replay_would_change_and_the_replay_changes_it_once() {
    let (stage, commerce) = (Stage::set().await, commerce());
    let ids = [source::id(), source::id()];
    let [damaged, whole] = ids;
    source::insert(&commerce, damaged, "Bún bò Huế", None).await;
    source::insert(&commerce, whole, "Mì Quảng", None).await;
    let consumer = Process::start(&["consume", "merchant-tax"], &stage.variables());
    let right: Merchants = [named(damaged, "Bún bò Huế"), named(whole, "Mì Quảng")].into_iter().flatten().collect();
    eventually("both", right.clone(), || tax_info(&stage.invoice.pool, &ids)).await;
    sqlx::query("update tax_info set name = 'hỏng' where merchant_id = $1")
        .bind(damaged)
        .execute(&stage.invoice.pool)
        .await
        .unwrap();

    let entities = ids.map(|id| format!("{TOPIC}/{id}"));
    let chosen = ["replay", "plan", "merchant-tax", "--entity", &entities[0], "--entity", &entities[1], "--json"];
    let (code, said) = stage.sluice(&[chosen.as_slice(), &["--dry-run"]].concat()).await;
    assert_eq!(code, 0);
    let dry = json(&said);
    assert_eq!(dry["report"]["chosen"], 2);
    let differences = dry["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1, "{dry}");
    assert_eq!(differences[0]["before"]["content"]["name"], "hỏng");
    assert_eq!(differences[0]["after"]["content"]["name"], "Bún bò Huế");
    assert_eq!(tax_info(&stage.invoice.pool, &[damaged]).await, named(damaged, "hỏng"), "a dry run changes nothing");

    let token = stage.plan(&chosen[..chosen.len() - 1]).await;
    let run = ["replay", "run", &token, "--reason", "a test", "--json"];
    let (code, said) = stage.sluice(&run).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(json(&said)["chosen"], 2);
    assert_eq!(json(&said)["check"], serde_json::json!({ "looked_at": 2, "wrong": 0 }));
    assert_eq!(tax_info(&stage.invoice.pool, &ids).await, right);
    let (code, _) = stage.sluice(&run).await;
    assert_eq!(code, 1, "a replay that is done is not run again");
    assert_eq!(stage.sluice(&["audit", "verify"]).await.0, 0);
    consumer.kill().await;
}

/// How many records a plan would read, as its first sentence says.
fn records(planned: &Value) -> u32 {
    planned["summary"][0].as_str().unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_replay_that_is_killed_goes_on_where_it_stopped_and_is_not_run_twice_at_once() {
    let (stage, commerce) = (Stage::set().await, commerce());
    let ids = [source::id()];
    source::insert(&commerce, ids[0], "Hủ tiếu Nam Vang", None).await;
    let consumer = Process::start(&["consume", "merchant-tax"], &stage.variables());
    eventually("the tax info", named(ids[0], "Hủ tiếu Nam Vang"), || tax_info(&stage.invoice.pool, &ids)).await;
    consumer.kill().await;
    sqlx::query("delete from tax_info").execute(&stage.invoice.pool).await.unwrap();

    let all = json(&stage.sluice(&["replay", "plan", "merchant-tax", "--json"]).await.1);
    // so that the whole of it takes about ten seconds
    let rate = (records(&all) / 10).max(1).to_string();
    let token = stage.plan(&["replay", "plan", "merchant-tax", "--rate", &rate]).await;
    let run = ["replay", "run", &token, "--reason", "a test"];
    let begun = async || json(&stage.sluice(&["replay", "list", "--json"]).await.1)[0].clone();
    let killed = Process::start(&run, &stage.variables());
    let has_some = async || begun().await["report"]["read"].as_u64().is_some_and(|read| read > 0);
    eventually("a place is reached", true, has_some).await;
    let (code, _) = stage.sluice(&run).await;
    assert_eq!(code, 1, "it is being run");
    killed.kill().await;
    let before = begun().await;
    assert_eq!(before["state"], "running");

    let (code, said) = stage.sluice(&run).await;
    assert_eq!(code, 0, "{said}");
    let after = begun().await;
    assert_eq!(after["state"], "done");
    assert!(after["report"]["read"].as_u64() >= before["report"]["read"].as_u64());
    assert_eq!(tax_info(&stage.invoice.pool, &ids).await, named(ids[0], "Hủ tiếu Nam Vang"));
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused_with_what_to_do() {
    let stage = Stage::set().await;
    for arguments in [
        vec!["replay", "plan", "nobody"],
        vec!["replay", "plan", "merchant-tax", "--topic", "commerce.public.variant"],
        vec!["replay", "plan", "merchant-tax", "--from", "7"],
        vec!["replay", "plan", "merchant-tax", "--entity", "42"],
        vec!["replay", "run", "0000000000", "--reason", "a test"],
    ] {
        assert_eq!(stage.sluice(&arguments).await.0, 1, "{arguments:?}");
    }
    let (code, _) = stage.sluice(&["replay", "plan", "merchant-tax", "--from", "yesterday"]).await;
    assert_eq!(code, 2);
}

#[tokio::test]
async fn rows_removed_changed_and_invented_in_a_target_are_all_found_and_mended() {
    let (stage, commerce) = (Stage::set().await, commerce());
    let ids = [source::id(), source::id(), source::id()];
    let [removed, changed, kept] = ids;
    let invented = source::id();
    let right: Merchants =
        ids.iter().zip(["Cơm gà", "Cao lầu", "Bánh đập"]).flat_map(|(id, name)| named(*id, name)).collect();
    for (id, (name, _)) in &right {
        source::insert(&commerce, *id, name, None).await;
    }
    let consumer = Process::start(&["consume", "merchant-tax"], &stage.variables());
    eventually("all", right.clone(), || tax_info(&stage.invoice.pool, &ids)).await;

    let target = &stage.invoice.pool;
    for (statement, id) in [
        ("delete from tax_info where merchant_id = $1", removed),
        ("update tax_info set tax_code = '0000000000' where merchant_id = $1", changed),
        (
            "insert into tax_info select (jsonb_populate_record(t, jsonb_build_object('merchant_id', $1::bigint))).*
               from tax_info t limit 1",
            invented,
        ),
    ] {
        sqlx::query(statement).bind(id).execute(target).await.unwrap();
    }
    let found = async || {
        let (code, said) = stage.sluice(&["reconcile", "merchant-tax", "--json"]).await;
        let mut wrong: Vec<(String, String)> = json(&said)["wrong"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| (w["entity"].as_str().unwrap().to_owned(), w["kind"].as_str().unwrap().to_owned()))
            .collect();
        wrong.sort();
        assert_eq!(code == 0, wrong.is_empty());
        wrong
    };
    let mut expected = [(removed, "missing"), (changed, "different"), (invented, "extra")]
        .map(|(id, kind)| (format!("{TOPIC}/{id}"), kind.to_owned()));
    expected.sort();
    eventually("what is wrong", expected.to_vec(), found).await;

    let (code, said) = stage.sluice(&["reconcile", "merchant-tax", "--repair"]).await;
    assert_eq!(code, 3);
    let token = said.split("--execute ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let (code, said) =
        stage.sluice(&["reconcile", "merchant-tax", "--repair", "--execute", &token, "--reason", "a test"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(tax_info(target, &[removed, changed, kept, invented]).await, right);
    eventually("nothing is wrong", Vec::new(), found).await;
    consumer.kill().await;
}
