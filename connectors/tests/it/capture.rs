//! `docs/capture-a-table.md`, done on a running backbone.

use connectors::signal::{Signal, send};
use rdkafka::message::Message;
use schemas::accept::accept;
use schemas::{check, decode, push, wire};

use super::lab::Lab;
use super::reader::read;
use super::schema::ROWS;

#[tokio::test]
async fn one_more_table_is_captured_while_the_others_go_on() {
    let mut lab = Lab::new(&["public.merchant"]).await;
    lab.execute(ROWS).await;
    push::push(&lab.registry, &lab.topics()).await.unwrap();
    lab.apply().await.unwrap();

    // 1. the migration: the table, its rights, the publication; here it has rows from before it was captured
    lab.execute(
        "create table supplier (id bigint primary key, name text not null, phone text);
         grant select on supplier to replication;
         alter publication sluice add table supplier;
         insert into supplier values (1, 'Nhà cung cấp Một', null), (2, 'Hai', '0901')",
    )
    .await;

    // 2. the folder's promise, and the include list
    let topic = lab.topic("public.supplier");
    let folder = lab.folder.path().join(&topic);
    std::fs::create_dir_all(folder.join("versions")).unwrap();
    std::fs::write(
        folder.join("topic.json"),
        r#"{"partitions": 2, "retention_days": 30, "cleanup": "delete", "max_message_bytes": 6291456}"#,
    )
    .unwrap();
    for part in ["key", "value"] {
        std::fs::write(folder.join(format!("{part}.avsc")), "{}").unwrap();
    }
    lab.configuration = lab.configuration.clone().with("table.include.list", "public.merchant,public.supplier");
    lab.apply().await.unwrap();

    // 3. the first change makes Debezium register the schema; it is accepted into the files and reviewed
    lab.execute("insert into supplier values (3, 'Ba', null)").await;
    read(&topic, |records| !records.is_empty()).await;
    let mut topics = lab.topics();
    let accepted = accept(&lab.registry, &mut topics, false).await.unwrap();
    assert_eq!((accepted.written.len(), accepted.refused.len()), (2, 0), "{accepted}");
    let checked = check::offline(&lab.topics());
    assert!(checked.is_clean(), "{checked}");

    // 4. the rows from before
    send(&lab.database.pool, &Signal::snapshot(&bed::unique("signal"), "public.supplier", None)).await.unwrap();
    let records = read(&topic, |records| records.len() >= 4).await;
    let registry =
        schemas::Registry::new(&super::lab::setting("APP_ENV_SCHEMA_REGISTRY_URL"), reqwest::Client::builder())
            .unwrap();
    let mut names = std::collections::BTreeSet::new();
    for record in records {
        let (id, datum) = wire::split(record.payload().unwrap()).unwrap();
        let change = decode::json(&registry.schema(id).await.unwrap(), datum).unwrap();
        names.insert(change["after"]["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(names, ["Ba", "Hai", "Nhà cung cấp Một"].map(str::to_owned).into());

    // 5. the table that was there before still flows
    lab.execute("update merchant set version = 2, updated_at = now()").await;
    read(&lab.topic("public.merchant"), |records| records.len() >= 2).await;
}

#[tokio::test]
async fn a_breaking_migration_stops_the_connector_at_the_row_and_says_why() {
    let lab = Lab::new(&["public.merchant"]).await;
    push::push(&lab.registry, &lab.topics()).await.unwrap();
    lab.apply().await.unwrap();
    lab.execute(ROWS).await;
    read(&lab.topic("public.merchant"), |records| !records.is_empty()).await;
    lab.execute("alter table merchant add column rank bigint; update merchant set rank = 1; alter table merchant alter column rank set not null; update merchant set version = 3").await;
    let failure = failure(&lab).await;
    let sentence = format!("RuleViolationException: Incompatible artifact: {}-value", lab.topic("public.merchant"));
    assert!(failure.starts_with(&sentence) && failure.lines().count() == 1, "{failure}");
}

async fn failure(lab: &Lab) -> String {
    for _ in 0..240 {
        if let Some(failure) = lab.connect.status(&lab.prefix).await.unwrap().and_then(|status| status.failure()) {
            return failure;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    panic!("the connector never failed");
}

#[tokio::test]
async fn a_renamed_nullable_column_passes_the_registry_and_not_the_check() {
    let lab = Lab::new(&["public.merchant"]).await;
    push::push(&lab.registry, &lab.topics()).await.unwrap();
    lab.apply().await.unwrap();
    lab.execute(ROWS).await;
    lab.execute("alter table merchant rename column phone to telephone; update merchant set version = 2").await;
    read(&lab.topic("public.merchant"), |records| records.len() >= 2).await;
    let mut topics = lab.topics();
    let checked = check::online(&lab.registry, &topics).await.unwrap();
    let shown = checked.to_string();
    assert!(shown.contains("- phone: string or null") && shown.contains("+ telephone: string or null"), "{shown}");
    let accepted = accept(&lab.registry, &mut topics, false).await.unwrap();
    assert!(accepted.written.is_empty(), "{accepted}");
    let sentence = accepted.to_string();
    assert!(
        sentence.contains("`phone` is gone and `telephone`") && sentence.contains("expand and contract"),
        "{sentence}"
    );
}
