//! What the command line says, word for word: scripts and people at night read it. A text that was meant to change is accepted
//! with `cargo insta accept`, or with `INSTA_UPDATE=always`.

use std::process::Stdio;

use backbone::process::binary;
use insta::{Settings, assert_snapshot};
use serde_json::json;
use tokio::process::Command;

/// A control database in which nothing is by chance.
struct Night {
    backbone: bed::Database,
    heads: tempfile::TempDir,
}

const PARKED: &str = r#"
    insert into started_partition (consumer, topic, partition)
        select 'merchant-tax', 'commerce.public.merchant', n from generate_series(0, 2) n;
    insert into parked_change (consumer, entity, topic, partition, "offset", record_time, record_key, record_value,
            record_headers, cause, detail, attempts)
    values
        ('merchant-tax', 'commerce.public.merchant/7', 'commerce.public.merchant', 0, 11, '2026-03-01 02:03:04Z', '\x0000000001',
            '\x0000000002ff', '[["trace", "YWJj"]]', 'refused', 'new row for relation "tax_info" violates check "unwanted"', 1),
        ('merchant-tax', 'commerce.public.merchant/7', 'commerce.public.merchant', 0, 12, '2026-03-01 02:03:05Z', '\x0000000001',
            null, '[]', 'follows', 'an earlier change of this entity is parked', 0),
        ('merchant-tax', null, 'commerce.public.merchant', 1, 5, '2026-03-01 02:03:06Z', 'nonsense', 'xin chào', '[]',
            'undecodable', 'the key is not framed', 1)"#;

impl Night {
    async fn fall() -> Self {
        let backbone = bed::database("backbone").await;
        sqlx::raw_sql(PARKED).execute(&backbone.pool).await.unwrap();
        let night = Self { backbone, heads: tempfile::tempdir().unwrap() };
        night.work().await;
        night
    }

    /// Two workers of merchant-tax, as they report themselves.
    async fn work(&self) {
        let standing = |partition: i32, state: &str, reason: Option<&str>, next: i64| {
            json!({
                "topic": "commerce.public.merchant", "partition": partition, "state": state, "reason": reason,
                "next_offset": next, "end_offset": 100, "lag_records": 100 - next, "lag_seconds": 12.5, "records_per_second": 20.0,
            })
        };
        let halted = standing(1, "halted", Some("committed 5 is no longer retained"), 5);
        let workers = [
            ("one", json!([standing(0, "running", None, 90), halted])),
            ("two", json!([standing(2, "retrying", Some("redis does not answer"), 99)])),
        ];
        for (worker, partitions) in workers {
            let told = sqlx::query(
                "insert into worker (id, consumer, host, pid, partitions) values ($1, 'merchant-tax', 'here', 1, $2)",
            );
            told.bind(worker).bind(partitions).execute(&self.backbone.pool).await.unwrap();
        }
    }

    /// Runs a command to its end: what was typed, what it said, and how it ended.
    async fn says(&self, arguments: &[&str]) -> String {
        let heads = url::Url::from_directory_path(self.heads.path()).unwrap();
        let mut command = Command::new(binary());
        command.args(arguments).env_clear().envs(bed::environment().pairs()).stdin(Stdio::null());
        command.env("BACKBONE__APP_ENV_DB_URL", &self.backbone.url).env("APP_ENV_LOG", "error");
        command.env("APP_ENV_AUDIT_KEY", "5c".repeat(32)).env("APP_ENV_AUDIT_HEADS_URL", heads.as_str());
        let done = command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).output().await.unwrap();
        let (said, complained) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
        let ended = done.status.code().unwrap();
        format!("$ sluice {}\n{said}{complained}exit code {ended}\n", arguments.join(" "))
    }

    async fn all(&self, commands: &[&[&str]]) -> String {
        let mut all = Vec::new();
        for command in commands {
            all.push(self.says(command).await);
        }
        all.join("\n")
    }
}

/// What differs from one night to the next.
fn scrubbed() -> Settings {
    let mut settings = Settings::clone_current();
    for (what, instead) in [
        (r"\b[0-9a-f]{10}\b", "[token]"),
        (r"\b[0-9a-f]{64}\b", "[mac]"),
        (r"20(?:2[6-9]|[3-9]\d)-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z", "[time]"),
        (r"bed_backbone_\w+", "[database]"),
    ] {
        settings.add_filter(what, instead);
    }
    settings
}

