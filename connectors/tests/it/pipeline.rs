//! `docs/examples/read_topic.py`, with stock Python clients, on real records.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::lab::{Lab, repository, setting};
use super::reader::read;
use super::schema::ROWS;

/// Python with the example's requirements, in the repository's own `.venv`, made where it is missing.
fn python() -> PathBuf {
    let venv = repository().join(".venv");
    let python = venv.join("bin/python");
    let has_clients = || {
        Command::new(&python)
            .args(["-c", "import confluent_kafka.schema_registry.avro"])
            .output()
            .is_ok_and(|done| done.status.success())
    };
    if !has_clients() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let requirements = repository().join("docs/examples/requirements.txt");
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements));
    }
    python
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {errors}");
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test]
async fn the_example_in_python_reads_every_kind_of_change() {
    let lab = Lab::new(&["public.product"]).await;
    lab.apply().await.unwrap();
    lab.execute(ROWS).await;
    lab.execute(
        "update product set description = (select string_agg(md5(g::text), '') from generate_series(1, 300) g)",
    )
    .await;
    lab.execute("update product set version = 3").await;
    lab.execute("delete from variant; delete from product").await;
    let topic = lab.topic("public.product");
    read(&topic, |records| records.len() >= 5).await;
    let shown = tokio::task::spawn_blocking(move || {
        run(Command::new(python())
            .arg(repository().join("docs/examples/read_topic.py"))
            .args([&topic, "--from-beginning", "--exit-at-end"])
            .env("APP_ENV_KAFKA_BROKERS", setting("APP_ENV_KAFKA_BROKERS"))
            .env("APP_ENV_SCHEMA_REGISTRY_URL", setting("APP_ENV_SCHEMA_REGISTRY_URL")))
    });
    let changes: Vec<Value> = shown.await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let operations: Vec<&str> = changes.iter().map(|change| change["op"].as_str().unwrap()).collect();
    assert_eq!(operations, ["c", "u", "u", "d", "tombstone"]);
    assert_eq!(changes[0]["row"]["name"], "Phở");
    assert_eq!(changes[2]["unchanged"], serde_json::json!(["description"]));
    assert!(changes[2]["row"].get("description").is_none());
    assert!(changes.iter().all(|change| change["key"]["id"] == 3));
    let position = |change: &Value| (change["position"][0].as_i64(), change["position"][1].as_i64());
    assert!(changes[..4].is_sorted_by(|earlier, later| position(earlier) < position(later)), "{changes:?}");
}
