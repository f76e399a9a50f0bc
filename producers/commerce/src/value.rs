//! Values that requests and answers share.

use serde::{Deserialize, Deserializer};

/// A field of a patch that may be emptied: absent keeps what is there, null empties it. Write `#[serde(default)]` at it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// The field is absent.
    #[default]
    Keep,
    /// The field is there, perhaps null.
    Set(Option<T>),
}

impl<T> Change<T> {
    /// What the field is after the patch.
    pub(crate) fn over(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Keep => current,
            Self::Set(value) => value,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Set)
    }
}

/// Declares an enum whose names are the same in JSON and in a text column.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type)]
        #[sqlx(type_name = "text")]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] #[sqlx(rename = $text)] $variant,)+
        }

        // By hand: the derive does not see a rename that a macro puts in, and would document the variants' Rust names.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some([$($text),+]))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}
pub(crate) use names;

names! {
    /// What a DELETE does when something depends on what is deleted.
    DeletionPolicy {
        /// It is refused, and the answer says what depends on it.
        Restrict = "RESTRICT",
        /// It stays readable, but is taken out of use.
        Archive = "ARCHIVE",
        /// What depends on it is deleted with it, and restored with it.
        Cascade = "CASCADE",
    }
}

/// The greatest amount in whole dong: what a number of JSON holds exactly in every client.
pub const GREATEST_AMOUNT: i64 = 9_007_199_254_740_991;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Patch {
        #[serde(default)]
        phone: Change<String>,
    }

    #[test]
    fn the_document_names_what_json_takes() {
        let schema = serde_json::to_value(<DeletionPolicy as utoipa::PartialSchema>::schema()).unwrap();
        assert_eq!(schema["enum"], serde_json::json!(["RESTRICT", "ARCHIVE", "CASCADE"]));
        for name in schema["enum"].as_array().unwrap() {
            let policy: DeletionPolicy = serde_json::from_value(name.clone()).unwrap();
            assert_eq!(serde_json::to_value(policy).unwrap(), *name);
        }
    }

    #[test]
    fn absent_keeps_null_empties_and_a_value_replaces() {
        let after = |text: &str| serde_json::from_str::<Patch>(text).unwrap().phone.over(Some("before".to_owned()));
        assert_eq!(after("{}").as_deref(), Some("before"));
        assert_eq!(after(r#"{"phone": null}"#), None);
        assert_eq!(after(r#"{"phone": "after"}"#).as_deref(), Some("after"));
    }
}
