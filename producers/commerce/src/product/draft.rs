//! A product as it is about to be written: what a caller said, checked and completed.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use shell::{Checks, Id, Problem};
use utoipa::ToSchema;

use super::{IndustryGroup, Product, ProductKind, ProductStatus, Variant, VatClass};
use crate::slug::is_slug;
use crate::value::GREATEST_AMOUNT;

/// How many variants a product may have.
pub(super) const MOST_VARIANTS: usize = 100;

/// A variant as a caller gives it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VariantInput {
    /// Which variant it is, when a product is replaced; absent for a new one.
    pub id: Option<Id>,
    /// The merchant's own number for it; made from its id when absent.
    #[schema(min_length = 1, max_length = 64, example = "PHO-TAI-L")]
    pub sku: Option<String>,
    /// What a scanner reads.
    #[schema(pattern = "^[0-9A-Za-z-]{1,64}$")]
    pub barcode: Option<String>,
    /// What sets it apart; empty for the only one.
    #[serde(default)]
    #[schema(max_length = 200, example = "Tô lớn")]
    pub name: String,
    /// What it is counted in.
    #[serde(default = "piece")]
    #[schema(min_length = 1, max_length = 50, example = "tô")]
    pub unit: String,
    /// Whole dong, as displayed.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64, example = 65000)]
    pub price: i64,
    /// What it costs the merchant, in whole dong.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    pub cost: Option<i64>,
    /// Properties, up to twenty.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Whether it is offered first; the first variant is, when none says so.
    #[serde(default)]
    pub is_default: bool,
}

fn piece() -> String {
    "cái".to_owned()
}

/// A product about to be written.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) category_id: Option<i64>,
    pub(super) image_id: Option<i64>,
    pub(super) kind: ProductKind,
    pub(super) name: String,
    pub(super) slug: String,
    /// Whether the slug was made from the name: then it gets the id's end where another product has it.
    pub(super) slug_is_made: bool,
    pub(super) description: String,
    pub(super) status: ProductStatus,
    pub(super) industry_group: IndustryGroup,
    pub(super) vat_class: VatClass,
    pub(super) variants: Vec<Variant>,
}

impl ProductKind {
    /// The group that its revenue is usually declared in.
    pub(super) fn usual_group(self) -> IndustryGroup {
        match self {
            Self::Retail => IndustryGroup::Goods,
            Self::MenuItem => IndustryGroup::ProductionTransportFood,
        }
    }
}

impl Draft {
    /// A product as it is, for a patch to change.
    pub(super) fn of(product: Product) -> Self {
        Self {
            category_id: product.category_id.map(|id| id.0),
            image_id: product.image_id.map(|id| id.0),
            kind: product.kind,
            name: product.name,
            slug: product.slug,
            slug_is_made: false,
            description: product.description,
            status: product.status,
            industry_group: product.industry_group,
            vat_class: product.vat_class,
            variants: product.variants,
        }
    }

    /// Checks every field, so that a caller hears of all faults at once.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut checks = Checks::new();
        checks
            .length(&self.name, 1, 200, "/name")
            .length(&self.description, 0, 20_000, "/description")
            .that(is_slug(&self.slug), "/slug", "SLUG", "must be words of a-z and 0-9 with single dashes between them")
            .that(
                (1..=MOST_VARIANTS).contains(&self.variants.len()),
                "/variants",
                "COUNT",
                format!("a product has 1 to {MOST_VARIANTS} variants"),
            );
        let defaults = self.variants.iter().filter(|variant| variant.is_default).count();
        checks.that(defaults <= 1, "/variants", "DEFAULT", "at most one variant is the default");
        let (mut skus, mut barcodes) = (HashSet::new(), HashSet::new());
        for (index, variant) in self.variants.iter().enumerate() {
            check_variant(&mut checks, index, variant);
            let fresh = skus.insert(variant.sku.as_str());
            checks.that(fresh, format!("/variants/{index}/sku"), "SKU_TAKEN", "another variant here has this sku");
            let fresh = variant.barcode.as_deref().is_none_or(|barcode| barcodes.insert(barcode));
            checks.that(fresh, format!("/variants/{index}/barcode"), "BARCODE_TAKEN", "another variant here has it");
        }
        checks.finish()
    }
}

