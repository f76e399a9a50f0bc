use std::sync::LazyLock;

use super::*;
use crate::epoch::Epochs;
use proptest::prelude::*;
use schemas::Position;

#[derive(Debug, Clone, serde::Deserialize)]
struct Nothing {}

impl schemas::Row for Nothing {
    const SERVICE: &'static str = "test";
    const TABLE: &'static str = "public.nothing";
    const TOPIC: &'static str = "test.public.nothing";
    type Key = i64;
    fn inherit(&mut self, _: Self, _: Position) {}
    fn unchanged(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

/// Made once: a client of the registry reads the machine's certificates.
static READING: LazyLock<Reading<Nothing>> = LazyLock::new(|| {
    platform::tls::install();
    let registry = Registry::new("http://127.0.0.1:1", reqwest::Client::builder()).unwrap();
    let topic = Topic::of::<Nothing>(|row| row, |_| false);
    let epochs = Epochs::default().of_partition(topic.name(), 0);
    let (topic, registry, parked) = (Arc::new(topic), Arc::new(registry), Arc::default());
    Reading { topic, partition: 0, epochs, inherit: |_, _, _| {}, registry, parked }
});

/// A record without a key: it is taken, and set aside.
fn receive(inbox: &mut Inbox<Nothing>, offset: i64) -> Received {
    let record = Record {
        coordinates: Coordinates { topic: "test.public.nothing".into(), partition: 0, offset },
        timestamp_ms: offset,
        key: None,
        value: None,
        headers: Vec::new(),
    };
    let own = || record.clone();
    inbox.receive(&READING, &Incoming::of(&record, &own))
}

fn inbox() -> Inbox<Nothing> {
    Inbox::new(Budget::of(1 << 20))
}

#[test]
fn nothing_is_taken_before_the_partition_is_placed() {
    assert_eq!(receive(&mut inbox(), 5), Received::Ignored);
}

#[test]
fn a_record_before_the_place_says_that_the_move_was_lost() {
    let mut inbox = inbox();
    inbox.open(5, Phase::Open, false);
    assert_eq!(receive(&mut inbox, 0), Received::Early);
    assert!(inbox.fold.is_empty());
    assert_eq!(inbox.awaits(), Some(5));
    assert_eq!(receive(&mut inbox, 5), Received::Taken);
    assert_eq!(inbox.awaits(), Some(6));
    assert_eq!(inbox.fold.end.unwrap().0, 6);
}

#[test]
fn a_client_that_goes_back_later_is_noticed_and_nothing_is_forgotten() {
    let mut inbox = inbox();
    inbox.open(5, Phase::Open, false);
    assert_eq!(receive(&mut inbox, 5), Received::Taken);
    assert_eq!(receive(&mut inbox, 0), Received::Early);
    assert_eq!(receive(&mut inbox, 5), Received::Early);
    assert_eq!(receive(&mut inbox, 6), Received::Taken);
    assert_eq!(inbox.fold.end.unwrap().0, 7);
    assert_eq!(inbox.fold.records, 2);
}

#[test]
fn records_that_are_missing_after_the_place_are_told_once() {
    let mut inbox = inbox();
    inbox.open(5, Phase::Open, false);
    assert_eq!(receive(&mut inbox, 8), Received::AfterGap { from: 5 });
    assert_eq!(receive(&mut inbox, 12), Received::Taken);
}

#[test]
fn the_record_that_is_verified_may_be_gone_but_none_after_it() {
    let verifying = Phase::Verifying { offset: 4, fingerprint: Fingerprint::of(0, None, None) };
    let mut inbox = inbox();
    inbox.open(4, verifying, false);
    assert_eq!(receive(&mut inbox, 5), Received::Taken);
    inbox.open(4, verifying, false);
    assert_eq!(receive(&mut inbox, 6), Received::AfterGap { from: 5 });
    inbox.open(4, verifying, false);
    assert_eq!(receive(&mut inbox, 4), Received::AnotherIncarnation);
}

/// What happens to a partition.
#[derive(Debug, Clone)]
enum Step {
    /// So many records arrive from where the client reads.
    Arrive(u8),
    /// The client goes back to the first record by itself.
    GoBack,
    /// The lane takes out what was received and applies it.
    Apply,
    /// Everything received is forgotten: a halt, or a place that is looked for.
    Close,
    /// The partition is placed so far before what is applied.
    Place { back: u8, queuing: bool, client: Client },
}

/// Where the client reads after the partition was moved.
#[derive(Debug, Clone, Copy)]
enum Client {
    AtThePlace,
    /// It is late with the move.
    WhereItWas,
    /// It lost the move, and begins at the first record.
    AtTheStart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = prop_oneof![Just(Client::AtThePlace), Just(Client::WhereItWas), Just(Client::AtTheStart)];
    let place = (0..6_u8, any::<bool>(), client);
    let step = prop_oneof![
        4 => (1..6_u8).prop_map(Step::Arrive),
        1 => Just(Step::GoBack),
        3 => Just(Step::Apply),
        1 => Just(Step::Close),
        2 => place.prop_map(|(back, queuing, client)| Step::Place { back, queuing, client }),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    /// However arrivals, applying, halts and moves interleave, what is applied follows on what was applied before: no
    /// record is passed over, and none is applied twice but after the partition was placed before it.
    #[test]
    fn what_is_applied_follows_on_what_was_applied(steps in steps()) {
        const START: i64 = 100;
        let mut inbox = inbox();
        let (mut applied, mut client) = (START, START);
        inbox.open(START, Phase::Open, false);
        for step in steps {
            match step {
                Step::Arrive(records) => for _ in 0..records {
                    match receive(&mut inbox, client) {
                        Received::Taken | Received::Full | Received::Ignored => client += 1,
                        // the lane moves the client again
                        Received::Early => client = inbox.awaits().unwrap(),
                        // it looks for the place
                        Received::AfterGap { from } => {
                            prop_assert!(from < client);
                            inbox.open(from, Phase::Open, false);
                            client = from;
                        }
                        Received::AnotherIncarnation => prop_assert!(false, "nothing is verified here"),
                    }
                },
                Step::Apply => {
                    let (fold, _share) = inbox.take_fold();
                    if let Some((end, _)) = fold.end {
                        prop_assert_eq!((fold.first_offset, fold.records), (applied, (end - applied).cast_unsigned()));
                        applied = end;
                    }
                    if inbox.queuing && !inbox.stop_queuing() {
                        for record in inbox.take_queue() {
                            prop_assert_eq!(record.coordinates.offset, applied);
                            applied += 1;
                        }
                    }
                }
                Step::GoBack => client = START,
                Step::Close => inbox.close(),
                Step::Place { back, queuing, client: reads } => {
                    applied = (applied - i64::from(back)).max(START);
                    inbox.open(applied, Phase::Open, queuing);
                    client = match reads {
                        Client::AtThePlace => applied,
                        Client::WhereItWas => client,
                        Client::AtTheStart => START,
                    };
                }
            }
            prop_assert!(inbox.awaits().is_none_or(|next| next >= applied), "{:?} awaited, {applied} applied", inbox.awaits());
        }
    }
}
