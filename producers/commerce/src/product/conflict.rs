//! What a constraint that refuses an aggregate means to the caller: always the field.

use metrics::counter;
use platform::metric::COMMERCE_AGGREGATE_ROLLBACKS;
use platform::postgres::Fault;
use shell::Problem;
use sqlx::postgres::PgDatabaseError;

use super::Variant;

/// The problem for a failed write of an aggregate. Counts and logs it, because operators ask for aggregate rollbacks.
pub(super) fn refused(error: sqlx::Error, product_id: i64, variants: &[Variant]) -> Problem {
    let (Fault::Conflict { constraint } | Fault::ForeignKey { constraint }) = Fault::of(&error) else {
        return error.into();
    };
    counter!(COMMERCE_AGGREGATE_ROLLBACKS, "constraint" => constraint.clone()).increment(1);
    tracing::warn!(
        productId = product_id,
        primaryProductId = product_id,
        constraint,
        "[aggregate rollback] product {product_id}: constraint {constraint} refused it"
    );
    let index = taken_value(&error).and_then(|taken| position(&constraint, &taken, variants));
    explain(&constraint, index).unwrap_or_else(|| error.into())
}

fn explain(constraint: &str, index: Option<usize>) -> Option<Problem> {
    let variant = |field: &str| index.map_or("/variants".to_owned(), |index| format!("/variants/{index}/{field}"));
    let sentence = |field: &str| format!("another variant of this merchant has this {field}");
    match constraint {
        "product_slug_key" => {
            Some(Problem::taken("/slug", "SLUG_TAKEN", "another product of this merchant has this slug"))
        }
        "variant_sku_key" => Some(Problem::taken(variant("sku"), "SKU_TAKEN", sentence("sku"))),
        "variant_barcode_key" => Some(Problem::taken(variant("barcode"), "BARCODE_TAKEN", sentence("barcode"))),
        "product_category_id_fkey" => Some(unknown_category()),
        "product_image_id_fkey" => Some(unknown_image()),
        _ => None,
    }
}

/// What a restore that meets a name taken since says.
pub(crate) fn explain_restore(constraint: &str) -> Option<Problem> {
    explain(constraint, None)
}

pub(super) fn unknown_category() -> Problem {
    Problem::invalid("/category_id", "CATEGORY_NOT_FOUND", "this merchant has no such category")
}

pub(super) fn unknown_image() -> Problem {
    Problem::invalid("/image_id", "MEDIA_NOT_FOUND", "this merchant has no such media")
}

/// The value that is taken, from the server's detail: `Key (merchant_id, sku)=(7, PHO-1) already exists.`
fn taken_value(error: &sqlx::Error) -> Option<String> {
    let database = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    value_in(database.detail()?)
}

fn value_in(detail: &str) -> Option<String> {
    let (_, values) = detail.split_once(")=(")?;
    let (values, _) = values.rsplit_once(") ")?;
    Some(values.split_once(", ")?.1.to_owned())
}

fn position(constraint: &str, taken: &str, variants: &[Variant]) -> Option<usize> {
    match constraint {
        "variant_sku_key" => variants.iter().position(|variant| variant.sku == taken),
        "variant_barcode_key" => variants.iter().position(|variant| variant.barcode.as_deref() == Some(taken)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_taken_value_is_read_from_the_detail_even_when_it_looks_like_one() {
        let plain = "Key (merchant_id, sku)=(7, PHO-1) already exists.";
        assert_eq!(value_in(plain).as_deref(), Some("PHO-1"));
        let odd = "Key (merchant_id, sku)=(7, A, B) c) already exists.";
        assert_eq!(value_in(odd).as_deref(), Some("A, B) c"));
    }

    #[test]
    fn every_constraint_of_an_aggregate_names_its_field() {
        for (constraint, index, pointer) in [
            ("product_slug_key", None, "/slug"),
            ("variant_sku_key", Some(1), "/variants/1/sku"),
            ("variant_barcode_key", None, "/variants"),
            ("product_category_id_fkey", None, "/category_id"),
            ("product_image_id_fkey", None, "/image_id"),
        ] {
            assert_eq!(explain(constraint, index).unwrap().errors[0].pointer, pointer, "{constraint}");
        }
        assert!(explain("price_pkey", None).is_none());
    }
}