fn check_variant(checks: &mut Checks, index: usize, variant: &Variant) {
    let at = |field: &str| format!("/variants/{index}/{field}");
    let amount = |amount: i64| (0..=GREATEST_AMOUNT).contains(&amount);
    let beyond = format!("must be 0 to {GREATEST_AMOUNT} whole dong");
    checks
        .length(&variant.sku, 1, 64, at("sku"))
        .that(variant.sku.trim() == variant.sku, at("sku"), "SPACES", "must not begin or end with a space")
        .length(&variant.name, 0, 200, at("name"))
        .length(&variant.unit, 1, 50, at("unit"))
        .that(amount(variant.price), at("price"), "AMOUNT", beyond.clone())
        .that(variant.cost.is_none_or(amount), at("cost"), "AMOUNT", beyond)
        .that(
            variant.barcode.as_deref().is_none_or(is_barcode),
            at("barcode"),
            "BARCODE",
            "must be 1 to 64 letters, digits or dashes",
        )
        .that(variant.attributes.len() <= 20, at("attributes"), "COUNT", "has 20 properties at most");
    for (name, value) in &variant.attributes {
        let fits = (1..=50).contains(&name.chars().count()) && value.chars().count() <= 200;
        checks.that(fits, at("attributes"), "LENGTH", "names have 1 to 50 characters, values 200 at most");
    }
}

fn is_barcode(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Completes what callers may leave out: positions, skus, exactly one default. `new_id` is asked once for each new one.
pub(super) fn variants(
    inputs: Vec<VariantInput>,
    mut new_id: impl FnMut() -> Result<i64, Problem>,
) -> Result<Vec<Variant>, Problem> {
    let mut variants = Vec::with_capacity(inputs.len());
    for (position, input) in (0..).zip(inputs) {
        let id = input.id.map_or_else(&mut new_id, |id| Ok(id.0))?;
        variants.push(Variant {
            id: Id(id),
            sku: input.sku.unwrap_or_else(|| format!("V{id}")),
            barcode: input.barcode,
            name: input.name.trim().to_owned(),
            unit: input.unit.trim().to_owned(),
            price: input.price,
            cost: input.cost,
            attributes: input.attributes,
            is_default: input.is_default,
            position,
            version: 1,
        });
    }
    settle_default(&mut variants);
    Ok(variants)
}

/// The first variant is the default when none is.
pub(super) fn settle_default(variants: &mut [Variant]) {
    let none = !variants.iter().any(|variant| variant.is_default);
    if let Some(first) = variants.first_mut().filter(|_| none) {
        first.is_default = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(sku: &str, price: i64) -> VariantInput {
        serde_json::from_value(serde_json::json!({ "sku": sku, "price": price })).unwrap()
    }

    fn draft(variants: Vec<Variant>) -> Draft {
        Draft {
            category_id: None,
            image_id: None,
            kind: ProductKind::Retail,
            name: "Nước mắm".to_owned(),
            slug: "nuoc-mam".to_owned(),
            slug_is_made: true,
            description: String::new(),
            status: ProductStatus::Active,
            industry_group: IndustryGroup::Goods,
            vat_class: VatClass::Standard,
            variants,
        }
    }

    fn pointers(draft: &Draft) -> Vec<String> {
        draft
            .check()
            .map_or_else(|problem| problem.errors.into_iter().map(|error| error.pointer).collect(), |()| vec![])
    }

    #[test]
    fn what_is_left_out_is_completed() {
        let mut ids = 100..;
        let given = vec![VariantInput { sku: None, ..input("x", 1) }, input("B", 2)];
        let variants = variants(given, || Ok(ids.next().unwrap())).unwrap();
        assert_eq!((variants[0].sku.as_str(), variants[0].unit.as_str()), ("V100", "cái"));
        assert_eq!(
            variants.iter().map(|one| (one.position, one.is_default)).collect::<Vec<_>>(),
            [(0, true), (1, false)]
        );
        assert_eq!(pointers(&draft(variants)), Vec::<String>::new());
    }

    #[test]
    fn doubles_and_amounts_out_of_range_are_named() {
        let given = vec![input("A", -1), input("A", GREATEST_AMOUNT + 1)];
        let mut ids = 1..;
        let draft = draft(variants(given, || Ok(ids.next().unwrap())).unwrap());
        assert_eq!(pointers(&draft), ["/variants/0/price", "/variants/1/price", "/variants/1/sku"]);
    }

    #[test]
    fn a_product_needs_a_variant_and_one_default_at_most() {
        assert_eq!(pointers(&draft(vec![])), ["/variants"]);
        let given = vec![
            VariantInput { is_default: true, ..input("A", 1) },
            VariantInput { is_default: true, ..input("B", 1) },
        ];
        let mut ids = 1..;
        assert_eq!(pointers(&draft(variants(given, || Ok(ids.next().unwrap())).unwrap())), ["/variants"]);
    }
}
