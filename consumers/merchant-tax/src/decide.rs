//! What a merchant's change means for its tax info. Pure.

use runtime::{Change, Decision, Effect};
use schemas::commerce::merchant::Merchant;
use schemas::{Field, Position};
use time::OffsetDateTime;

/// What the target is to hold for one merchant.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// This row.
    Keep(Box<TaxInfo>),
    /// No row.
    Remove {
        /// The merchant.
        merchant_id: i64,
    },
}

/// A row of `tax_info`: what a change makes of it, or what stands there. A field that the change does not carry keeps what
/// the target has.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the columns of tax_info, explained in migrations/invoice")]
pub struct TaxInfo {
    pub merchant_id: i64,
    pub name: Field<String>,
    pub taxpayer: String,
    pub tax_code: Option<String>,
    pub tax_name: Field<Option<String>>,
    pub tax_address: Field<Option<String>>,
    pub address_line: Field<String>,
    pub province_code: Option<String>,
    pub ward_code: Option<String>,
    pub email: Field<Option<String>>,
    pub phone: Field<Option<String>>,
    pub created_by: i64,
    pub updated_at: OffsetDateTime,
    /// Whether the change was an update; only those are reported as skipped when nothing changed.
    pub update: bool,
}

impl TaxInfo {
    /// True when every column is of this change.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let Self { name, tax_name, tax_address, address_line, email, phone, .. } = self;
        name.is_carried()
            && address_line.is_carried()
            && [tax_name, tax_address, email, phone].into_iter().all(Field::is_carried)
    }

    /// True when some column must keep what the target has.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        let Self { name, tax_name, tax_address, address_line, email, phone, .. } = self;
        name.is_unchanged()
            || address_line.is_unchanged()
            || [tax_name, tax_address, email, phone].into_iter().any(Field::is_unchanged)
    }

    /// Takes what this does not carry from a row that is older, as of `at`.
    pub(crate) fn inherit(&mut self, older: Self, at: Position) {
        let Self { name, tax_name, tax_address, address_line, email, phone, .. } = older;
        self.name.inherit(name, at);
        self.tax_name.inherit(tax_name, at);
        self.tax_address.inherit(tax_address, at);
        self.address_line.inherit(address_line, at);
        self.email.inherit(email, at);
        self.phone.inherit(phone, at);
    }

    /// The columns whose value an earlier change carried, and where that stands.
    pub(crate) fn earlier(&self) -> impl Iterator<Item = (&'static str, Position)> {
        let Self { name, tax_name, tax_address, address_line, email, phone, .. } = self;
        let columns = [
            ("name", name.earlier()),
            ("tax_name", tax_name.earlier()),
            ("tax_address", tax_address.earlier()),
            ("address_line", address_line.earlier()),
            ("email", email.earlier()),
            ("phone", phone.earlier()),
        ];
        columns.into_iter().filter_map(|(column, at)| Some((column, at?)))
    }
}

/// Every change of a merchant that exists becomes its row; a merchant that is gone has none.
pub(crate) fn decide(change: &Change<Merchant>) -> Decision<Plan> {
    match &change.effect {
        Effect::Upsert { row, update } => Decision::Apply(Plan::Keep(Box::new(tax_info(row, *update)))),
        Effect::Delete => match change.entity.id() {
            Some(merchant_id) => Decision::Apply(Plan::Remove { merchant_id }),
            None => Decision::Park(format!("`{}` is not a merchant id", change.entity.key())),
        },
    }
}

fn tax_info(merchant: &Merchant, update: bool) -> TaxInfo {
    TaxInfo {
        merchant_id: merchant.id,
        name: merchant.name.clone(),
        taxpayer: merchant.taxpayer.clone(),
        tax_code: merchant.tax_code.clone(),
        tax_name: merchant.tax_name.clone(),
        tax_address: merchant.tax_address.clone(),
        address_line: merchant.address_line.clone(),
        province_code: merchant.province_code.clone(),
        ward_code: merchant.ward_code.clone(),
        email: merchant.email.clone(),
        phone: merchant.phone.clone(),
        created_by: merchant.created_by,
        updated_at: merchant.updated_at,
        update,
    }
}

#[cfg(test)]
mod tests {
    use runtime::{Coordinates, EntityKey};

    use super::*;

    fn change(key: &str, effect: Effect<Merchant>) -> Change<Merchant> {
        Change {
            entity: EntityKey::new("commerce.public.merchant".into(), key),
            coordinates: Coordinates { topic: "commerce.public.merchant".into(), partition: 0, offset: 7 },
            position: Position::default(),
            committed_ms: 0,
            effect,
        }
    }

    #[test]
    fn a_merchant_that_is_gone_has_no_tax_info() {
        let decision = decide(&change("42", Effect::Delete));
        assert_eq!(decision, Decision::Apply(Plan::Remove { merchant_id: 42 }));
    }

    #[test]
    fn a_key_that_is_no_merchant_id_parks() {
        assert!(matches!(decide(&change("a,b", Effect::Delete)), Decision::Park(_)));
    }
}
