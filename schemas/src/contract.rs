//! The row types against the reviewed schemas and the real events kept beside them.
//!
//! Every release of every topic must decode into its row type: a consumer that replays meets them all.

use std::collections::BTreeSet;
use std::path::PathBuf;

use apache_avro::types::Value as Avro;
use serde_json::Value as Json;

use crate::commerce::{category::Category, merchant::Merchant, product::Product, variant::Variant};
use crate::files::{Subject, Topic, load};
use crate::identity::{policy::Policy, role::Role};
use crate::{Envelope, Field, Operation, Position, Row, decode, wire};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn topic<R: Row>() -> Topic {
    load(&root()).unwrap().into_iter().find(|topic| topic.name == R::TOPIC).unwrap()
}

/// Texts that the tables bound to a few bytes: Postgres never moves them out of the row.
const BOUNDED: &[&str] = &[
    "industry",
    "taxpayer",
    "tax_code",
    "province_code",
    "ward_code",
    "status",
    "deletion_policy",
    "kind",
    "industry_group",
    "vat_class",
    "role",
    "service",
    "resource",
    "action",
    "effect",
];

fn is_bounded(topic: &str, column: &str) -> bool {
    BOUNDED.contains(&column) || (topic, column) == ("identity.public.role", "name")
}

/// A datum of any schema: texts that mean something to Debezium get something that it could have written.
fn sample(schema: &Json, named: &mut Vec<(String, Json)>, nulls: bool) -> Avro {
    match schema {
        Json::String(name) => match name.as_str() {
            "string" => Avro::String("text".to_owned()),
            "long" => Avro::Long(7),
            "int" => Avro::Int(7),
            "boolean" => Avro::Boolean(true),
            other => {
                let definition =
                    named.iter().find(|(known, _)| known == other).map(|(_, definition)| definition.clone());
                sample(&definition.unwrap_or_else(|| panic!("{other} is not defined")), named, nulls)
            }
        },
        Json::Array(branches) => branch(branches, named, nulls),
        Json::Object(object) if object["type"] == "record" => {
            named.push((object["name"].as_str().unwrap().to_owned(), schema.clone()));
            let fields = object["fields"].as_array().unwrap().clone();
            Avro::Record(fields.iter().map(|field| field_sample(field, named, nulls)).collect())
        }
        Json::Object(object) => match object.get("connect.name").and_then(Json::as_str) {
            Some("io.debezium.time.ZonedTimestamp") => Avro::String("2026-11-21T07:48:35.365877Z".to_owned()),
            Some("io.debezium.data.Json") => Avro::String("{}".to_owned()),
            _ => sample(&object["type"], named, nulls),
        },
        other => panic!("not a schema: {other}"),
    }
}

fn branch(branches: &[Json], named: &mut Vec<(String, Json)>, nulls: bool) -> Avro {
    let wanted = branches.iter().position(|branch| (branch == "null") == nulls).unwrap();
    let value = if nulls { Avro::Null } else { sample(&branches[wanted], named, nulls) };
    Avro::Union(u32::try_from(wanted).unwrap(), Box::new(value))
}

