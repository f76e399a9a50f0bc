//! Lists: one keyset for each order, and the caller's scope in every `where`.

use serde::{Deserialize, Serialize};
use shell::{Page, Problem, Scope};
use sqlx::{Postgres, QueryBuilder};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// The order of a list. A dash before the name turns it around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
pub enum Sort {
    /// Oldest first.
    #[serde(rename = "created_at")]
    Created,
    /// Newest first.
    #[default]
    #[serde(rename = "-created_at")]
    CreatedLast,
    /// By name.
    #[serde(rename = "name")]
    Name,
    /// By name, backwards.
    #[serde(rename = "-name")]
    NameLast,
    /// Changed longest ago first.
    #[serde(rename = "updated_at")]
    Updated,
    /// Changed last first.
    #[serde(rename = "-updated_at")]
    UpdatedLast,
}

/// The keyset of one row in the order asked for. Ids grow with time, so they are the order of creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    text: Option<String>,
    /// Microseconds, which is what Postgres keeps.
    micros: Option<i64>,
    id: i64,
}

impl Sort {
    fn is_backwards(self) -> bool {
        matches!(self, Self::CreatedLast | Self::NameLast | Self::UpdatedLast)
    }

    /// The keyset of a row.
    pub(crate) fn key(self, id: i64, name: &str, updated_at: OffsetDateTime) -> Key {
        let micros = i64::try_from(updated_at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
        match self {
            Self::Created | Self::CreatedLast => Key { text: None, micros: None, id },
            Self::Name | Self::NameLast => Key { text: Some(name.to_owned()), micros: None, id },
            Self::Updated | Self::UpdatedLast => Key { text: None, micros: Some(micros), id },
        }
    }

    /// Adds `and (keys) > (last)`, `order by` and `limit` for a table of this alias with columns `name`, `updated_at`
    /// and `id`.
    pub(crate) fn push(self, query: &mut QueryBuilder<Postgres>, alias: &str, page: &Page) -> Result<(), Problem> {
        let (comparison, direction) = if self.is_backwards() { ("<", "desc") } else { (">", "asc") };
        let column = match self {
            Self::Created | Self::CreatedLast => None,
            Self::Name | Self::NameLast => Some("name"),
            Self::Updated | Self::UpdatedLast => Some("updated_at"),
        };
        if let Some(key) = page.after::<Key>()? {
            match column {
                None => query.push(format!(" and {alias}.id {comparison} ")).push_bind(key.id),
                Some(column) => {
                    query.push(format!(" and ({alias}.{column}, {alias}.id) {comparison} ("));
                    match key.micros {
                        Some(micros) => query.push_bind(time_of(micros)),
                        None => query.push_bind(key.text),
                    };
                    query.push(", ").push_bind(key.id).push(")")
                }
            };
        }
        let first = column.map(|column| format!("{alias}.{column} {direction}, ")).unwrap_or_default();
        query.push(format!(" order by {first}{alias}.id {direction} limit ")).push_bind(page.fetch());
        Ok(())
    }
}

fn time_of(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Adds `and (..)` so that only rows of merchants in scope are left; `merchant` is the alias of table `merchant`.
pub(crate) fn push_scope(query: &mut QueryBuilder<Postgres>, merchant: &str, scope: &Scope) {
    if scope.is_all() {
        return;
    }
    query.push(format!(" and ({merchant}.created_by = ")).push_bind(scope.created_by());
    query.push(format!(" or {merchant}.id = any(")).push_bind(scope.merchants().to_vec()).push("))");
}

/// Adds `and <alias>.<column> = <value>` when there is a value.
pub(crate) fn push_equal<'q, T>(query: &mut QueryBuilder<Postgres>, column: &str, value: Option<T>)
where
    T: 'q + sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
{
    if let Some(value) = value {
        query.push(format!(" and {column} = ")).push_bind(value);
    }
}

/// Adds `and <column> is [not] null` for lists that show what is deleted only when asked.
pub(crate) fn push_deleted(query: &mut QueryBuilder<Postgres>, column: &str, deleted: bool) {
    query.push(format!(" and {column} is {}null", if deleted { "not " } else { "" }));
}

/// A prefix as a pattern of `like`, its own wildcards taken literally.
pub(crate) fn prefix(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("{escaped}%")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_key_holds_what_its_order_needs() {
        let at = datetime!(2026-01-01 00:00:00.123456 UTC);
        assert_eq!(Sort::Created.key(7, "Phở", at), Key { text: None, micros: None, id: 7 });
        assert_eq!(Sort::Name.key(7, "Phở", at).text.as_deref(), Some("Phở"));
        let key = Sort::Updated.key(7, "Phở", at);
        assert_eq!(key.micros.map(time_of), Some(at));
    }

    #[test]
    fn wildcards_in_a_prefix_are_literal() {
        assert_eq!(prefix("50%_a\\b"), "50\\%\\_a\\\\b%");
    }
}
