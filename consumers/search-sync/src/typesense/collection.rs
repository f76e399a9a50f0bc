//! The collection behind the alias: `<alias>_<n>`, so that another one can be filled beside it and take its place.

use std::collections::BTreeMap;

use anyhow::anyhow;
use reqwest::Method;
use runtime::Fault;
use serde_json::{Value, json};

use super::Typesense;

/// The fields of a collection. Fields of a document that are not named here are stored and not indexed.
pub const COLLECTION: &str = include_str!("../../collection.json");

impl Typesense {
    /// Makes the collection and its alias where they are missing; asked once in this process.
    pub(crate) async fn ensure_collection(&self) -> Result<(), Fault> {
        self.ready.get_or_try_init(|| self.ensure()).await?;
        Ok(())
    }

    async fn ensure(&self) -> Result<(), Fault> {
        if let Some(name) = self.searched().await?
            && self.has(&name).await?
        {
            return Ok(());
        }
        let newest = self.newest().await?;
        let name = newest.clone().unwrap_or_else(|| format!("{}_1", self.alias));
        if newest.is_none() {
            self.make(&name).await?;
        }
        self.point(&name).await?;
        tracing::warn!(
            alias = self.alias,
            collection = name,
            "made the search collection {name} behind the alias {}; if products were published before, take an \
             incremental snapshot of commerce.public.product to fill it",
            self.alias
        );
        Ok(())
    }

    /// A collection that was made and not yet named by the alias.
    async fn newest(&self) -> Result<Option<String>, Fault> {
        Ok(self.collections().await?.pop_last().map(|(_, (name, _))| name))
    }

    /// The collection that the alias names.
    pub(crate) async fn searched(&self) -> Result<Option<String>, Fault> {
        let found = self.find(self.request(Method::GET, &format!("/aliases/{}", self.alias))).await?;
        Ok(found.and_then(|found| Some(found["collection_name"].as_str()?.to_owned())))
    }

    /// Lets the alias name this collection, in one step.
    pub(crate) async fn point(&self, name: &str) -> Result<(), Fault> {
        let body = json!({ "collection_name": name }).to_string();
        self.text(self.request(Method::PUT, &format!("/aliases/{}", self.alias)).body(body)).await.map(drop)
    }

    /// The collections of this alias, by their numbers, with how many documents each has.
    pub(crate) async fn collections(&self) -> Result<BTreeMap<u64, (String, u64)>, Fault> {
        let all = self.json(self.request(Method::GET, "/collections")).await?;
        let numbered = |collection: &Value| {
            let name = collection["name"].as_str()?;
            Some((
                number(&self.alias, name)?,
                (name.to_owned(), collection["num_documents"].as_u64().unwrap_or_default()),
            ))
        };
        Ok(all.as_array().into_iter().flatten().filter_map(numbered).collect())
    }

    /// Whether there is such a collection; one that lacks a field of `collection.json` is refused.
    pub(crate) async fn has(&self, name: &str) -> Result<bool, Fault> {
        match self.find(self.request(Method::GET, &format!("/collections/{name}"))).await? {
            Some(collection) => agrees(name, &collection).map(|()| true),
            None => Ok(false),
        }
    }

    /// Takes a collection away with its documents; one that is not there does not matter.
    pub(crate) async fn forget(&self, name: &str) -> Result<(), Fault> {
        self.find(self.request(Method::DELETE, &format!("/collections/{name}"))).await.map(drop)
    }

    /// Makes a collection of `collection.json`, unless it is there.
    pub(crate) async fn make(&self, name: &str) -> Result<(), Fault> {
        let mut schema = definition()?;
        schema["name"] = json!(name);
        let created = self.text(self.request(Method::POST, "/collections").body(schema.to_string())).await;
        if let Err(fault) = created {
            // Another worker may have been faster.
            self.find(self.request(Method::GET, &format!("/collections/{name}"))).await?.ok_or(fault)?;
        }
        Ok(())
    }
}

fn definition() -> Result<Value, Fault> {
    serde_json::from_str(COLLECTION).map_err(|error| Fault::Unknown(anyhow!("collection.json: {error}")))
}

/// The number of a collection of this alias.
fn number(alias: &str, name: &str) -> Option<u64> {
    name.strip_prefix(alias)?.strip_prefix('_')?.parse().ok()
}

/// Every field of `collection.json` is in the collection, of the same type; it may have more.
fn agrees(name: &str, collection: &Value) -> Result<(), Fault> {
    let definition = definition()?;
    let fields = |value: &Value| value["fields"].as_array().cloned().unwrap_or_default();
    let actual = fields(collection);
    let of = |field: &Value| (field["type"].clone(), field["facet"] == true);
    let wrong: Vec<String> = fields(&definition)
        .iter()
        .filter(|field| !actual.iter().any(|other| other["name"] == field["name"] && of(other) == of(field)))
        .map(|field| format!("{} {}", field["name"].as_str().unwrap_or_default(), field["type"]))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Fault::Unknown(anyhow!(
        "the search collection {name} was made by another version: it lacks {}; `sluice reindex` makes one \
         with these fields and fills it",
        wrong.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collections_number_follows_the_alias() {
        assert_eq!(number("products", "products_12"), Some(12));
        for name in ["products", "products_", "products_x", "product_1", "products_old_1"] {
            assert_eq!(number("products", name), None, "{name}");
        }
    }

    #[test]
    fn a_collection_with_other_types_is_refused_and_one_with_more_fields_is_not() {
        let mut collection = definition().unwrap();
        collection["fields"].as_array_mut().unwrap().push(json!({ "name": "more", "type": "bool" }));
        assert!(agrees("products_1", &collection).is_ok());
        collection["fields"][0]["type"] = json!("string");
        let refusal = agrees("products_1", &collection).unwrap_err().to_string();
        assert!(refusal.contains("merchant_id"), "{refusal}");
    }
}
