//! What the engine is asked. Pure.

use serde::Deserialize;
use serde_json::{Value, json};
use shell::{Checks, Id, Problem, Scope};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use utoipa::IntoParams;

use crate::product::ProductStatus;
use crate::value::GREATEST_AMOUNT;

const LIMIT_DEFAULT: u16 = 20;
const LIMIT_MAX: u16 = 100;
const PAGE_MAX: u16 = 100;
const TEXT_MAX: usize = 200;

/// The fields that are searched, what a match in each weighs, and how many wrong letters each forgives.
const FIELDS: [(&str, u8, u8); 8] = [
    ("name", 8, 2),
    ("name_folded", 7, 2),
    ("skus", 6, 0),
    ("barcodes", 6, 0),
    ("variant_names", 4, 1),
    ("variant_names_folded", 3, 1),
    ("category_names", 2, 1),
    ("category_names_folded", 2, 1),
];

const SHOWN: &str =
    "id,merchant_id,merchant_name,name,slug,kind,status,image_id,category_labels,price_min,price_max,variants";

/// What is looked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// What was typed, with or without diacritics: part of a name, of a category's name, a sku or a barcode. Everything
    /// when absent, changed last first.
    #[param(max_length = 200)]
    pub q: Option<String>,
    /// Of this merchant.
    pub merchant_id: Option<Id>,
    /// In this category or below it.
    pub category_id: Option<Id>,
    /// With a variant at this price or above, in whole dong.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    pub price_min: Option<i64>,
    /// With a variant at this price or below, in whole dong.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    pub price_max: Option<i64>,
    /// Of this status; what is for sale when absent.
    #[param(inline)]
    pub status: Option<ProductStatus>,
    /// How many products a page has at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u16>,
    /// Which page.
    #[param(minimum = 1, maximum = 100, default = 1)]
    pub page: Option<u16>,
}

impl Question {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let within = |price: Option<i64>| price.is_none_or(|price| (0..=GREATEST_AMOUNT).contains(&price));
        let mut checks = Checks::new();
        checks
            .length(self.q.as_deref().unwrap_or_default(), 0, TEXT_MAX, "q")
            .that(within(self.price_min), "price_min", "RANGE", "must be 0 to 9007199254740991")
            .that(within(self.price_max), "price_max", "RANGE", "must be 0 to 9007199254740991")
            .that(self.limit.is_none_or(|n| (1..=LIMIT_MAX).contains(&n)), "limit", "RANGE", "must be 1 to 100")
            .that(self.page.is_none_or(|n| (1..=PAGE_MAX).contains(&n)), "page", "RANGE", "must be 1 to 100");
        // what a query cannot be read as is 400 in this service, as a cursor or a limit of a list is
        checks.finish().map_err(|problem| {
            let malformed = Problem::malformed("MALFORMED_PARAMETER", "a parameter in the query is malformed");
            problem.errors.into_iter().fold(malformed, |all, one| all.field(one.pointer, one.code, one.message))
        })
    }

    pub(super) fn page(&self) -> u16 {
        self.page.unwrap_or(1)
    }

    /// What was typed, composed: text from some machines comes with letters and marks apart.
    pub(super) fn typed(&self) -> String {
        let typed: String = self.q.as_deref().unwrap_or_default().trim().nfc().collect();
        if typed.is_empty() { "*".to_owned() } else { typed }
    }

    /// A search for `q` in the rows of this scope; nothing when the scope has none. `strict` wants every word.
    pub(super) fn search(&self, scope: &Scope, q: &str, strict: bool) -> Option<Value> {
        let column = |pick: fn(&(&str, u8, u8)) -> String| FIELDS.iter().map(pick).collect::<Vec<_>>().join(",");
        let sort = if q == "*" { "updated_at:desc" } else { "_text_match:desc,updated_at:desc" };
        Some(json!({
            "q": q,
            "query_by": column(|(name, ..)| (*name).to_owned()),
            "query_by_weights": column(|(_, weight, _)| weight.to_string()),
            "num_typos": column(|(.., typos)| typos.to_string()),
            "drop_tokens_threshold": u8::from(!strict),
            "filter_by": self.filter(scope)?,
            "sort_by": sort,
            "facet_by": "category_labels,price_band",
            "max_facet_values": 50,
            "include_fields": SHOWN,
            "highlight_fields": "none",
            "highlight_full_fields": "none",
            "per_page": self.limit.unwrap_or(LIMIT_DEFAULT),
            "page": self.page(),
        }))
    }

    /// Only numbers and names of states get in here, never a caller's text.
    fn filter(&self, scope: &Scope) -> Option<String> {
        let status = match self.status {
            Some(ProductStatus::Draft) => "DRAFT",
            Some(ProductStatus::Archived) => "ARCHIVED",
            Some(ProductStatus::Active) | None => "ACTIVE",
        };
        let mut all = vec!["merchant_status:=ACTIVE".to_owned(), format!("status:={status}")];
        if !scope.is_all() {
            all.push(visible(scope)?);
        }
        let mut when = |condition: Option<String>| all.extend(condition);
        when(self.merchant_id.map(|id| format!("merchant_id:={id}")));
        when(self.category_id.map(|id| format!("category_ids:={id}")));
        when(self.price_min.map(|price| format!("price_max:>={price}")));
        when(self.price_max.map(|price| format!("price_min:<={price}")));
        Some(all.join(" && "))
    }
}

