//! A later run: prices, names at the tax office, deletions; and what the round before deleted comes back.

use futures::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, accepted};
use super::catalogue::{Round, Shop, repriced};
use super::ledger::Ledger;
use super::survey::{Known, Product};
use super::write::at_once;

/// One change of a round.
pub(super) enum Change {
    /// Other prices of the variants.
    Reprice(Product, Vec<i64>),
    /// Another name at the tax office.
    Rename(i64, String),
    /// A soft delete.
    Delete(i64),
    /// Its opposite.
    Restore(Product),
}

/// What is to be done of a round. What an interrupted run deleted already stays deleted.
pub(super) fn plan(shops: &[Shop], known: &[Known], number: u64, round: &Round, before: &Round) -> Vec<Change> {
    let live = |&(shop, item): &(usize, usize)| known[shop].live.get(shops[shop].items[item].name);
    let deleted = |&(shop, item): &(usize, usize)| known[shop].deleted.get(shops[shop].items[item].name);
    let mut changes = Vec::new();
    for &at in &round.repriced {
        let item = &shops[at.0].items[at.1];
        let prices = item.sizes.iter().map(|size| repriced(size.price, &item.code, number)).collect();
        changes.extend(live(&at).map(|product| Change::Reprice(product.clone(), prices)));
    }
    for &shop in &round.renamed {
        changes.extend(known[shop].merchant.map(|id| Change::Rename(id, shops[shop].tax_name(number))));
    }
    changes.extend(round.gone.iter().filter_map(live).map(|product| Change::Delete(product.id)));
    let back = before.gone.iter().filter(|at| !round.gone.contains(at)).filter_map(deleted);
    changes.extend(back.map(|product| Change::Restore(product.clone())));
    changes
}

/// Makes the changes.
pub(super) async fn change(api: &Api, changes: &[Change], ledger: &Ledger) -> anyhow::Result<()> {
    at_once(changes.iter().map(|change| make(api, change, ledger).boxed()).collect()).await?;
    Ok(())
}

async fn make(api: &Api, change: &Change, ledger: &Ledger) -> anyhow::Result<()> {
    match change {
        Change::Reprice(product, prices) => {
            let variants = product.variants.iter().zip(prices);
            let variants = variants.map(|(id, price)| json!({"id": id.to_string(), "price": price}));
            let body = json!({"variants": variants.collect::<Vec<Value>>()});
            let path = format!("/products/{}", product.id);
            let version = api.change(Method::PATCH, &path, Some(&body)).await?["version"].as_i64();
            ledger.wrote(|effects| effects.repriced.push((product.id, version.unwrap_or(i64::MAX))));
        }
        Change::Rename(id, name) => {
            api.change(Method::PATCH, &format!("/merchants/{id}"), Some(&json!({"tax_name": name}))).await?;
            ledger.wrote(|effects| effects.tax_names.push((*id, name.clone())));
        }
        Change::Delete(id) => {
            api.change(Method::DELETE, &format!("/products/{id}"), None).await?;
            ledger.wrote(|effects| effects.gone.push(*id));
        }
        Change::Restore(product) => {
            // what is deleted cannot be read by its id: the list's version is the tag
            let path = format!("/products/{}/restore", product.id);
            let tag = format!("\"{}\"", product.version);
            accepted(api.change_tagged(Method::POST, &path, &tag, None).await?).await?;
            ledger.wrote(|effects| effects.back.push(product.id));
        }
    }
    Ok(())
}
