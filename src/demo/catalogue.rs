//! The catalogue that is written: shops with what they sell, the same whenever it is made. Pure.

use super::draw::draw;
use super::section::{self, Section, fields};
use super::tax;

/// A merchant with its products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shop {
    pub(super) name: &'static str,
    pub(super) industry: &'static str,
    pub(super) taxpayer: &'static str,
    pub(super) tax_code: String,
    pub(super) province: &'static str,
    pub(super) street: &'static str,
    pub(super) categories: Vec<&'static str>,
    pub(super) items: Vec<Item>,
}

/// A product with its variants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Of a shop's items each has its own.
    pub(super) code: String,
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    pub(super) kind: &'static str,
    pub(super) vat: &'static str,
    pub(super) unit: &'static str,
    pub(super) sizes: Vec<Size>,
}

/// A variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) name: &'static str,
    /// Whole dong.
    pub(super) price: i64,
}

impl Shop {
    /// The name that the tax office has on file; after the first round with the number of the change.
    pub(super) fn tax_name(&self, round: u64) -> String {
        let form = match self.taxpayer {
            "ENTERPRISE" => "CÔNG TY TNHH",
            "HOUSEHOLD" => "HỘ KINH DOANH",
            _ => "CÁ NHÂN KINH DOANH",
        };
        let name = self.name.to_uppercase();
        if round == 0 { format!("{form} {name}") } else { format!("{form} {name} (THAY ĐỔI LẦN {round})") }
    }
}

/// Every shop.
pub(super) fn catalogue() -> Vec<Shop> {
    let (menu, groceries) = (section::read(section::MENU), section::read(section::GROCERIES));
    let (mut enterprise, mut branches) = (String::new(), 0);
    let mut shops = Vec::new();
    for [name, style, taxpayer, province, street] in section::lines(section::SHOPS).filter_map(fields) {
        let (taxpayer, tax_code) = match taxpayer {
            "E" => {
                (enterprise, branches) = (tax::enterprise(name), 0);
                ("ENTERPRISE", enterprise.clone())
            }
            "B" => {
                branches += 1;
                ("ENTERPRISE", tax::branch(&enterprise, branches))
            }
            "H" => ("HOUSEHOLD", tax::person(name)),
            _ => ("INDIVIDUAL", tax::person(name)),
        };
        let retail = style == "tapho";
        let (sections, kind, share) = if retail { (&groceries, "RETAIL", 52) } else { (&menu, "MENU_ITEM", 94) };
        let offered = sections.iter().filter(|section| section.styles.contains(&style));
        let items: Vec<Item> = offered.flat_map(|section| items(section, name, kind, share)).collect();
        let mut categories: Vec<_> = items.iter().map(|item| item.category).collect();
        categories.dedup();
        let industry = if retail { "RETAIL" } else { "FOOD_SERVICE" };
        shops.push(Shop { name, industry, taxpayer, tax_code, province, street, categories, items });
    }
    shops
}

/// What this shop offers of a section: `share` per cent of it, at its own prices.
fn items(section: &Section, shop: &str, kind: &'static str, share: u64) -> Vec<Item> {
    let offered = section.names.iter().enumerate().filter(|(_, (name, _))| draw(&[shop, name], 100) < share);
    offered
        .map(|(index, &(name, price))| Item {
            code: format!("{}-{:03}", section.code, index + 1),
            name,
            category: section.category,
            kind,
            vat: section.vat,
            unit: section.unit,
            sizes: section
                .sizes
                .iter()
                .map(|&(size, percent)| Size { name: size, price: asked(shop, price, percent) })
                .collect(),
        })
        .collect()
}

/// The price of a size here: up to a tenth more or less than elsewhere, in steps of 500 dong.
fn asked(shop: &str, price: i64, percent: i64) -> i64 {
    round_to_step(price * percent / 100 * level(&["level", shop]) / 100)
}

fn level(words: &[&str]) -> i64 {
    90 + i64::try_from(draw(words, 21)).unwrap_or(10)
}

fn round_to_step(price: i64) -> i64 {
    ((price + 250) / 500 * 500).max(500)
}

