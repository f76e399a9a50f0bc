//! The search engine, asked directly.

use platform::config::Reader;
use search_sync::Settings;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::stack::Stack;

/// The alias that is written.
const ALIAS: &str = "bench_products";

/// Typesense, asked directly.
pub(crate) struct Engine {
    pub(crate) settings: Settings,
    http: reqwest::Client,
}

impl Engine {
    pub(crate) fn open(stack: &Stack) -> anyhow::Result<Self> {
        let mut reader = Reader::new(&stack.environment);
        let settings = Settings::read(&mut reader);
        let (settings, _) = reader.finish(settings)?;
        Ok(Self { settings: Settings { collection: ALIAS.to_owned(), ..settings }, http: reqwest::Client::new() })
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.settings.url));
        request.header("x-typesense-api-key", self.settings.key.expose_secret())
    }

    /// Every document, one a line.
    pub(crate) async fn export(&self) -> anyhow::Result<String> {
        let request = self.request(reqwest::Method::GET, &format!("collections/{ALIAS}/documents/export"));
        Ok(request.send().await?.error_for_status()?.text().await?)
    }

    /// Imports lines as search-sync does.
    pub(crate) async fn import(&self, documents: String) -> anyhow::Result<()> {
        let path = format!("collections/{ALIAS}/documents/import?action=upsert&batch_size=250");
        let request = self.request(reqwest::Method::POST, &path).body(documents);
        let answer = request.send().await?.error_for_status()?.text().await?;
        let refused = answer.lines().find(|line| !line.contains("\"success\":true"));
        anyhow::ensure!(refused.is_none(), "Typesense refused a document: {refused:?}");
        Ok(())
    }

    /// Removes, changes and invents documents, a third of these products each; the third third gets copies under ids that no
    /// product has.
    pub(crate) async fn damage(&self, products: &[i64]) -> anyhow::Result<()> {
        let (removed, rest) = products.split_at(products.len() / 3);
        let (changed, copied) = rest.split_at(products.len() / 3);
        let these = |ids: &[i64]| format!("id:[{}]", ids.iter().map(i64::to_string).collect::<Vec<_>>().join(","));
        let documents = format!("collections/{ALIAS}/documents");
        let remove = self.request(reqwest::Method::DELETE, &documents).query(&[("filter_by", these(removed))]);
        remove.send().await?.error_for_status()?;
        for id in changed {
            let change = self.request(reqwest::Method::PATCH, &format!("{documents}/{id}"));
            change.json(&serde_json::json!({ "name": "damaged" })).send().await?.error_for_status()?;
        }
        let mut invented = Vec::new();
        for id in copied {
            let copy = self.request(reqwest::Method::GET, &format!("{documents}/{id}"));
            let mut document: Value = copy.send().await?.error_for_status()?.json().await?;
            document["id"] = (id + 5).to_string().into();
            invented.push(document.to_string());
        }
        self.import(invented.join("\n")).await
    }

    pub(crate) async fn ensure_holds(&self, documents: i64) -> anyhow::Result<()> {
        let request = self.request(reqwest::Method::GET, &format!("collections/{ALIAS}"));
        let collection: Value = request.send().await?.error_for_status()?.json().await?;
        let held = &collection["num_documents"];
        anyhow::ensure!(held == documents, "Typesense holds {held} documents, not {documents}");
        Ok(())
    }

    /// Deletes the collections and their alias, where they are there.
    pub(crate) async fn forget(&self) -> anyhow::Result<()> {
        let collections = (1..=2).map(|number| format!("collections/{ALIAS}_{number}"));
        for path in [format!("aliases/{ALIAS}")].into_iter().chain(collections) {
            let answer = self.request(reqwest::Method::DELETE, &path).send().await?;
            anyhow::ensure!(
                answer.status().is_success() || answer.status().as_u16() == 404,
                "{}",
                answer.text().await?
            );
        }
        Ok(())
    }
}
