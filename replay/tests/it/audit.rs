//! The chain: what was written stands, what was altered is found.

use platform::sealing::Key;
use replay::Audit;
use replay::audit::{Broken, Heads, Note, Phase, list, verify};
use serde_json::json;
use sqlx::PgPool;
use url::Url;

struct Chain {
    database: bed::Database,
    _folder: tempfile::TempDir,
    heads: Heads,
    key: Key,
    audit: Audit,
}

impl Chain {
    /// Five entries.
    async fn of_five() -> Self {
        let database = bed::database("backbone").await;
        let folder = tempfile::tempdir().unwrap();
        let heads = Heads::open(&Url::from_directory_path(folder.path()).unwrap()).unwrap();
        let key = Key::from_bytes([7; 32]);
        let audit = Audit::new(database.pool.clone(), key.clone(), heads.clone());
        let chain = Self { database, _folder: folder, heads, key, audit };
        for number in 1..=5 {
            chain.append(number).await;
        }
        chain
    }

    async fn append(&self, number: i64) {
        let detail = json!({ "number": number });
        let note = Note {
            action: "pause",
            phase: Phase::Before,
            subject: "merchant-tax",
            detail: &detail,
            reason: "a test",
            ticket: (number % 2 == 0).then_some("OPS-1"),
        };
        assert_eq!(self.audit.append(note).await.unwrap(), number);
    }

    /// Alters the table as someone does who owns it.
    async fn tamper(&self, statement: &'static str) {
        let pool: &PgPool = &self.database.pool;
        sqlx::raw_sql("alter table audit disable trigger user").execute(pool).await.unwrap();
        sqlx::raw_sql(statement).execute(pool).await.unwrap();
    }

    async fn verify(&self) -> Result<i64, Broken> {
        verify(&self.database.pool, &self.key, &self.heads).await.map(|verified| verified.entries)
    }
}

#[tokio::test]
async fn a_chain_that_nobody_touched_is_whole_and_says_who_did_what() {
    let chain = Chain::of_five().await;
    assert_eq!(chain.verify().await.unwrap(), 5);
    let newest = list(&chain.database.pool, Some("merchant-tax"), 1).await.unwrap().remove(0);
    assert_eq!((newest.id, &*newest.operator, &*newest.reason), (5, "backbone", "a test"));
    assert_eq!(newest.detail, r#"{"number":5}"#);
}

#[tokio::test]
async fn the_table_itself_refuses_changes() {
    let chain = Chain::of_five().await;
    for statement in ["update audit set reason = 'x'", "delete from audit", "truncate audit"] {
        let refused = sqlx::raw_sql(statement).execute(&chain.database.pool).await.unwrap_err().to_string();
        assert!(refused.contains("never changed"), "{refused}");
    }
}

#[tokio::test]
async fn an_edited_entry_is_found_whatever_was_edited() {
    for statement in [
        "update audit set reason = 'another' where id = 3",
        "update audit set ticket = null where id = 2",
        "update audit set operator = 'nobody', detail = detail where id = 3",
        "update audit set at = at + interval '1 microsecond' where id = 4",
        "update audit set detail = '{\"number\": 5}' where id = 5",
        // what one field loses another gains
        "update audit set action = 'pausebe', phase = 'fore' where id = 3",
    ] {
        let chain = Chain::of_five().await;
        chain.tamper(statement).await;
        assert!(matches!(chain.verify().await, Err(Broken::Edited(2..=5))), "{statement}");
    }
}

#[tokio::test]
async fn removed_exchanged_and_cut_off_entries_are_found() {
    let chain = Chain::of_five().await;
    chain.tamper("delete from audit where id in (2, 3)").await;
    assert!(matches!(chain.verify().await, Err(Broken::Removed { first: 2, last: 3 })));

    let chain = Chain::of_five().await;
    chain.tamper("update audit set id = 9 where id = 2; update audit set id = 2 where id = 3; update audit set id = 3 where id = 9").await;
    assert!(matches!(chain.verify().await, Err(Broken::Edited(2))));

    let chain = Chain::of_five().await;
    chain.tamper("delete from audit where id > 3").await;
    assert!(matches!(chain.verify().await, Err(Broken::CutOff { end: 3, head: 5 })));

    let chain = Chain::of_five().await;
    chain.tamper("delete from audit").await;
    assert!(matches!(chain.verify().await, Err(Broken::CutOff { end: 0, head: 5 })));
}

#[tokio::test]
async fn a_chain_written_anew_under_the_same_key_does_not_fit_its_heads() {
    let chain = Chain::of_five().await;
    chain.tamper("delete from audit where id = 5").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let heads = Heads::open(&Url::from_directory_path(elsewhere.path()).unwrap()).unwrap();
    let forger = Audit::new(chain.database.pool.clone(), chain.key.clone(), heads);
    let detail = json!({});
    let (action, phase, subject, reason) = ("resume", Phase::After, "merchant-tax", "nothing happened");
    forger.append(Note { action, phase, subject, detail: &detail, reason, ticket: None }).await.unwrap();
    assert!(matches!(chain.verify().await, Err(Broken::Rewritten(5))));
}

#[tokio::test]
async fn operators_at_once_write_one_after_the_other() {
    let chain = Chain::of_five().await;
    let detail = json!({});
    let note =
        || Note { action: "skip", phase: Phase::After, subject: "x", detail: &detail, reason: "r", ticket: None };
    let (one, two, three) =
        tokio::join!(chain.audit.append(note()), chain.audit.append(note()), chain.audit.append(note()));
    let mut ids = [one.unwrap(), two.unwrap(), three.unwrap()];
    ids.sort_unstable();
    assert_eq!(ids, [6, 7, 8]);
    assert_eq!(chain.verify().await.unwrap(), 8);
}
