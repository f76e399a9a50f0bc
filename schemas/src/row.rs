//! What all rows have in common.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::position::Position;

/// A captured table's row as consumers read it.
pub trait Row: DeserializeOwned + Clone + Send + Sync + 'static {
    /// The service that owns the table: the first part of the topic.
    const SERVICE: &'static str;
    /// `<schema>.<table>`: the rest of the topic.
    const TABLE: &'static str;
    /// The topic, `<service>.<schema>.<table>`, and the folder under `schemas/`.
    const TOPIC: &'static str;
    /// The record's key.
    type Key: DeserializeOwned + Send + Sync + 'static;

    /// Fills what this change does not carry from an earlier change of the same row, which is at `at`.
    fn inherit(&mut self, earlier: Self, at: Position);

    /// The columns that this change does not carry. The target's own values of them must stay.
    fn unchanged(&self) -> Vec<&'static str>;

    /// True when some column is not carried.
    fn is_partial(&self) -> bool {
        !self.unchanged().is_empty()
    }
}

/// The key of every table here: one snowflake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct Id {
    /// The row's id.
    pub id: i64,
}

/// Implements [`Row`] for a type whose [`crate::Field`]s are listed.
macro_rules! row {
    ($row:ident: $service:literal, $table:literal, [$($field:ident),*]) => {
        impl $crate::Row for $row {
            const SERVICE: &'static str = $service;
            const TABLE: &'static str = $table;
            const TOPIC: &'static str = concat!($service, ".", $table);
            type Key = $crate::row::Id;

            fn inherit(&mut self, earlier: Self, at: $crate::position::Position) {
                // a row without such columns inherits nothing
                let _ = at;
                let Self { $($field,)* .. } = earlier;
                $(self.$field.inherit($field, at);)*
            }

            fn unchanged(&self) -> Vec<&'static str> {
                let fields: &[(&'static str, bool)] = &[$((stringify!($field), self.$field.is_unchanged())),*];
                fields.iter().filter(|(_, unchanged)| *unchanged).map(|(column, _)| *column).collect()
            }
        }
    };
}
pub(crate) use row;