/// The rows that a caller may see; nothing when there are none.
fn visible(scope: &Scope) -> Option<String> {
    let own = scope.created_by().map(|id| format!("merchant_created_by:={id}"));
    let merchants: Vec<String> = scope.merchants().iter().map(ToString::to_string).collect();
    let works = (!merchants.is_empty()).then(|| format!("merchant_id:=[{}]", merchants.join(",")));
    match (own, works) {
        (Some(own), Some(works)) => Some(format!("({own} || {works})")),
        (own, works) => own.or(works),
    }
}

/// Without marks, lower case, đ as d: as `name_folded` and the like are written by `search-sync`.
pub(super) fn folded(text: &str) -> String {
    let letters = text.nfd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase);
    letters.map(|letter| if letter == 'đ' { 'd' } else { letter }).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(question: &Question, scope: &Scope) -> Option<String> {
        question.search(scope, "*", true).map(|search| search["filter_by"].as_str().unwrap().to_owned())
    }

    #[test]
    fn a_scope_is_part_of_every_filter() {
        let sold = "merchant_status:=ACTIVE && status:=ACTIVE";
        let question = Question::default();
        assert_eq!(filter(&question, &Scope::All).unwrap(), sold);
        assert_eq!(filter(&question, &Scope::CreatedBy(7)).unwrap(), format!("{sold} && merchant_created_by:=7"));
        assert_eq!(filter(&question, &Scope::Merchants(vec![1, 2])).unwrap(), format!("{sold} && merchant_id:=[1,2]"));
        let either = format!("{sold} && (merchant_created_by:=7 || merchant_id:=[1])");
        assert_eq!(filter(&question, &Scope::Either(7, vec![1])).unwrap(), either);
        assert_eq!(filter(&question, &Scope::Merchants(Vec::new())), None);
    }

    #[test]
    fn a_price_is_within_reach_when_some_variant_has_it() {
        let question = Question { price_min: Some(10), price_max: Some(20), ..Question::default() };
        assert!(filter(&question, &Scope::All).unwrap().ends_with("price_max:>=10 && price_min:<=20"));
    }

    #[test]
    fn limits_and_lengths_are_checked_and_all_are_named() {
        let question = Question {
            q: Some("x".repeat(201)),
            price_min: Some(-1),
            limit: Some(0),
            page: Some(101),
            ..Question::default()
        };
        let problem = question.check().unwrap_err();
        let named: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!((problem.status.as_u16(), named), (400, vec!["q", "price_min", "limit", "page"]));
        assert!(Question { limit: Some(100), page: Some(100), ..Question::default() }.check().is_ok());
    }

    #[test]
    fn text_is_composed_or_folded() {
        let question = |q: &str| Question { q: Some(q.to_owned()), ..Question::default() }.typed();
        assert_eq!(question("  Pho\u{31b}\u{309} "), "Phở");
        assert_eq!(question(" "), "*");
        assert_eq!(folded("Đường PHÈN thuỷ"), "duong phen thuy");
    }
}
