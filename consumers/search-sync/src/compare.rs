//! The documents beside what the source says of their products.
//!
//! A range is of merchants, because the engine filters by them and not by ranges of ids: it gives the documents of these
//! merchants one after the other, of which a digest and the version are kept, and the source's products are read beside
//! them page by page. What does not agree is read once more from both sides.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use futures::TryStreamExt as _;
use futures::future::{BoxFuture, FutureExt as _};
use runtime::Fault;
use runtime::comparison::{Comparison, Contrast, Differing, Kind, Looked, Range, ranges};
use schemas::Row as _;
use schemas::commerce::product::Product;
use serde_json::{Map, Value};
use sqlx::PgPool;

use crate::Inner;
use crate::chunk::Target;
use crate::document;
use crate::fill;
use crate::source;
use crate::typesense::Typesense;

/// How many products a range has at least, unless it is the last.
const RANGE: i64 = 20_000;
/// How many products are read from both sides together.
const PAGE: usize = 500;
/// How much of a value is shown.
const SHOWN: usize = 200;

/// The documents of a collection, compared with a commerce database.
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

    async fn look(&self, range: Range) -> Result<Looked, Fault> {
        let mut shown = self.shown_in(range).await?;
        let (mut rows, mut doubtful) = (0, Vec::new());
        for page in source::products_in(&self.source, range).await?.chunks(PAGE) {
            for (product, document) in computed(&self.source, page).await? {
                rows += 1;
                if shown.remove(&product) != Some(digest(&document)) {
                    doubtful.push(product);
                }
            }
        }
        doubtful.extend(shown.into_keys());
        Ok(Looked { rows, wrong: self.of_keys(&doubtful).await? })
    }

    /// The digests of what the engine has of a range.
    async fn shown_in(&self, range: Range) -> Result<HashMap<i64, u64>, Fault> {
        let mut shown = HashMap::new();
        self.engine
            .each(of_merchants(range).as_deref(), |document| {
                if let Some(product) = id(&document) {
                    shown.insert(product, digest(&content(document)));
                } else {
                    // nothing that search-sync does makes or removes it
                    tracing::warn!(id = %document["id"], "a document whose id is no product's");
                }
            })
            .await?;
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

    fn ranges(&self) -> BoxFuture<'_, Result<Vec<Range>, Fault>> {
        async { Ok(ranges(&source::bounds(&self.source, RANGE).await?)) }.boxed()
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Looked, Fault>> {
        self.look(range).boxed()
    }

    fn keys<'c>(&'c self, keys: &'c [i64]) -> BoxFuture<'c, Result<Differing, Fault>> {
        self.of_keys(keys).boxed()
    }

    fn mend<'c>(&'c self, keys: &'c [i64]) -> BoxFuture<'c, Result<Option<u64>, Fault>> {
        async { Ok(Some(fill::again(&self.inner, &self.target, keys).await?)) }.boxed()
    }
}

/// Which merchants a range is of, as the engine is asked.
fn of_merchants((above, up_to): Range) -> Option<String> {
    let above = (above > i64::MIN).then(|| format!("merchant_id:>{above}"));
    let up_to = (up_to < i64::MAX).then(|| format!("merchant_id:<={up_to}"));
    let filter = [above, up_to].into_iter().flatten().collect::<Vec<_>>().join(" && ");
    (!filter.is_empty()).then_some(filter)
}

/// The documents that the source makes of these products, by their ids.
pub(crate) async fn computed(source: &PgPool, products: &[i64]) -> Result<BTreeMap<i64, Value>, Fault> {
    let mut connection = source.acquire().await?;
    let mut rows = source::read(&mut connection, products);
    let mut documents = BTreeMap::new();
    while let Some(aggregate) = rows.try_next().await? {
        if aggregate.is_shown() {
            let mut body = Vec::new();
            document::write(&aggregate, &mut body)?;
            // what this program cannot read is compared as text: one such product must not hide the others
            let document = serde_json::from_slice(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
            documents.insert(aggregate.id, content(document));
        }
    }
    Ok(documents)
}

/// Without what says when it was read rather than what was.
pub(crate) fn content(mut document: Value) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.remove("read_xmin");
    }
    document
}

fn id(document: &Value) -> Option<i64> {
    document["id"].as_str()?.parse().ok()
}

/// The same for equal documents, whatever the order of their fields. Both sides are digested by this process.
fn digest(content: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
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
    fn a_digest_does_not_depend_on_the_order_of_fields_or_on_when_it_was_read() {
        let one = content(json!({ "a": 1, "b": { "c": [1.5, "x"], "d": null }, "read_xmin": 7 }));
        let other = content(json!({ "read_xmin": 9, "b": { "d": null, "c": [1.5, "x"] }, "a": 1 }));
        assert_eq!(digest(&one), digest(&other));
        assert_ne!(digest(&one), digest(&json!({ "a": 2, "b": { "c": [1.5, "x"], "d": null } })));
    }

    #[test]
    fn ranges_of_merchants_are_asked_for_without_bounds_that_are_none() {
        assert_eq!(of_merchants((i64::MIN, i64::MAX)), None);
        assert_eq!(of_merchants((i64::MIN, 9)).unwrap(), "merchant_id:<=9");
        assert_eq!(of_merchants((3, 9)).unwrap(), "merchant_id:>3 && merchant_id:<=9");
        assert_eq!(of_merchants((9, i64::MAX)).unwrap(), "merchant_id:>9");
    }
}