/// What a size costs after a round of changes: another price than in the catalogue.
pub(super) fn repriced(price: i64, code: &str, round: u64) -> i64 {
    let changed = round_to_step(price * level(&["round", code, &round.to_string()]) / 100);
    if changed == price { price + 500 } else { changed }
}

/// What a round changes: indices of (shop, item) and of shops, the same whenever it is asked for.
pub(super) struct Round {
    /// One product in a hundred is deleted.
    pub(super) gone: Vec<(usize, usize)>,
    /// One in ten gets other prices.
    pub(super) repriced: Vec<(usize, usize)>,
    /// One shop in ten gets another name at the tax office.
    pub(super) renamed: Vec<usize>,
}

/// Draws a round.
pub(super) fn round(shops: &[Shop], number: u64) -> Round {
    let number = number.to_string();
    let lot = |words: [&str; 2]| draw(&[words[0], words[1], number.as_str()], u64::MAX);
    let mut all: Vec<(usize, usize)> =
        shops.iter().enumerate().flat_map(|(at, shop)| (0..shop.items.len()).map(move |item| (at, item))).collect();
    all.sort_by_key(|&(shop, item)| lot([shops[shop].tax_code.as_str(), shops[shop].items[item].code.as_str()]));
    let (hundredth, tenth) = (all.len().div_ceil(100), all.len().div_ceil(10));
    let mut renamed: Vec<usize> = (0..shops.len()).collect();
    renamed.sort_by_key(|&shop| lot([shops[shop].tax_code.as_str(), "tax name"]));
    renamed.truncate(shops.len().div_ceil(10));
    Round { gone: all[..hundredth].to_vec(), repriced: all[hundredth..hundredth + tenth].to_vec(), renamed }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use commerce::slug::slug_of;
    use commerce::tax_code::TaxCode;

    use super::*;

    #[test]
    fn it_is_large_enough_and_the_same_every_time() {
        let shops = catalogue();
        assert!(shops.len() >= 40, "{} merchants", shops.len());
        let products: usize = shops.iter().map(|shop| shop.items.len()).sum();
        assert!(products >= 3_000, "{products} products");
        assert_eq!(shops, catalogue());
    }

    #[test]
    fn every_tax_code_is_valid_and_nobody_elses() {
        let shops = catalogue();
        for shop in &shops {
            assert!(TaxCode::parse(&shop.tax_code).is_ok(), "{} has {}", shop.name, shop.tax_code);
            let digits = if shop.taxpayer == "ENTERPRISE" { [10, 13] } else { [12, 12] };
            assert!(digits.contains(&shop.tax_code.len()), "{} has {}", shop.name, shop.tax_code);
        }
        assert_eq!(shops.iter().map(|shop| &shop.tax_code).collect::<BTreeSet<_>>().len(), shops.len());
        assert!(shops.iter().any(|shop| shop.tax_code.len() == 13));
    }

    #[test]
    fn a_shop_has_each_name_each_slug_and_each_code_once() {
        for shop in catalogue() {
            let slugs: BTreeSet<_> = shop.items.iter().filter_map(|item| slug_of(item.name)).collect();
            assert_eq!(slugs.len(), shop.items.len(), "{}", shop.name);
            assert_eq!(shop.items.iter().map(|item| &item.code).collect::<BTreeSet<_>>().len(), shop.items.len());
            assert_eq!(shop.categories.iter().collect::<BTreeSet<_>>().len(), shop.categories.len(), "{}", shop.name);
            assert!(shop.items.iter().all(|item| item.sizes.iter().all(|size| size.price >= 500)));
        }
    }

    #[test]
    fn a_round_changes_a_tenth_and_deletes_a_hundredth_and_never_both() {
        let shops = catalogue();
        let products: usize = shops.iter().map(|shop| shop.items.len()).sum();
        let (first, again, second) = (round(&shops, 1), round(&shops, 1), round(&shops, 2));
        assert_eq!((first.gone.len(), first.repriced.len()), (products.div_ceil(100), products.div_ceil(10)));
        assert_eq!((&first.gone, &first.renamed), (&again.gone, &again.renamed));
        assert_ne!(first.gone, second.gone);
        assert!(first.gone.iter().all(|item| !first.repriced.contains(item)));
        assert!((500..40_000).step_by(500).all(|price| repriced(price, "PHO-001", 1) != price));
    }
}
