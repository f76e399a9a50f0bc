//! Documents into and out of the collection.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use runtime::Fault;
use serde::Deserialize;
use serde_json::Value;

use super::Typesense;
use super::client::unavailable;

/// How many documents the engine indexes together; of its default, 40, it imports a third fewer a second.
const SERVER_BATCH: usize = 250;
/// How many ids go into one filter: it travels in the request's line, of which the engine takes a few kilobytes.
const IDS_IN_A_FILTER: usize = 150;

/// A product whose document the engine refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) product: i64,
    pub(crate) reason: String,
}

/// The engine's answer to one line.
#[derive(Deserialize)]
struct Line {
    success: bool,
    code: Option<u16>,
    error: Option<String>,
}

impl Typesense {
    /// Writes documents, one a line; `products` are their ids in the same order. Answers those that were refused.
    pub(crate) async fn import(&self, products: &[i64], body: Vec<u8>) -> Result<Vec<Refusal>, Fault> {
        let path = format!("/collections/{}/documents/import", self.collection);
        let request = self
            .request(Method::POST, &path)
            .query(&[("action", "upsert"), ("batch_size", &SERVER_BATCH.to_string())])
            .header(CONTENT_TYPE, "text/plain")
            .body(body);
        refusals(products, &self.text(request).await?)
    }

    /// Removes documents; those that are not there do not matter.
    pub(crate) async fn delete(&self, products: &[i64]) -> Result<(), Fault> {
        for products in products.chunks(IDS_IN_A_FILTER) {
            let filter = format!("id:[{}]", joined(products));
            let path = format!("/collections/{}/documents", self.collection);
            let query = [("filter_by", filter.as_str()), ("batch_size", "250")];
            self.text(self.request(Method::DELETE, &path).query(&query)).await?;
        }
        Ok(())
    }

    /// The documents of these products, as they are.
    pub(crate) async fn documents(&self, products: &[i64]) -> Result<Vec<Value>, Fault> {
        let mut documents = Vec::with_capacity(products.len());
        for products in products.chunks(IDS_IN_A_FILTER) {
            documents.extend(self.export(&format!("id:[{}]", joined(products))).await?);
        }
        Ok(documents)
    }

    /// How many documents match.
    pub(crate) async fn count(&self, filter: &str) -> Result<u64, Fault> {
        let path = format!("/collections/{}/documents/search", self.collection);
        let query = [("q", "*"), ("filter_by", filter), ("per_page", "0")];
        let answer = self.json(self.request(Method::GET, &path).query(&query)).await?;
        Ok(answer["found"].as_u64().unwrap_or_default())
    }

    async fn export(&self, filter: &str) -> Result<Vec<Value>, Fault> {
        let path = format!("/collections/{}/documents/export", self.collection);
        let text = self.text(self.request(Method::GET, &path).query(&[("filter_by", filter)])).await?;
        let lines = text.lines().filter(|line| !line.is_empty());
        let read = lines.map(serde_json::from_str).collect::<Result<_, _>>();
        read.map_err(|error| unreadable(&error))
    }

    /// Shows the text of every document, one at a time, in no order. (Without a filter and a choice of fields the engine sends what
    /// it stored as it is, three times as fast as with either.)
    pub(crate) async fn each(&self, mut seen: impl FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        let path = format!("/collections/{}/documents/export", self.collection);
        let mut line = Vec::new();
        self.pieces(&path, |piece| {
            let mut lines = piece.split(|byte| *byte == b'\n');
            // a piece may begin in the middle of a line and end in the middle of another one
            line.extend_from_slice(lines.next().unwrap_or_default());
            for begun in lines {
                if !line.is_empty() {
                    seen(&line)?;
                    line.clear();
                }
                line.extend_from_slice(begun);
            }
            Ok(())
        })
        .await?;
        if line.is_empty() { Ok(()) } else { seen(&line) }
    }

    /// The products whose documents name these variants.
    pub(crate) async fn products_of_variants(&self, variants: &[i64]) -> Result<Vec<i64>, Fault> {
        #[derive(Deserialize)]
        struct Found {
            id: String,
        }
        let mut products = Vec::new();
        for variants in variants.chunks(IDS_IN_A_FILTER) {
            let filter = format!("variant_ids:=[{}]", joined(variants));
            let path = format!("/collections/{}/documents/export", self.collection);
            let query = [("filter_by", filter.as_str()), ("include_fields", "id")];
            let text = self.text(self.request(Method::GET, &path).query(&query)).await?;
            for line in text.lines().filter(|line| !line.is_empty()) {
                let found: Found = serde_json::from_str(line).map_err(|error| unreadable(&error))?;
                products.extend(found.id.parse::<i64>());
            }
        }
        Ok(products)
    }
}

/// Of documents that were exported.
pub(crate) fn unreadable(error: &serde_json::Error) -> Fault {
    unavailable(&format!("an export that is no JSON: {error}"), None)
}

fn joined(ids: &[i64]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Reads the answer line by line: the status is 200 whatever became of the documents.
fn refusals(products: &[i64], answer: &str) -> Result<Vec<Refusal>, Fault> {
    let lines: Vec<&str> = answer.lines().filter(|line| !line.is_empty()).collect();
    if lines.len() != products.len() {
        let reason = format!("answered {} lines to {} documents", lines.len(), products.len());
        return Err(unavailable(&reason, None));
    }
    let mut refusals = Vec::new();
    for (product, line) in products.iter().zip(lines) {
        let line: Line = serde_json::from_str(line)
            .map_err(|error| unavailable(&format!("an answer line that is no JSON: {error}"), None))?;
        if line.success {
            continue;
        }
        let reason = line.error.unwrap_or_else(|| "no reason given".to_owned());
        // Not the document's fault: the engine is short of something, or shutting down.
        if line.code.is_some_and(|code| code >= 500) || reason.contains("Rejecting write") {
            return Err(unavailable(&reason, None));
        }
        refusals.push(Refusal { product: *product, reason });
    }
    Ok(refusals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_line_is_mapped_to_its_product() {
        let answer = "{\"success\":true}\n{\"code\":400,\"document\":\"{}\",\"error\":\"Field `x` must be an int64.\",\"success\":false}\n{\"success\":true}\n";
        let refusals = refusals(&[7, 8, 9], answer).unwrap();
        assert_eq!(refusals, [Refusal { product: 8, reason: "Field `x` must be an int64.".to_owned() }]);
    }

    #[test]
    fn an_answer_that_breaks_off_says_nothing_and_is_asked_again() {
        assert!(matches!(refusals(&[7, 8], "{\"success\":true}\n"), Err(Fault::Unavailable { .. })));
        assert!(matches!(refusals(&[7], "{\"succ"), Err(Fault::Unavailable { .. })));
        let full = "{\"code\":500,\"error\":\"disk\",\"success\":false}";
        assert!(matches!(refusals(&[7], full), Err(Fault::Unavailable { .. })));
    }
}
