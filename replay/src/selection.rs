//! Which changes are replayed.

use std::collections::BTreeSet;
use std::str::FromStr;

use runtime::EntityKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A choice among the changes of a consumer's topics. What is left out does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Of this topic only.
    pub topic: Option<String>,
    /// Of this partition only.
    pub partition: Option<i32>,
    /// From here on.
    pub from: Option<Place>,
    /// Up to here, exclusive.
    pub to: Option<Place>,
    /// Of these entities only, by their text forms.
    pub entities: BTreeSet<String>,
    /// Of rows whose columns have these values only.
    pub filters: Vec<Filter>,
}

/// A place in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A record, by its offset.
    Offset(i64),
    /// The first record of this time or later, in milliseconds since 1970.
    Time(i64),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(offset) = text.parse() {
            return Ok(Self::Offset(offset));
        }
        let time = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| format!("`{text}` is neither an offset nor a time such as 2026-11-21T03:00:00+07:00"))?;
        Ok(Self::Time(i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)))
    }
}

/// A column that must have a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The column's name.
    pub column: String,
    /// The value as text; `null` for none.
    pub value: String,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((column, value)) if !column.is_empty() => {
                Ok(Self { column: column.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("`{text}` is not <column>=<value>")),
        }
    }
}

impl Filter {
    /// Whether the row of an envelope has the value: the row after the change, or before it where it is gone.
    fn accepts(&self, envelope: &Value) -> bool {
        let row = if envelope["after"].is_null() { &envelope["before"] } else { &envelope["after"] };
        match row.get(&self.column) {
            Some(Value::String(text)) => *text == self.value,
            Some(value) => {
                let text = value.to_string();
                text == self.value
            }
            None => false,
        }
    }
}

impl Selection {
    /// Whether an entity may be chosen.
    #[must_use]
    pub fn accepts_entity(&self, entity: &EntityKey) -> bool {
        self.entities.is_empty() || self.entities.contains(&entity.text())
    }

    /// Whether the row of a change is chosen, given its decoded envelope.
    #[must_use]
    pub fn accepts_row(&self, envelope: &Value) -> bool {
        self.filters.iter().all(|filter| filter.accepts(envelope))
    }

    /// Whether a topic may have chosen changes.
    #[must_use]
    pub fn accepts_topic(&self, topic: &str) -> bool {
        let of_topic = |entity: &String| entity.split_once('/').is_some_and(|(of, _)| of == topic);
        self.topic.as_deref().is_none_or(|only| only == topic)
            && (self.entities.is_empty() || self.entities.iter().any(of_topic))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_is_an_offset_or_a_time() {
        assert_eq!("42".parse(), Ok(Place::Offset(42)));
        assert_eq!("1970-01-01T07:00:01+07:00".parse(), Ok(Place::Time(1_000)));
        assert!("yesterday".parse::<Place>().unwrap_err().contains("neither an offset nor a time"));
    }

    #[test]
    fn a_filter_looks_at_the_row_after_the_change_and_at_the_one_before_where_it_is_gone() {
        let only = |filter: &str| Selection { filters: vec![filter.parse().unwrap()], ..Selection::default() };
        let update =
            json!({ "before": { "merchant_id": 1 }, "after": { "merchant_id": 2, "slug": "pho", "sku": null } });
        assert!(only("merchant_id=2").accepts_row(&update) && !only("merchant_id=1").accepts_row(&update));
        assert!(only("slug=pho").accepts_row(&update) && only("sku=null").accepts_row(&update));
        assert!(!only("price=1").accepts_row(&update));
        assert!(only("merchant_id=1").accepts_row(&json!({ "before": { "merchant_id": 1 }, "after": null })));
        assert!("merchant_id".parse::<Filter>().is_err());
    }

    #[test]
    fn entities_restrict_topics() {
        let entities = BTreeSet::from(["a.b.c/1".to_owned()]);
        let selection = Selection { entities, ..Selection::default() };
        assert!(selection.accepts_topic("a.b.c") && !selection.accepts_topic("a.b.d"));
        assert!(selection.accepts_entity(&EntityKey::new("a.b.c".into(), "1")));
        assert!(!selection.accepts_entity(&EntityKey::new("a.b.c".into(), "2")));
    }
}