fn field_sample(field: &Json, named: &mut Vec<(String, Json)>, nulls: bool) -> (String, Avro) {
    let name = field["name"].as_str().unwrap();
    let value = match name {
        "op" => Avro::String("u".to_owned()),
        "sequence" => Avro::Union(1, Box::new(Avro::String(r#"["5","6"]"#.to_owned()))),
        // the row itself is there also when every column that may be null is
        "after" => after(&field["type"], named, nulls),
        _ => sample(&field["type"], named, nulls),
    };
    (name.to_owned(), value)
}

fn after(branches: &Json, named: &mut Vec<(String, Json)>, nulls: bool) -> Avro {
    let definition = named.iter().find(|(known, _)| known == "Value").map(|(_, definition)| definition.clone());
    let definition = definition.or_else(|| branches[1].as_object().map(|_| branches[1].clone()));
    let definition = definition.unwrap_or_else(|| branches[1].clone());
    Avro::Union(1, Box::new(sample(&definition, named, nulls)))
}

/// The envelope's first field defines the row: it is known before `after` refers to it, also when `before` is null.
fn datum(text: &str, nulls: bool) -> Vec<u8> {
    let schema: Json = serde_json::from_str(text).unwrap();
    let row = schema["fields"][0]["type"][1].clone();
    let mut named = vec![("Value".to_owned(), row)];
    let value = sample(&schema, &mut named, nulls);
    let schema = apache_avro::Schema::parse_str(text).unwrap();
    apache_avro::writer::datum::GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(value).unwrap()
}

fn every_release_decodes<R: Row>() {
    for release in &topic::<R>().value.releases {
        let schema = release.text.parse().unwrap();
        for nulls in [false, true] {
            let bytes = datum(&release.text, nulls);
            let envelope: Envelope<R> = decode::datum(&schema, &bytes)
                .unwrap_or_else(|error| panic!("{} version {}: {error}", R::TOPIC, release.number));
            assert!(envelope.after.is_some());
            assert_eq!(Position::of(0, &envelope.source).unwrap().commit_lsn, 5);
        }
    }
}

/// Every text that may be long must be a `Field`: with the placeholder in it, the row must say that it is partial.
fn every_long_text_is_a_field<R: Row>() {
    let topic = topic::<R>();
    let row = crate::columns::columns(&topic.value.current).unwrap();
    let schema = topic.value.current.parse().unwrap();
    let plain = decode::json(&schema, &datum(&topic.value.current, false)).unwrap()["after"].clone();
    let read: BTreeSet<&str> =
        row.iter().map(|column| column.name.as_str()).filter(|name| reads::<R>(&plain, name)).collect();
    for column in row.iter().filter(|column| read.contains(column.name.as_str())) {
        let is_text = column.kind == "\"string\"" || column.meaning.as_deref() == Some("io.debezium.data.Json");
        if !is_text || is_bounded(R::TOPIC, &column.name) {
            continue;
        }
        let mut json = plain.clone();
        json[&column.name] = crate::field::PLACEHOLDER.into();
        let row: R = serde_json::from_value(json).unwrap();
        assert_eq!(row.unchanged(), [column.name.as_str()], "{}: make `{}` a Field", R::TOPIC, column.name);
    }
}

/// Does the row type read the column? It fails on a list where it does.
fn reads<R: Row>(plain: &Json, column: &str) -> bool {
    let mut json = plain.clone();
    json[column] = Json::Array(vec![Json::Null]);
    serde_json::from_value::<R>(json).is_err()
}

fn bytes(example: &Json, name: &str) -> Option<Vec<u8>> {
    let text = example[name].as_str()?;
    Some((0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect())
}

fn text_of(subject: &Subject, release: &Json) -> String {
    let number = release.as_u64().unwrap();
    subject.releases.iter().find(|release| u64::from(release.number) == number).unwrap().text.clone()
}

/// Real records, as captured: their bytes decode by the release that wrote them into what is written beside them, and
/// into the row type.
fn every_example_decodes<R: Row>() {
    let topic = topic::<R>();
    let mut seen = BTreeSet::new();
    let folder = root().join(R::TOPIC).join("examples");
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let example: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        example_decodes::<R>(&topic, &name, &example);
        seen.insert(name);
    }
    for name in ["create", "update", "delete", "tombstone", "snapshot"] {
        assert!(seen.contains(name), "{} has no example of a {name}", R::TOPIC);
    }
}

fn example_decodes<R: Row>(topic: &Topic, name: &str, example: &Json) {
    let key = bytes(example, "key_bytes").unwrap();
    let (_, key) = wire::split(&key).unwrap();
    let schema = text_of(&topic.key, &example["key_release"]).parse().unwrap();
    assert_eq!(decode::json(&schema, key).unwrap(), example["key"], "{name}");
    decode::datum::<R::Key>(&schema, key).unwrap();
    let Some(value) = bytes(example, "value_bytes") else {
        assert_eq!((name, &example["value"]), ("tombstone", &Json::Null));
        return;
    };
    let (_, value) = wire::split(&value).unwrap();
    let schema = text_of(&topic.value, &example["value_release"]).parse().unwrap();
    assert_eq!(decode::json(&schema, value).unwrap(), example["value"], "{name}");
    let envelope: Envelope<R> = decode::datum(&schema, value).unwrap();
    Position::of(0, &envelope.source).unwrap();
    let expected = match name {
        "create" => Operation::Create,
        "delete" => Operation::Delete,
        "snapshot" | "incremental_snapshot" => Operation::Read,
        _ => Operation::Update,
    };
    assert_eq!(envelope.op, expected, "{name}");
    assert_eq!(envelope.after.is_none(), envelope.op == Operation::Delete, "{name}");
    assert_eq!(name == "unchanged", envelope.after.is_some_and(|row| row.is_partial()), "{name}");
}

macro_rules! contracts {
    ($($module:ident: $row:ty,)+) => {
        $(mod $module {
            use super::*;

            #[test]
            fn every_release_decodes_into_the_row() {
                every_release_decodes::<$row>();
            }

            #[test]
            fn every_text_that_may_be_long_may_be_unchanged() {
                every_long_text_is_a_field::<$row>();
            }

            #[test]
            fn every_example_is_what_it_says() {
                every_example_decodes::<$row>();
            }
        })+

        #[test]
        fn every_topic_has_a_row_type() {
            let rows: BTreeSet<String> = [$(<$row as Row>::TOPIC.to_owned()),+].into();
            let topics: BTreeSet<String> = load(&root()).unwrap().into_iter().map(|topic| topic.name).collect();
            assert_eq!(rows, topics);
        }
    };
}

contracts! {
    merchant: Merchant,
    category: Category,
    product: Product,
    variant: Variant,
    role: Role,
    policy: Policy,
}

#[test]
fn the_reviewed_files_break_nobody_who_reads_an_older_or_a_newer_version() {
    let checked = crate::check::offline(&load(&root()).unwrap());
    assert!(checked.is_clean(), "{checked}");
}

#[test]
fn every_column_of_a_reviewed_row_keeps_null_apart_from_its_default() {
    for topic in load(&root()).unwrap() {
        for column in crate::columns::columns(&topic.value.current).unwrap() {
            let only_null = column.default.as_ref().is_none_or(Json::is_null);
            assert!(
                !column.nullable || only_null,
                "{}: `{}` would turn null into its default",
                topic.name,
                column.name
            );
        }
    }
}

#[test]
fn an_earlier_change_completes_a_later_one() {
    let read = |attributes: &str| -> Variant {
        let json = serde_json::json!({
            "id": 1, "product_id": 2, "merchant_id": 3, "sku": "S", "barcode": null, "name": "Tô", "unit": "bát",
            "price": 50000, "cost": null, "attributes": attributes, "is_default": true, "position": 1, "version": 1,
            "updated_at": "2026-11-21T07:48:35.365877Z", "deleted_at": null,
        });
        serde_json::from_value(json).unwrap()
    };
    let (earlier, mut later) = (read(r#"{"size":"L"}"#), read(crate::field::PLACEHOLDER));
    assert_eq!(later.unchanged(), ["attributes"]);
    let at = crate::Position { epoch: 0, commit_lsn: 5, lsn: 6 };
    later.inherit(earlier.clone(), at);
    assert_eq!(later.attributes, Field::of_earlier(earlier.attributes.clone().into_value().unwrap(), at));
    assert_eq!(later.sku, earlier.sku);
    assert!(matches!(later.barcode, Field::Value(None)));
}
