//! The documents beside what the source says of their products.
//!
//! The engine gives all its documents in one answer, of each of which the digest is kept (16 bytes); the source's products are read in
//! ranges of ids and digested beside them. What does not agree is read once more from both sides.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use futures::stream::{BoxStream, StreamExt as _};
use platform::postgres::uninterrupted;
use runtime::Fault;
use runtime::comparison::{Comparison, Contrast, Differing, Kind, Looked, Range, in_ranges, ranges};
use schemas::Row as _;
use schemas::commerce::product::Product;
use serde_json::{Map, Value};
use sqlx::{PgConnection, PgPool};

use crate::Inner;
use crate::chunk::Target;
use crate::digest::{READ_XMIN, digested};
use crate::document;
use crate::fill;
use crate::source;
use crate::typesense::{Typesense, unreadable};

/// How many products a range has.
const RANGE: i64 = 20_000;
/// How many products are read together.
const PAGE: usize = 1_000;
/// How much of a value is shown.
const SHOWN: usize = 200;

/// Products with the digests of their documents, in the order of their ids.
type Digests = Vec<(i64, u64)>;

/// The documents of a collection, compared with a commerce database.
#[derive(Clone)]
pub(crate) struct Documents {
    inner: Arc<Inner>,
    source: PgPool,
    engine: Typesense,
    target: Target,
}

impl Documents {
    /// What is searched: whatever collection the alias names.
    pub(crate) fn searched(inner: Arc<Inner>, source: PgPool) -> Self {
        let engine = inner.typesense.clone();
        Self { inner, source, engine, target: Target::Searched }
    }

    /// One collection, whatever the alias names.
    pub(crate) fn of(inner: Arc<Inner>, collection: &str) -> Self {
        let (source, engine) = (inner.source.clone(), inner.typesense.of(collection));
        Self { inner, source, target: Target::Only(engine.clone()), engine }
    }

    async fn look(&self, range: Range, shown: &Digests) -> Result<Looked, Fault> {
        let shown = within(shown, range);
        let products = source::products_in(&self.source, range).await?;
        let mut connection = self.source.acquire().await?;
        let mut made = BTreeMap::new();
        for page in products.chunks(PAGE) {
            let see = |product, body: &[u8]| {
                made.insert(product, digest_of(body));
            };
            each_shown(&mut connection, page, see).await?;
        }
        drop(connection);
        let extra = shown.iter().map(|(product, _)| *product).filter(|product| !made.contains_key(product));
        let is_shown = |made: &(&i64, &u64)| shown.binary_search(&(*made.0, *made.1)).is_ok();
        let differing = made.iter().filter(|made| !is_shown(made)).map(|(product, _)| *product);
        let doubtful: Vec<i64> = differing.chain(extra).collect();
        let rows = i64::try_from(made.len()).unwrap_or(i64::MAX);
        Ok(Looked { rows, wrong: self.of_keys(&doubtful).await? })
    }

    /// What the engine has.
    async fn shown(&self) -> Result<Digests, Fault> {
        let mut shown = Digests::new();
        let see = |document: &[u8]| {
            let seen = digested(document).map_err(|error| unreadable(&error))?;
            if let Some(product) = seen.product {
                shown.push((product, seen.digest));
            } else {
                // nothing that search-sync does makes or removes it
                let document = cut(String::from_utf8_lossy(document).into_owned());
                tracing::warn!(document, "a document whose id is no product's");
            }
            Ok(())
        };
        self.engine.each(see).await?;
        shown.sort_unstable();
        Ok(shown)
    }

    async fn of_keys(&self, keys: &[i64]) -> Result<Differing, Fault> {
        let mut wrong = Differing::new();
        for keys in keys.chunks(PAGE) {
            let shown = self.engine.documents(keys).await?;
            let mut shown: BTreeMap<i64, Value> =
                shown.into_iter().filter_map(|document| Some((id(&document)?, content(document)))).collect();
            for (product, document) in computed(&self.source, keys).await? {
                let shown = shown.remove(&product);
                wrong.extend(contrast(Some(&document), shown.as_ref()).map(|contrast| (product, contrast)));
            }
            let extra = shown.into_iter().filter_map(|(product, shown)| Some((product, contrast(None, Some(&shown))?)));
            wrong.extend(extra);
        }
        Ok(wrong)
    }
}

impl Comparison for Documents {
    fn name(&self) -> &'static str {
        "products"
    }

    fn topic(&self) -> &'static str {
        Product::TOPIC
    }

    fn looks(&self) -> BoxStream<'_, Result<Looked, Fault>> {
        let looks = async move {
            let shown = Arc::new(self.shown().await?);
            let bounds = source::bounds(&self.source, RANGE).await?;
            let look = move |range| {
                let (documents, shown) = (self.clone(), shown.clone());
                // making and digesting documents is this process's own work, of more than one core
                uninterrupted(async move { documents.look(range, &shown).await })
            };
            Ok(in_ranges(ranges(&bounds), look))
        };
        looks.try_flatten_stream().boxed()
    }

    fn keys<'c>(&'c self, keys: &'c [i64]) -> BoxFuture<'c, Result<Differing, Fault>> {
        self.of_keys(keys).boxed()
    }

    fn mend<'c>(&'c self, keys: &'c [i64]) -> BoxFuture<'c, Result<Option<u64>, Fault>> {
        async { Ok(Some(fill::again(&self.inner, &self.target, keys).await?)) }.boxed()
    }
}

