//! The first run: what is missing of the catalogue is created, shop by shop, sixteen requests at a time.

use std::collections::HashMap;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::api::{Api, id_of};
use super::catalogue::{Item, Shop};
use super::draw::draw;
use super::ledger::Ledger;
use super::survey::{Known, Product};

/// How many requests are under way at a time.
pub(super) const AT_ONCE: usize = 16;

/// How many creations are missing.
pub(super) fn missing(shops: &[Shop], known: &[Known]) -> usize {
    let of_shop = |(shop, known): (&Shop, &Known)| {
        let categories = shop.categories.iter().filter(|name| !known.categories.contains_key(**name)).count();
        usize::from(known.merchant.is_none()) + categories + absent(shop, known).count()
    };
    shops.iter().zip(known).map(of_shop).sum()
}

fn absent<'a>(shop: &'a Shop, known: &'a Known) -> impl Iterator<Item = &'a Item> {
    shop.items.iter().filter(|item| !known.live.contains_key(item.name) && !known.deleted.contains_key(item.name))
}

/// Creates what is missing.
pub(super) async fn write(api: &Api, shops: &[Shop], known: &mut [Known], ledger: &Ledger) -> anyhow::Result<()> {
    let wards = wards(api, shops).await?;
    let places = shops.iter().zip(known.iter_mut());
    at_once(places.map(|(shop, known)| place(api, shop, known, &wards, ledger).boxed()).collect()).await?;
    let mut products = Vec::new();
    for (at, (shop, known)) in shops.iter().zip(known.iter()).enumerate() {
        products.extend(absent(shop, known).map(|item| create_product(api, at, shop, known, item, ledger).boxed()));
    }
    let created = at_once(products).await?;
    for (at, name, product) in created {
        known[at].live.insert(name.to_owned(), product);
    }
    Ok(())
}

/// Does all of it, sixteen at a time. The futures are boxed: a stream over borrowed pairs could not be spawned.
pub(super) async fn at_once<T: Send>(work: Vec<BoxFuture<'_, anyhow::Result<T>>>) -> anyhow::Result<Vec<T>> {
    futures::stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
}

/// The codes of every ward of each province that a shop is in.
async fn wards(api: &Api, shops: &[Shop]) -> anyhow::Result<HashMap<&'static str, Vec<String>>> {
    let mut wards = HashMap::new();
    for shop in shops {
        if !wards.contains_key(shop.province) {
            let body = api.get(&format!("/provinces/{}/wards", shop.province)).await?.body;
            let all = body.as_array().into_iter().flatten();
            let urban = all.filter(|ward| ward["name"].as_str().is_some_and(|name| name.starts_with("Phường")));
            wards.insert(shop.province, urban.filter_map(|ward| Some(ward["code"].as_str()?.to_owned())).collect());
        }
    }
    Ok(wards)
}

/// The merchant and its categories.
async fn place(
    api: &Api,
    shop: &Shop,
    known: &mut Known,
    wards: &HashMap<&'static str, Vec<String>>,
    ledger: &Ledger,
) -> anyhow::Result<()> {
    let merchant = match known.merchant {
        Some(id) => id,
        None => create_merchant(api, shop, wards.get(shop.province).map_or(&[], Vec::as_slice), ledger).await?,
    };
    known.merchant = Some(merchant);
    for (position, name) in shop.categories.iter().enumerate() {
        if !known.categories.contains_key(*name) {
            let body = json!({"merchant_id": merchant.to_string(), "name": name, "position": position});
            let key = format!("demo-category-{merchant}-{position}");
            let category = api.create("/categories", &key, &body).await?;
            known.categories.insert((*name).to_owned(), id_of(&category["id"])?);
            ledger.wrote(|_| ());
        }
    }
    Ok(())
}

async fn create_merchant(api: &Api, shop: &Shop, wards: &[String], ledger: &Ledger) -> anyhow::Result<i64> {
    let ward = usize::try_from(draw(&["ward", shop.name], wards.len() as u64)).ok().and_then(|at| wards.get(at));
    let number = draw(&["phone", shop.name], 10_000);
    let body = json!({
        "name": shop.name, "industry": shop.industry, "taxpayer": shop.taxpayer, "tax_code": shop.tax_code,
        "tax_name": shop.tax_name(0), "tax_address": shop.street, "address_line": shop.street,
        "province_code": shop.province, "ward_code": ward, "phone": format!("0900 000 {number:04}"),
        "email": format!("cua.hang.{}@example.com", shop.tax_code),
    });
    let merchant = api.create("/merchants", &format!("demo-merchant-{}", shop.tax_code), &body).await?;
    let id = id_of(&merchant["id"])?;
    ledger.wrote(|effects| effects.merchants.push(id));
    Ok(id)
}

async fn create_product(
    api: &Api,
    at: usize,
    shop: &Shop,
    known: &Known,
    item: &Item,
    ledger: &Ledger,
) -> anyhow::Result<(usize, &'static str, Product)> {
    let merchant = known.merchant.unwrap_or_default();
    let variant = |(index, size): (usize, &super::catalogue::Size)| {
        let sku = format!("{}-{}", item.code, index + 1);
        json!({"sku": sku, "name": size.name, "unit": item.unit, "price": size.price, "cost": size.price * 6 / 10})
    };
    let body = json!({
        "merchant_id": merchant.to_string(),
        "category_id": known.categories.get(item.category).map(i64::to_string),
        "kind": item.kind, "name": item.name, "vat_class": item.vat,
        "description": format!("{}, {}", item.name, shop.name),
        "variants": item.sizes.iter().enumerate().map(variant).collect::<Vec<Value>>(),
    });
    let key = format!("demo-product-{merchant}-{}", item.code);
    let product = Product::of(&api.create("/products", &key, &body).await?)?;
    ledger.wrote(|_| ());
    Ok((at, item.name, product))
}
