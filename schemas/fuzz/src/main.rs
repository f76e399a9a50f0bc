//! Decodes whatever comes as a change event of every topic. An error is right; a panic, an endless loop and gigabytes are not.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use schemas::commerce::{category::Category, merchant::Merchant, product::Product, variant::Variant};
use schemas::identity::{policy::Policy, role::Role};
use schemas::{Envelope, Position, decode, wire};
use serde_avro_fast::Schema;

static VALUES: LazyLock<[Schema; 6]> = LazyLock::new(|| {
    [
        include_str!("../../commerce.public.merchant/value.avsc"),
        include_str!("../../commerce.public.category/value.avsc"),
        include_str!("../../commerce.public.product/value.avsc"),
        include_str!("../../commerce.public.variant/value.avsc"),
        include_str!("../../identity.public.role/value.avsc"),
        include_str!("../../identity.public.policy/value.avsc"),
    ]
    .map(|schema| schema.parse().expect("a schema of ours"))
});

/// What a consumer does with the bytes of a value, up to the position that orders it.
fn read<R: schemas::Row>(schema: &Schema, datum: &[u8]) {
    if let Ok(envelope) = decode::datum::<Envelope<R>>(schema, datum) {
        let position = Position::of(0, &envelope.source);
        // what has a position survives the columns that it is kept in
        if let Ok(position) = position {
            let (epoch, commit_lsn, lsn) = position.to_columns();
            assert!(epoch >= 0 && commit_lsn >= 0 && lsn >= 0, "{position:?}");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let Ok((_, datum)) = wire::split(bytes) else { return };
    let which = usize::from(*which) % VALUES.len();
    let schema = &VALUES[which];
    match which {
        0 => read::<Merchant>(schema, datum),
        1 => read::<Category>(schema, datum),
        2 => read::<Product>(schema, datum),
        3 => read::<Variant>(schema, datum),
        4 => read::<Role>(schema, datum),
        _ => read::<Policy>(schema, datum),
    }
    // what people are shown of a record goes the same way
    let _ = decode::json(schema, datum);
});
