//! Applying: idempotent, shown before it is done, and honest about what fails.

use connectors::apply::{PATIENCE, apply, plan, wait_until_running};
use connectors::connect::State;
use connectors::status::standing;
use connectors::topics::TopicChange;
use time::OffsetDateTime;

use super::lab::{Lab, brokers, setting};
use super::schema::ROWS;

#[tokio::test]
async fn applying_twice_changes_nothing_and_topics_are_as_promised() {
    let lab = Lab::new(&["public.merchant"]).await;
    let brokers = brokers();
    let first = plan(&lab.connect, &brokers, lab.configuration.clone(), &lab.topics()).await.unwrap();
    assert!(first.is_new && matches!(first.topics.as_slice(), [TopicChange::Create { .. }]), "{first}");
    apply(&lab.connect, &brokers, &first).await.unwrap();
    let second = plan(&lab.connect, &brokers, lab.configuration.clone(), &lab.topics()).await.unwrap();
    assert!(second.is_empty() && second.topics.is_empty(), "{second}");
    let topic = brokers.describe(&lab.topic("public.merchant")).await.unwrap().unwrap();
    assert_eq!(topic.partitions, 2);
    assert_eq!(topic.all["retention.ms"], "2592000000");
    assert_eq!(topic.all["max.message.bytes"], "6291456");
}

#[tokio::test]
async fn a_changed_setting_is_shown_applied_and_then_gone_from_the_plan() {
    let lab = Lab::new(&["public.merchant"]).await;
    let brokers = brokers();
    lab.apply().await.unwrap();
    let changed = lab.configuration.clone().with("poll.interval.ms", "20");
    let shown = plan(&lab.connect, &brokers, changed.clone(), &lab.topics()).await.unwrap();
    assert!(shown.to_string().contains("~ poll.interval.ms: 10 -> 20"), "{shown}");
    apply(&lab.connect, &brokers, &shown).await.unwrap();
    assert!(plan(&lab.connect, &brokers, changed, &lab.topics()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_topic_altered_by_hand_is_shown_and_put_right_without_losing_its_other_settings() {
    let lab = Lab::new(&["public.merchant"]).await;
    let brokers = brokers();
    lab.apply().await.unwrap();
    let topic = lab.topic("public.merchant");
    let by_hand = [("retention.ms".to_owned(), "60000".to_owned()), ("segment.ms".to_owned(), "3600000".to_owned())];
    brokers.alter(&topic, &by_hand.into()).await.unwrap();
    let shown = plan(&lab.connect, &brokers, lab.configuration.clone(), &lab.topics()).await.unwrap();
    assert!(shown.to_string().contains("retention.ms 60000 -> 2592000000"), "{shown}");
    apply(&lab.connect, &brokers, &shown).await.unwrap();
    let own = brokers.describe(&topic).await.unwrap().unwrap().own;
    assert_eq!((own["retention.ms"].as_str(), own["segment.ms"].as_str()), ("2592000000", "3600000"));
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_with_its_reason() {
    let mut lab = Lab::new(&["public.merchant"]).await;
    lab.configuration = lab.configuration.clone().with("database.password", "wrong");
    let error = lab.apply().await.unwrap_err().to_string();
    assert!(error.contains("password authentication failed for user \"replication\""), "{error}");
    assert!(!error.contains('\n') && !error.contains("You can also find"), "{error}");
}

#[tokio::test]
async fn a_failed_tasks_useful_line_is_printed_and_not_its_trace() {
    let mut lab = Lab::new(&["public.merchant"]).await;
    lab.configuration = lab.configuration.clone().with("publication.name", "no_such_publication");
    let error = lab.apply().await.unwrap_err().to_string();
    assert!(error.contains("failed:") && error.contains("ublication"), "{error}");
    assert!(!error.contains("\tat ") && error.lines().count() == 1, "{error}");
}

#[tokio::test]
async fn pause_resume_and_restart_are_seen_in_the_status_and_the_slot_is_measured() {
    let lab = Lab::new(&["public.merchant"]).await;
    lab.apply().await.unwrap();
    lab.execute(ROWS).await;
    let look = || async {
        standing(&lab.connect, &lab.configuration, &lab.database.pool, OffsetDateTime::now_utc()).await.unwrap()
    };
    let running = look().await;
    assert!(running.is_healthy(), "{running}");
    lab.connect.pause(&lab.prefix).await.unwrap();
    until(&lab, State::Paused).await;
    lab.connect.resume(&lab.prefix).await.unwrap();
    lab.connect.restart(&lab.prefix, false).await.unwrap();
    wait_until_running(&lab.connect, &lab.prefix, PATIENCE).await.unwrap();
    let again = look().await;
    assert!(again.is_healthy() && again.slot.is_some_and(|slot| slot.retained >= slot.behind));
}

async fn until(lab: &Lab, state: State) {
    for _ in 0..240 {
        if lab.connect.status(&lab.prefix).await.unwrap().is_some_and(|status| status.connector.state == state) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    panic!("{} never was {state}", lab.prefix);
}

#[tokio::test]
async fn every_setting_of_the_reviewed_files_is_one_that_connect_or_debezium_knows() {
    let lab = Lab::new(&["public.merchant"]).await;
    let class = lab.configuration.get("connector.class").unwrap();
    let known = lab.connect.known_settings(class).await.unwrap();
    // Prefixes are handed on to the producer, the converters and the rules for topics. The one name beside them is
    // Debezium's own and missing from the list that it publishes.
    let handed_on = ["producer.override.", "key.converter.", "value.converter.", "topic.creation."];
    for name in lab.configuration.settings.keys() {
        let is_known = known.contains(name) || handed_on.iter().any(|prefix| name.starts_with(prefix));
        assert!(is_known || name == "offset.mismatch.strategy", "{name}");
    }
}

#[tokio::test]
async fn the_password_is_nowhere_in_what_connect_shows() {
    let lab = Lab::new(&["public.merchant"]).await;
    lab.apply().await.unwrap();
    let settings = lab.connect.configuration(&lab.prefix).await.unwrap().unwrap();
    let password = setting("APP_ENV_REPLICATION_PASSWORD");
    assert!(settings.values().all(|value| !value.contains(&password)));
    assert!(settings["database.password"].starts_with("${file:"));
}
