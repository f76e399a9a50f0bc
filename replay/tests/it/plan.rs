//! A plan is good once, for what it was made for, and while what it rests on is so.

use platform::sealing::Key;
use replay::audit::{Heads, verify};
use replay::fleet::Fleet;
use replay::operation::{Aside, Which};
use replay::plan::{make, take};
use replay::{Audit, Operation, Refused, Spent, execute};
use serde_json::json;
use url::Url;

const ENTITY: &str = "commerce.public.merchant/7";

async fn control() -> bed::Database {
    let control = bed::database("backbone").await;
    sqlx::raw_sql(
        "insert into started_partition (consumer, topic, partition) values ('merchant-tax', 'commerce.public.merchant', 0)",
    )
    .execute(&control.pool)
    .await
    .unwrap();
    control
}

async fn park(control: &bed::Database, offset: i64, entity: Option<&str>) -> i64 {
    sqlx::query_scalar(
        r#"insert into parked_change (consumer, entity, topic, partition, "offset", record_time, record_key, record_value,
               record_headers, cause, detail, attempts)
           values ('merchant-tax', $1, 'commerce.public.merchant', 0, $2, now(), 'k', 'v', '[]', 'refused', 'no', 1)
           returning id"#,
    )
    .bind(entity)
    .bind(offset)
    .fetch_one(&control.pool)
    .await
    .unwrap()
}

/// A worker that says it has partition 0.
async fn run(control: &bed::Database, state: &str, next: i64) {
    say(control, "w", state, next).await;
}

/// A worker by that name says it has partition 0.
async fn say(control: &bed::Database, worker: &str, state: &str, next: i64) {
    let partitions = json!([{
        "topic": "commerce.public.merchant", "partition": 0, "state": state, "reason": null, "next_offset": next,
        "end_offset": 100, "lag_records": 100 - next, "lag_seconds": 0.0,
    }]);
    sqlx::query(
        "insert into worker (id, consumer, host, pid, partitions) values ($2, 'merchant-tax', 'here', 1, $1)
         on conflict (id) do update set partitions = excluded.partitions, seen_at = now()",
    )
    .bind(partitions)
    .bind(worker)
    .execute(&control.pool)
    .await
    .unwrap();
}

fn discard() -> Operation {
    Operation::Discard(Aside::Entity(ENTITY.to_owned()))
}

fn rewind(partition: i32, to: Option<i64>) -> Operation {
    let which = Which { topic: Some("commerce.public.merchant".to_owned()), partition: Some(partition) };
    Operation::Rewind { which, halted: false, to }
}

#[tokio::test]
async fn a_discard_keeps_the_bytes_and_leaves_its_trace() {
    let control = control().await;
    for offset in 1..=3 {
        park(&control, offset, Some(ENTITY)).await;
    }
    park(&control, 4, Some("commerce.public.merchant/8")).await;
    let plan = make(&control.pool, "merchant-tax", discard()).await.unwrap();
    assert!(plan.view.summary[0].starts_with("3 parked records are given up"), "{:?}", plan.view.summary);
    let folder = tempfile::tempdir().unwrap();
    let heads = Heads::open(&Url::from_directory_path(folder.path()).unwrap()).unwrap();
    let key = Key::from_bytes([1; 32]);
    let audit = Audit::new(control.pool.clone(), key.clone(), heads.clone());
    let taken = take(&control.pool, "merchant-tax", &discard(), &plan.token).await.unwrap();
    let done = execute(&control.pool, &audit, &taken, "they were tests", Some("OPS-9")).await.unwrap();
    assert_eq!((done.outcomes, done.complete), (vec!["discarded 3".to_owned()], true));
    let kept: i64 = sqlx::query_scalar(
        "select count(*) from discarded_change where record_value = 'v' and reason = 'they were tests'",
    )
    .fetch_one(&control.pool)
    .await
    .unwrap();
    assert_eq!(kept, 3);
    assert_eq!(runtime::parking::list(&control.pool, "merchant-tax", None).await.unwrap().len(), 1);
    assert_eq!(verify(&control.pool, &key, &heads).await.unwrap().entries, 2);
    let again = take(&control.pool, "merchant-tax", &discard(), &plan.token).await.unwrap_err();
    assert!(matches!(again, Spent::Used { .. }), "{again}");
}

#[tokio::test]
async fn what_a_dead_worker_said_last_is_not_believed_while_another_has_the_partition() {
    let control = control().await;
    for (dead, alive) in [("a", "b"), ("d", "c")] {
        say(&control, dead, "running", 60).await;
        say(&control, alive, "halted", 90).await;
        let fleet = Fleet::read(&control.pool, Some("merchant-tax")).await.unwrap();
        let said: Vec<_> = fleet.0.iter().map(|owned| (&*owned.worker, owned.standing.next_offset)).collect();
        assert_eq!(said, [(alive, 90)]);
    }
}

#[tokio::test]
async fn a_plan_whose_facts_changed_is_void_and_says_what_changed() {
    let control = control().await;
    let first = park(&control, 1, Some(ENTITY)).await;
    let plan = make(&control.pool, "merchant-tax", discard()).await.unwrap();
    let second = park(&control, 2, Some(ENTITY)).await;
    let void = take(&control.pool, "merchant-tax", &discard(), &plan.token).await.unwrap_err();
    let Spent::Changed { before, now } = void else { panic!("{void}") };
    assert_eq!((before, now), (json!([first]), json!([first, second])));
}