#[tokio::test]
async fn what_is_parked_and_planned_is_told_word_for_word() {
    let night = Night::fall().await;
    let said = night
        .all(&[
            &["parked", "list", "merchant-tax"],
            &["parked", "list", "search-sync"],
            &["parked", "show", "merchant-tax", "3"],
            &["parked", "release", "merchant-tax", "commerce.public.merchant/7"],
            &["parked", "release", "merchant-tax", "--all", "--cause", "undecodable"],
            &["parked", "discard", "merchant-tax", "#3"],
            &["pause", "merchant-tax"],
            &["resume", "merchant-tax", "--topic", "commerce.public.merchant", "--partition", "1"],
            &["rewind", "merchant-tax", "--topic", "commerce.public.merchant", "--partition", "0", "--offset", "40"],
            &["rewind", "merchant-tax", "--halted", "--first"],
            &["skip", "merchant-tax", "--topic", "commerce.public.merchant", "--partition", "1", "--offset", "5"],
            &["audit", "list"],
            &["audit", "verify"],
        ])
        .await;
    scrubbed().bind(|| assert_snapshot!("parked_and_planned", said));
}

#[tokio::test]
async fn what_cannot_be_done_is_told_word_for_word() {
    let night = Night::fall().await;
    let place = ["--topic", "commerce.public.merchant", "--partition"];
    let said = night
        .all(&[
            &["pause", "merchant-taxes"],
            &["pause", "search-sync"],
            &["resume", "merchant-tax", "--topic", "commerce.public.product"],
            &[&["rewind", "merchant-tax"], place.as_slice(), &["9", "--offset", "1"]].concat(),
            &[&["rewind", "merchant-tax"], place.as_slice(), &["0", "--offset", "95"]].concat(),
            &["rewind", "merchant-tax", "--topic", "commerce.public.product", "--halted", "--first"],
            &["rewind", "merchant-tax", "--offset", "40"],
            &[&["skip", "merchant-tax"], place.as_slice(), &["0", "--offset", "7"]].concat(),
            &["parked", "show", "merchant-tax", "99"],
            &["parked", "release", "merchant-tax", "#1"],
            &["parked", "release", "merchant-tax", "commerce.public.merchant/8"],
            &["parked", "discard", "merchant-tax", "#3", "--execute", "0000000000", "--reason", "why not"],
            &["replay", "run", "0000000000", "--reason", "why not"],
            &["reconcile", "cache-invalidation"],
            &["reconcile", "nobody"],
        ])
        .await;
    scrubbed().bind(|| assert_snapshot!("refused", said));
}

#[tokio::test]
async fn a_discard_and_its_audit_are_told_word_for_word() {
    let night = Night::fall().await;
    let planned = night.says(&["parked", "discard", "merchant-tax", "#3"]).await;
    let token = planned.split("--execute ").nth(1).unwrap().split(' ').next().unwrap();
    let discard =
        ["parked", "discard", "merchant-tax", "#3", "--execute", token, "--reason", "a test", "--ticket", "OPS-9"];
    let said = night.all(&[&discard, &discard, &["audit", "list"], &["audit", "verify"]]).await;
    scrubbed().bind(|| assert_snapshot!("discarded", said));
}

#[tokio::test]
async fn the_fleet_is_told_word_for_word() {
    let night = Night::fall().await;
    let said = night.says(&["status"]).await;
    // the connectors above are the stack's own
    let fleet = &said[said.find("consumer  ").unwrap()..];
    scrubbed().bind(|| assert_snapshot!("fleet", fleet));
}

#[tokio::test]
async fn the_help_is_told_word_for_word() {
    let night = Night::fall().await;
    let said = night
        .all(&[
            &["--help"],
            &["status", "--help"],
            &["position", "--help"],
            &["trace", "--help"],
            &["replay", "plan", "--help"],
            &["replay", "run", "--help"],
            &["pause", "--help"],
            &["rewind", "--help"],
            &["skip", "--help"],
            &["parked", "--help"],
            &["parked", "release", "--help"],
            &["reconcile", "--help"],
            &["reindex", "--help"],
            &["epoch", "--help"],
            &["audit", "--help"],
        ])
        .await;
    assert_snapshot!("help", said);
}
