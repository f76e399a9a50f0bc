//! What is kept of a change: whom it touches, and which version of it. The rest is read from the source when it is
//! applied, so a fold of a hundred thousand changes stays small, and a column that a change does not carry is no case.

use runtime::Topic;
use schemas::commerce::category::Category;
use schemas::commerce::merchant::Merchant;
use schemas::commerce::product::Product;
use schemas::commerce::variant::Variant;

/// A row of one of the four tables, as far as it matters here. Soft-deleted rows too: what is to be done about them
/// follows from the source's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "ids and versions of the rows of the same names")]
pub enum Touch {
    Merchant { id: i64, version: i64 },
    Category { id: i64, version: i64 },
    Product { id: i64, version: i64 },
    Variant { id: i64, product_id: i64, version: i64 },
}

/// The four topics. None of them says `gone`: a variant that was soft deleted must still name its product.
pub(crate) fn topics() -> Vec<Topic<Touch>> {
    fn no(_: &Touch) -> bool {
        false
    }
    vec![
        Topic::of::<Merchant>(|row| Touch::Merchant { id: row.id, version: row.version }, no),
        Topic::of::<Category>(|row| Touch::Category { id: row.id, version: row.version }, no),
        Topic::of::<Product>(|row| Touch::Product { id: row.id, version: row.version }, no),
        Topic::of::<Variant>(|row| Touch::Variant { id: row.id, product_id: row.product_id, version: row.version }, no),
    ]
}
