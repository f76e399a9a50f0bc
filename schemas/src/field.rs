//! A column that Debezium may not know: Postgres leaves a large value out of the log when an update did not touch it.
//!
//! Postgres moves large values out of the row (TOAST). Under the default replica identity the log then carries no old
//! value for them, and Debezium writes a placeholder in their place. Only columns that can be moved out (text, json,
//! jsonb) can hold it, so only they are `Field`s: the placeholder is looked for by the column's type, never in any
//! string that happens to look like it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::position::Position;

/// What Debezium writes for an unchanged text, json or jsonb value (`unavailable.value.placeholder`, at its default so
/// that readers in other languages find what Debezium's manual says).
pub const PLACEHOLDER: &str = "__debezium_unavailable_value";

/// The value of a column, or the fact that the change did not touch it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field<T> {
    /// The column's value after the change.
    Value(T),
    /// The change did not touch the column, and an earlier one, at this position, carried it. A change between the two that
    /// comes late may still have another value for it. (In a box: every column of every row that waits has this variant's room,
    /// and few have such a value.)
    Earlier(Box<(T, Position)>),
    /// The change did not touch the column and Postgres did not log it: what the target has is still right.
    Unchanged,
}

impl<T> Field<T> {
    /// The value that an earlier change at this position carried.
    pub fn of_earlier(value: T, at: Position) -> Self {
        Self::Earlier(Box::new((value, at)))
    }

    /// The value, when this change or an earlier one carries it.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Earlier(earlier) => Some(&earlier.0),
            Self::Unchanged => None,
        }
    }

    /// The value itself, when this change or an earlier one carries it.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Earlier(earlier) => Some(earlier.0),
            Self::Unchanged => None,
        }
    }

    /// True when neither the change nor an earlier one carries the column.
    pub fn is_unchanged(&self) -> bool {
        matches!(self, Self::Unchanged)
    }

    /// True when the change itself carries the column.
    pub fn is_carried(&self) -> bool {
        matches!(self, Self::Value(_))
    }

    /// Where the value was carried, when that was before the change.
    pub fn earlier(&self) -> Option<Position> {
        match self {
            Self::Earlier(earlier) => Some(earlier.1),
            Self::Value(_) | Self::Unchanged => None,
        }
    }

    /// Takes the value of an earlier change of the same row, which is at `at`, when this one does not carry it and has none
    /// that is newer than that.
    pub fn inherit(&mut self, earlier: Self, at: Position) {
        let (value, at) = match earlier {
            Self::Value(value) => (value, at),
            Self::Earlier(earlier) => *earlier,
            Self::Unchanged => return,
        };
        let is_newer = match self {
            Self::Value(_) => false,
            Self::Earlier(has) => at > has.1,
            Self::Unchanged => true,
        };
        if is_newer {
            *self = Self::of_earlier(value, at);
        }
    }

    /// Changes the value and keeps the absence.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Value(value) => Field::Value(change(value)),
            Self::Earlier(earlier) => Field::of_earlier(change(earlier.0), earlier.1),
            Self::Unchanged => Field::Unchanged,
        }
    }
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

/// A column type that Postgres can move out of the row, and how it is read from the string that Debezium writes.
pub trait Toastable: Sized {
    /// What a database null becomes, or `None` when the column has none.
    fn of_null() -> Option<Self>;
    /// Reads the column's text.
    fn of_text(text: &str) -> Result<Self, String>;
}

impl Toastable for String {
    fn of_null() -> Option<Self> {
        None
    }

    fn of_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

/// A json or jsonb column, read as the type that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> Toastable for Json<T> {
    fn of_null() -> Option<Self> {
        None
    }

    fn of_text(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(Json).map_err(|error| format!("a json column that does not parse: {error}"))
    }
}

impl<T: Toastable> Toastable for Option<T> {
    fn of_null() -> Option<Self> {
        Some(None)
    }

    fn of_text(text: &str) -> Result<Self, String> {
        T::of_text(text).map(Some)
    }
}

impl<'de, T: Toastable> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: Toastable> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the text of a column, or null where the column may be null")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        T::of_null().map(Field::Value).ok_or_else(|| E::invalid_type(Unexpected::Option, &self))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        self.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text == PLACEHOLDER {
            return Ok(Field::Unchanged);
        }
        T::of_text(text).map(Field::Value).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Toastable>(json: &str) -> Result<Field<T>, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn text_is_a_value() {
        assert_eq!(read::<String>(r#""phở""#).unwrap(), Field::Value("phở".to_owned()));
        assert_eq!(read::<Option<String>>(r#""phở""#).unwrap(), Field::Value(Some("phở".to_owned())));
    }

    #[test]
    fn the_placeholder_is_unchanged_and_not_text() {
        assert_eq!(read::<String>(r#""__debezium_unavailable_value""#).unwrap(), Field::Unchanged);
        assert_eq!(read::<Option<String>>(r#""__debezium_unavailable_value""#).unwrap(), Field::Unchanged);
        assert_eq!(read::<Json<serde_json::Value>>(r#""__debezium_unavailable_value""#).unwrap(), Field::Unchanged);
    }

    #[test]
    fn null_is_a_value_where_the_column_may_be_null_and_an_error_elsewhere() {
        assert_eq!(read::<Option<String>>("null").unwrap(), Field::Value(None));
        assert!(read::<String>("null").is_err());
    }

    #[test]
    fn json_is_read_as_the_type_it_holds() {
        assert_eq!(read::<Json<Vec<i32>>>(r#""[1, 2]""#).unwrap(), Field::Value(Json(vec![1, 2])));
        assert!(read::<Json<Vec<i32>>>(r#""{}""#).unwrap_err().to_string().contains("does not parse"));
    }

    #[test]
    fn a_field_takes_no_more_room_than_its_value() {
        assert_eq!(size_of::<Field<String>>(), size_of::<String>());
    }

    #[test]
    fn an_unchanged_field_inherits_and_a_value_does_not() {
        let at = |lsn| Position { epoch: 0, commit_lsn: lsn, lsn };
        let mut field = Field::Unchanged;
        field.inherit(Field::Unchanged, at(6));
        assert!(field.is_unchanged());
        field.inherit(Field::Value(1), at(5));
        field.inherit(Field::Value(2), at(3));
        assert_eq!(field, Field::of_earlier(1, at(5)), "the newest of the earlier ones");
        field.inherit(Field::of_earlier(3, at(6)), at(9));
        assert_eq!((field.earlier(), field.into_value()), (Some(at(6)), Some(3)));
        let mut carried = Field::Value(1);
        carried.inherit(Field::Value(2), at(9));
        assert_eq!(carried, Field::Value(1));
    }
}