#[tokio::test]
async fn a_token_is_for_what_it_was_made_for_and_for_half_an_hour() {
    let control = control().await;
    park(&control, 1, Some(ENTITY)).await;
    let plan = make(&control.pool, "merchant-tax", discard()).await.unwrap();
    let release = Operation::Release(Aside::Entity(ENTITY.to_owned()));
    let other = take(&control.pool, "merchant-tax", &release, &plan.token).await.unwrap_err();
    assert!(matches!(other, Spent::Another(_)), "{other}");
    assert!(matches!(take(&control.pool, "merchant-tax", &discard(), "nothing").await, Err(Spent::Unknown(_))));
    sqlx::raw_sql("update plan set made_at = now() - interval '31 minutes'").execute(&control.pool).await.unwrap();
    assert!(matches!(take(&control.pool, "merchant-tax", &discard(), &plan.token).await, Err(Spent::Expired)));
}

#[tokio::test]
async fn of_two_operators_with_one_token_one_carries_it_out() {
    let control = control().await;
    park(&control, 1, Some(ENTITY)).await;
    let plan = make(&control.pool, "merchant-tax", discard()).await.unwrap();
    let operation = discard();
    let taking = || take(&control.pool, "merchant-tax", &operation, &plan.token);
    let (one, two) = tokio::join!(taking(), taking());
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_to_do() {
    let control = control().await;
    let refused = |consumer: &'static str, operation: Operation| {
        let pool = control.pool.clone();
        async move { make(&pool, consumer, operation).await.unwrap_err() }
    };
    let unknown = refused("merchant-taxes", discard()).await.to_string();
    assert_eq!(unknown, "no consumer is named `merchant-taxes`; there are merchant-tax");
    let idle = refused("merchant-tax", Operation::Pause(Which::default())).await;
    assert!(matches!(idle, Refused::NotRunning(_)), "{idle}");
    let nothing = refused("merchant-tax", discard()).await.to_string();
    assert!(nothing.contains("sluice parked list merchant-tax"), "{nothing}");
    run(&control, "running", 50).await;
    let topic = "commerce.public.merchant".to_owned();
    let forward = refused("merchant-tax", rewind(0, Some(60))).await;
    assert!(forward.to_string().contains("stands at 50"), "{forward}");
    let absent = refused("merchant-tax", rewind(9, Some(0))).await;
    assert!(matches!(absent, Refused::NoPartition { .. }), "{absent}");
    let which = Which { topic: Some(topic.clone()), partition: None };
    let halted = refused("merchant-tax", Operation::Rewind { which, halted: true, to: None }).await;
    assert!(halted.to_string().contains("nothing to rewind"), "{halted}");
    let elsewhere = refused("merchant-tax", Operation::Skip { topic, partition: 0, offset: 49 }).await;
    assert!(elsewhere.to_string().contains("stands at 50, not at 49"), "{elsewhere}");
    let resume = refused("merchant-tax", Operation::Resume(Which::default())).await;
    assert!(resume.to_string().contains("nothing to resume"), "{resume}");
    let of_an_entity = park(&control, 5, Some(ENTITY)).await;
    let by_number = refused("merchant-tax", Operation::Discard(Aside::Id(of_an_entity))).await;
    assert!(by_number.to_string().contains("name the entity"), "{by_number}");
}

#[tokio::test]
async fn a_rewind_says_how_much_is_read_again() {
    let control = control().await;
    run(&control, "running", 50).await;
    let plan = make(&control.pool, "merchant-tax", rewind(0, Some(10))).await.unwrap();
    assert!(plan.view.summary[0].contains("40 records before position 50"), "{:?}", plan.view.summary);
}

#[tokio::test]
async fn a_rewind_of_what_is_halted_leaves_the_rest_alone_and_is_void_when_more_is() {
    let control = control().await;
    sqlx::raw_sql(
        "insert into worker (id, consumer, host, pid, partitions)
         select 'w', 'merchant-tax', 'here', 1, jsonb_agg(jsonb_build_object('topic', 'commerce.public.merchant', 'partition', n,
             'state', case when n < 2 then 'halted' else 'running' end, 'reason', null, 'next_offset', 50, 'end_offset', 100,
             'lag_records', 50, 'lag_seconds', 0.0)) from generate_series(0, 3) n",
    )
    .execute(&control.pool)
    .await
    .unwrap();
    let operation = Operation::Rewind { which: Which::default(), halted: true, to: None };
    let plan = make(&control.pool, "merchant-tax", operation.clone()).await.unwrap();
    let told: Vec<_> =
        plan.view.commands.iter().map(|command| (command.partition, command.arguments.clone())).collect();
    assert_eq!(told, [(0, json!({ "to": null })), (1, json!({ "to": null }))]);
    let expected = "commerce.public.merchant[0] again from the first record that is retained on: at most 50 records";
    assert!(plan.view.summary[0].contains(expected), "{:?}", plan.view.summary);
    sqlx::raw_sql("update worker set partitions = jsonb_set(partitions, '{2,state}', '\"halted\"')")
        .execute(&control.pool)
        .await
        .unwrap();
    let void = take(&control.pool, "merchant-tax", &operation, &plan.token).await.unwrap_err();
    assert!(matches!(void, Spent::Changed { .. }), "{void}");
}