/// Those of a range.
fn within(digests: &Digests, (above, up_to): Range) -> &[(i64, u64)] {
    let end = |bound: i64| digests.partition_point(|(product, _)| *product <= bound);
    &digests[end(above)..end(up_to)]
}

/// Those of these products that have a document, with its text.
async fn each_shown(
    source: &mut PgConnection,
    products: &[i64],
    mut seen: impl FnMut(i64, &[u8]),
) -> Result<(), Fault> {
    let mut rows = source::read(source, products);
    let mut body = Vec::new();
    while let Some(aggregate) = rows.try_next().await? {
        if aggregate.is_shown() {
            body.clear();
            document::write(&aggregate, &mut body)?;
            seen(aggregate.id, &body);
        }
    }
    Ok(())
}

/// The documents that the source makes of these products, by their ids.
pub(crate) async fn computed(source: &PgPool, products: &[i64]) -> Result<BTreeMap<i64, Value>, Fault> {
    let mut connection = source.acquire().await?;
    let mut documents = BTreeMap::new();
    let see = |product, body: &[u8]| {
        // what this program cannot read is compared as text: one such product must not hide the others
        let document = serde_json::from_slice(body);
        let document = document.unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
        documents.insert(product, content(document));
    };
    each_shown(&mut connection, products, see).await?;
    Ok(documents)
}

/// Of a document that this program cannot read any number does: then it is looked at as text.
fn digest_of(body: &[u8]) -> u64 {
    digested(body).map(|document| document.digest).unwrap_or_default()
}

/// Without what says when it was read rather than what was.
pub(crate) fn content(mut document: Value) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.remove(READ_XMIN);
    }
    document
}

fn id(document: &Value) -> Option<i64> {
    document["id"].as_str()?.parse().ok()
}

/// What both say, unless it is the same.
fn contrast(source: Option<&Value>, shown: Option<&Value>) -> Option<Contrast> {
    let kind = match (source, shown) {
        (None, None) => return None,
        (Some(_), None) => Kind::Missing,
        (None, Some(_)) => Kind::Extra,
        (Some(source), Some(shown)) if source == shown => return None,
        (Some(source), Some(shown)) => {
            let behind = source["version"].as_i64().zip(shown["version"].as_i64()).is_some_and(|(is, was)| was < is);
            if behind { Kind::Stale } else { Kind::Different }
        }
    };
    let other = |one: Option<&Value>| one.and_then(Value::as_object).cloned();
    let (theirs, ours) = (other(source), other(shown));
    let text = |one: Option<&Value>, other: Option<&Map<String, Value>>| one.map(|one| differing(one, other));
    Some(Contrast { kind, source: text(source, ours.as_ref()), shown: text(shown, theirs.as_ref()) })
}

/// The fields of a document that the other one has not or has otherwise; of a document that stands alone what it is called.
fn differing(document: &Value, other: Option<&Map<String, Value>>) -> String {
    let Some(fields) = document.as_object() else { return cut(document.to_string()) };
    let is_shown = |name: &str, value: &Value| match other {
        Some(other) => other.get(name) != Some(value),
        None => ["id", "name", "merchant_id", "version"].contains(&name),
    };
    let chosen = fields.iter().filter(|(name, value)| is_shown(name, value));
    let shown: Vec<String> = chosen.map(|(name, value)| format!("{name}: {}", cut(value.to_string()))).collect();
    if shown.is_empty() { "nothing of what the other has".to_owned() } else { shown.join(", ") }
}

fn cut(text: String) -> String {
    if text.chars().count() <= SHOWN { text } else { text.chars().take(SHOWN).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_missing_stale_different_or_extra_and_what_differs_is_shown() {
        let source = json!({ "id": "7", "name": "phở", "version": 3, "price_min": 5 });
        let kind = |shown: Value| contrast(Some(&source), Some(&shown)).map(|contrast| contrast.kind);
        assert_eq!(kind(source.clone()), None);
        assert_eq!(kind(json!({ "id": "7", "name": "phở", "version": 2, "price_min": 5 })), Some(Kind::Stale));
        assert_eq!(contrast(Some(&source), None).unwrap().kind, Kind::Missing);
        assert_eq!(contrast(None, Some(&source)).unwrap().kind, Kind::Extra);
        let found = contrast(Some(&source), Some(&json!({ "id": "7", "name": "bún", "version": 3 }))).unwrap();
        assert_eq!(found.kind, Kind::Different);
        assert_eq!(found.source.unwrap(), "name: \"phở\", price_min: 5");
        assert_eq!(found.shown.unwrap(), "name: \"bún\"");
    }

    #[test]
    fn ranges_of_digests_are_above_one_product_and_up_to_another() {
        let digests = vec![(1, 10), (3, 30), (5, 50)];
        assert_eq!(within(&digests, (i64::MIN, i64::MAX)), digests);
        assert_eq!(within(&digests, (1, 5)), &digests[1..]);
        assert_eq!(within(&digests, (1, 2)), &[]);
    }
}
