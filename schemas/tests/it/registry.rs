//! push, check, drift, diff and accept.

use schemas::accept::accept;
use schemas::ccompat::{CcompatError, LEVEL};
use schemas::{Registry, RegistryError, check, diff, drift, push};

use super::files::{Own, address};

const TELEPHONE: &str = r#",{"name":"telephone","type":["null","string"],"default":null}"#;
const POINTS: &str = r#",{"name":"email","type":["null","string"],"default":null},{"name":"points","type":["null","long"],"default":null}"#;

#[tokio::test]
async fn pushing_twice_registers_once_and_the_ids_resolve_to_the_pushed_texts() {
    let own = Own::new();
    let first = push::push(&own.registry, &own.topics()).await.unwrap();
    assert_eq!(first.registered.len(), 2);
    let second = push::push(&own.registry, &own.topics()).await.unwrap();
    assert_eq!((second.registered.len(), second.known, second.level_before), (0, 2, None));
    assert_eq!(own.registry.level().await.unwrap(), LEVEL);
    let checked = check::online(&own.registry, &own.topics()).await.unwrap();
    assert!(checked.is_clean(), "{checked}");
    let registry = Registry::new(&address(), reqwest::Client::builder()).unwrap();
    for (subject, _, id) in &first.registered {
        let schema = registry.schema(*id).await.unwrap();
        let topic = &own.topics()[0];
        let text = if subject.ends_with("-key") { &topic.key.current } else { &topic.value.current };
        assert_eq!(schema.json(), text);
        assert!(registry.known(*id).is_some());
    }
}

#[tokio::test]
async fn what_was_never_pushed_is_missed() {
    let own = Own::new();
    let checked = check::online(&own.registry, &own.topics()).await.unwrap();
    let missing = format!("{} is not in the registry: run `sluice schemas push`", own.subject());
    assert!(checked.to_string().contains(&missing), "{checked}");
}

#[tokio::test]
async fn an_added_nullable_column_is_drift_until_it_is_accepted_as_the_next_version() {
    let own = Own::new();
    push::push(&own.registry, &own.topics()).await.unwrap();
    own.registry.register(&own.subject(), &own.with_email_as(POINTS)).await.unwrap();
    let found = drift::drift(&own.registry, &own.topics(), |subject| subject.starts_with(&own.topic)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains("+ points: long or null"), "{}", found[0]);
    let shown = diff::with_registry(&own.registry, &own.topics()).await.unwrap();
    assert_eq!(shown[0].lines, ["+ points: long or null"]);

    let accepted = accept(&own.registry, &mut own.topics(), false).await.unwrap();
    assert_eq!(accepted.written, [(own.subject(), 2)]);
    assert!(own.folder.path().join(&own.topic).join("versions/value-2.avsc").exists());
    let checked = check::online(&own.registry, &own.topics()).await.unwrap();
    assert!(checked.is_clean(), "{checked}");
    assert_eq!(diff::history(&own.topics())[0].title, "version 1 -> 2");
    assert_eq!(
        drift::drift(&own.registry, &own.topics(), |subject| subject.starts_with(&own.topic)).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn the_registry_lets_a_rename_pass_and_the_check_does_not() {
    let own = Own::new();
    push::push(&own.registry, &own.topics()).await.unwrap();
    own.registry
        .register(&own.subject(), &own.with_email_as(TELEPHONE))
        .await
        .expect("the registry sees no harm in it");
    let refused = accept(&own.registry, &mut own.topics(), false).await.unwrap();
    assert!(refused.to_string().contains("`email` is gone and `telephone` of the same type has come"), "{refused}");
    assert!(refused.to_string().contains("expand and contract: (1) add `telephone` beside `email`"), "{refused}");
    // The same by hand, in the file: `make test` fails without any server.
    let file = own.folder.path().join(&own.topic).join("value.avsc");
    std::fs::write(file, own.with_email_as(TELEPHONE)).unwrap();
    let checked = check::offline(&own.topics());
    assert!(checked.to_string().contains("which is a rename"), "{checked}");
}

#[tokio::test]
async fn the_registry_refuses_a_break_by_itself() {
    let own = Own::new();
    push::push(&own.registry, &own.topics()).await.unwrap();
    let broken = own.with_email_as(r#",{"name":"email","type":"long"}"#);
    let error = own.registry.register(&own.subject(), &broken).await.unwrap_err();
    assert!(matches!(error, CcompatError::Refused { status: 409, .. }), "{error}");
}

#[tokio::test]
async fn a_version_that_nobody_ran_can_be_amended() {
    let own = Own::new();
    push::push(&own.registry, &own.topics()).await.unwrap();
    own.registry.register(&own.subject(), &own.with_email_as(TELEPHONE)).await.unwrap();
    let accepted = accept(&own.registry, &mut own.topics(), true).await.unwrap();
    assert_eq!(accepted.written, [(own.subject(), 1)]);
    assert!(check::offline(&own.topics()).is_clean());
}

#[tokio::test]
async fn a_file_changed_by_hand_is_seen() {
    let own = Own::new();
    let file = own.folder.path().join(&own.topic).join("value.avsc");
    std::fs::write(file, own.with_email_as(POINTS)).unwrap();
    let checked = check::offline(&own.topics());
    assert!(checked.to_string().contains("was changed by hand"), "{checked}");
}

#[tokio::test]
async fn a_missing_version_is_refused_rather_than_a_shorter_history_judged() {
    let own = Own::new();
    let versions = own.folder.path().join(&own.topic).join("versions");
    std::fs::copy(versions.join("value-1.avsc"), versions.join("value-3.avsc")).unwrap();
    let error = schemas::files::load(own.folder.path()).unwrap_err().to_string();
    assert!(error.contains("are not all there"), "{error}");
}

#[tokio::test]
async fn an_unknown_id_is_not_found_and_asked_for_again() {
    platform::tls::install();
    let registry = Registry::new(&address(), reqwest::Client::builder()).unwrap();
    for _ in 0..2 {
        let error = registry.schema(2_000_000_000).await.unwrap_err();
        assert!(matches!(error, RegistryError::NotFound { id: 2_000_000_000 }), "{error}");
        assert!(!error.is_transient());
    }
}
