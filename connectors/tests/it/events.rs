//! What a change looks like, as the runtime will read it.

use connectors::signal::{Signal, send};
use rdkafka::message::{Message, OwnedMessage};
use schemas::Operation::{Create, Delete, Read, Update};
use schemas::commerce::{product::Product, variant::Variant};
use schemas::{Envelope, Field, Id, Operation, Position, Registry, Row, Snapshot, decode, wire};

use super::lab::{Lab, setting};
use super::reader::{header, read};
use super::schema::ROWS;

struct Change<R> {
    id: i64,
    envelope: Option<Envelope<R>>,
    record: OwnedMessage,
}

async fn decoded<R: Row>(registry: &Registry, records: Vec<OwnedMessage>) -> Vec<Change<R>> {
    let mut changes = Vec::new();
    for record in records {
        let (id, datum) = wire::split(record.key().unwrap()).unwrap();
        let key: Id = decode::datum(&registry.schema(id).await.unwrap(), datum).unwrap();
        let envelope = match record.payload() {
            None => None,
            Some(value) => {
                let (id, datum) = wire::split(value).unwrap();
                Some(decode::datum(&registry.schema(id).await.unwrap(), datum).unwrap())
            }
        };
        changes.push(Change { id: key.id, envelope, record });
    }
    changes
}

fn registry() -> Registry {
    platform::tls::install();
    Registry::new(&setting("APP_ENV_SCHEMA_REGISTRY_URL"), reqwest::Client::builder()).unwrap()
}

fn operations<R>(changes: &[Change<R>], id: i64) -> Vec<Option<Operation>> {
    changes
        .iter()
        .filter(|change| change.id == id)
        .map(|change| change.envelope.as_ref().map(|envelope| envelope.op))
        .collect()
}

#[tokio::test]
async fn a_change_of_key_is_a_delete_a_tombstone_and_a_create_at_one_position() {
    let lab = Lab::new(&["public.variant"]).await;
    lab.execute(ROWS).await;
    lab.apply().await.unwrap();
    lab.execute("update variant set id = 5 where id = 4").await;
    lab.execute("delete from variant where id = 5").await;
    let records = read(&lab.topic("public.variant"), |records| records.len() >= 6).await;
    let changes: Vec<Change<Variant>> = decoded(&registry(), records).await;
    assert_eq!(operations(&changes, 4), [Some(Read), Some(Delete), None]);
    assert_eq!(operations(&changes, 5), [Some(Create), Some(Delete), None]);
    let at = |id: i64, op: Operation| {
        let change = changes
            .iter()
            .find(|change| change.id == id && change.envelope.as_ref().is_some_and(|envelope| envelope.op == op));
        let change = change.unwrap();
        (
            Position::of(0, &change.envelope.as_ref().unwrap().source).unwrap(),
            header(&change.record, "__debezium.oldkey"),
        )
    };
    assert_eq!(at(4, Delete).0, at(5, Create).0);
    assert!(at(5, Delete).0 > at(5, Create).0);
    assert!(at(4, Delete).0 > at(4, Read).0, "a streamed change is later than the snapshot's read");
    assert_eq!(at(5, Create).1.as_deref(), Some(r#"{"id":4}"#));
}

#[tokio::test]
async fn an_untouched_long_text_is_unchanged_and_not_text() {
    let lab = Lab::new(&["public.product"]).await;
    lab.apply().await.unwrap();
    lab.execute(ROWS).await;
    lab.execute(
        "update product set description = (select string_agg(md5(g::text), '') from generate_series(1, 300) g)",
    )
    .await;
    lab.execute("update product set version = 3").await;
    let records = read(&lab.topic("public.product"), |records| records.len() >= 3).await;
    let changes: Vec<Change<Product>> = decoded(&registry(), records).await;
    let rows: Vec<&Product> = changes.iter().filter_map(|change| change.envelope.as_ref()?.after.as_ref()).collect();
    assert_eq!(rows[2].description, Field::Unchanged);
    assert_eq!(rows[2].unchanged(), ["description"]);
    let mut folded = rows[2].clone();
    folded.inherit(rows[1].clone(), Position::default());
    assert_eq!((folded.description.value(), folded.version), (rows[1].description.value(), 3));
    assert!(changes.iter().all(|change| change.envelope.as_ref().unwrap().before.is_none()));
}

#[tokio::test]
async fn an_incremental_snapshot_reads_the_named_rows_again_between_the_changes_around_it() {
    let lab = Lab::new(&["public.variant"]).await;
    lab.apply().await.unwrap();
    lab.execute(ROWS).await;
    lab.execute("insert into variant values (6,3,1,'M',null,'Nhỏ','bát',40000,null,'{}',false,2,1,1,now(),now(),null)")
        .await;
    let signal = Signal::snapshot(&bed::unique("signal"), "public.variant", Some("id = 6"));
    send(&lab.database.pool, &signal).await.unwrap();
    let topic = lab.topic("public.variant");
    read(&topic, |records| records.len() >= 3).await;
    lab.execute("update variant set price = 41000, version = 2 where id = 6").await;
    let records = read(&topic, |records| records.len() >= 4).await;
    let changes: Vec<Change<Variant>> = decoded(&registry(), records).await;
    assert_eq!(operations(&changes, 4), [Some(Create)]);
    assert_eq!(operations(&changes, 6), [Some(Create), Some(Read), Some(Update)]);
    let sources: Vec<_> = changes
        .iter()
        .filter(|change| change.id == 6)
        .map(|change| change.envelope.as_ref().unwrap().source.clone())
        .collect();
    assert_eq!((sources[1].snapshot, sources[1].lsn, sources[1].tx_id), (Snapshot::Incremental, None, None));
    let positions: Vec<Position> = sources.iter().map(|source| Position::of(0, source).unwrap()).collect();
    assert!(positions.is_sorted_by(|earlier, later| earlier < later), "{positions:?}");
}
