//! What a new version of a schema breaks, and for whom.
//!
//! The registry judges by Avro's resolution rules (`FULL_TRANSITIVE`: every version reads every other). That lets a
//! rename pass, because a nullable column may be dropped and another added. Readers of the old name would see null in
//! every new record, silently. So the columns are compared here too, by name, and a step that drops a column and adds
//! one of the same type is refused.

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};

use crate::columns::{Column, Difference, columns, differences};
use crate::files::{Part, Subject};

/// One thing that a new version breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// `<topic>-<part>`.
    pub subject: String,
    /// The released version that it breaks with.
    pub release: u32,
    /// The column, where it is one column's.
    pub column: Option<String>,
    /// What breaks, and for whom.
    pub harm: String,
    /// How to get there without a break.
    pub instead: String,
}

impl std::fmt::Display for Break {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} breaks with version {}: {}\n  {}", self.subject, self.release, self.harm, self.instead)
    }
}

/// Judges a subject's present schema against every release.
#[must_use]
pub fn breaks(subject: &Subject) -> Vec<Break> {
    candidate(subject, &subject.current)
}

/// Judges any text as the next version of a subject.
#[must_use]
pub fn candidate(subject: &Subject, text: &str) -> Vec<Break> {
    let newest = subject.newest().map_or(0, |release| release.number);
    let mut found: Vec<Break> = Vec::new();
    for release in subject.releases.iter().filter(|release| release.text != text) {
        let step = Step { subject, release: release.number, is_next: release.number == newest };
        for broken in step.judge(&release.text, text) {
            // One column broken against several releases is one thing to mend: the newest of them is named.
            found.retain(|earlier| earlier.column.is_none() || earlier.column != broken.column);
            found.push(broken);
        }
    }
    found
}

struct Step<'a> {
    subject: &'a Subject,
    release: u32,
    is_next: bool,
}

impl Step<'_> {
    fn judge(&self, old: &str, new: &str) -> Vec<Break> {
        if self.subject.part == Part::Key {
            return vec![self.key_changed()];
        }
        let (Some(from), Some(to)) = (columns(old), columns(new)) else {
            return vec![self.broken(
                None,
                "it is not an envelope around a row".to_owned(),
                "accept what Debezium registered".to_owned(),
            )];
        };
        let differences = differences(&from, &to);
        let mut found: Vec<Break> =
            differences.iter().filter_map(|difference| self.column_breaks(difference)).collect();
        if self.is_next {
            found.extend(self.renames(&differences));
        }
        if found.is_empty() { self.unresolvable(old, new).into_iter().collect() } else { found }
    }

    fn broken(&self, column: Option<&str>, harm: String, instead: String) -> Break {
        Break {
            subject: self.subject.name(),
            release: self.release,
            column: column.map(ToOwned::to_owned),
            harm,
            instead,
        }
    }

    fn key_changed(&self) -> Break {
        let harm =
            "the key's schema changed, and a serialized key carries its schema's id: every key moves to another \
                    partition, so consumers lose the order of an entity's changes, and parked keys are not found"
                .to_owned();
        let instead =
            "instead: capture the table under a new topic with the new key, move every reader, then drop the old topic"
                .to_owned();
        self.broken(None, harm, instead)
    }

    fn column_breaks(&self, difference: &Difference) -> Option<Break> {
        match difference {
            Difference::Added(column) if column.default.is_none() => Some(self.added_without_default(column)),
            Difference::Dropped(column) if column.default.is_none() => Some(self.dropped_without_default(column)),
            Difference::Changed { from, to } if from.kind != to.kind => Some(self.type_changed(from, to)),
            Difference::Changed { from, to } if from.nullable != to.nullable => {
                Some(self.nullability_changed(from, to))
            }
            Difference::Added(_) | Difference::Dropped(_) | Difference::Changed { .. } => None,
        }
    }

    fn added_without_default(&self, column: &Column) -> Break {
        let name = &column.name;
        let harm = format!(
            "column `{name}` is new, NOT NULL and has no default: a reader with the new schema cannot read the records \
             already in the topic, so a replay fails"
        );
        let instead = format!(
            "expand and contract: (1) add `{name}` as nullable (or with a constant default) and release; (2) fill it and \
             write it everywhere; (3) enforce it by a check constraint, which the topic does not see"
        );
        self.broken(Some(name), harm, instead)
    }

    fn dropped_without_default(&self, column: &Column) -> Break {
        let name = &column.name;
        let harm = format!(
            "column `{name}` is gone, and it was NOT NULL: every consumer that still runs with version {} cannot read a \
             record without it",
            self.release
        );
        let instead = format!(
            "expand and contract: a NOT NULL column without a default cannot leave this topic. (1) stop reading `{name}` \
             everywhere; (2) capture the table under a new topic, or, agreed with every reader, reset this subject (see \
             schemas/README.md, \"A break on purpose\")"
        );
        self.broken(Some(name), harm, instead)
    }

    fn type_changed(&self, from: &Column, to: &Column) -> Break {
        let (name, old, new) = (&from.name, from.describe(), to.describe());
        let harm = format!(
            "column `{name}` was {old} and is {new}: consumers that run now cannot read new records, and new ones cannot \
             read what is already in the topic"
        );
        let instead = format!(
            "expand and contract: (1) add a second, nullable column of the new type, write both, release; (2) move every \
             reader; (3) when nothing reads `{name}`, drop it in a release of its own (a nullable column may go)"
        );
        self.broken(Some(name), harm, instead)
    }

    fn nullability_changed(&self, from: &Column, to: &Column) -> Break {
        let name = &from.name;
        let harm = if to.nullable {
            format!(
                "column `{name}` may now be null: consumers that run now cannot read a null there, and will park every such row"
            )
        } else {
            format!(
                "column `{name}` may no longer be null: a reader with the new schema cannot read the nulls already in the topic"
            )
        };
        let instead = format!(
            "expand and contract: (1) add a second, nullable column, write both, release; (2) move every reader; (3) drop \
             `{name}` if it was nullable. To forbid nulls only in the table, use a check constraint: the topic does not see it"
        );
        self.broken(Some(name), harm, instead)
    }

    /// The registry's blind spot: one column goes and another of the same type comes, in one step.
    fn renames(&self, differences: &[Difference]) -> Vec<Break> {
        let added = || {
            differences.iter().filter_map(|difference| match difference {
                Difference::Added(column) => Some(column),
                _ => None,
            })
        };
        let dropped = differences.iter().filter_map(|difference| match difference {
            Difference::Dropped(column) => Some(column),
            _ => None,
        });
        dropped
            .filter_map(|old| added().find(|new| new.kind == old.kind).map(|new| self.renamed(&old.name, &new.name)))
            .collect()
    }

    fn renamed(&self, old: &str, new: &str) -> Break {
        let harm = format!(
            "column `{old}` is gone and `{new}` of the same type has come, which is a rename. The registry lets it pass, \
             and then every consumer that reads `{old}` sees null in all new records, silently; a consumer that reads \
             `{new}` sees null in all old ones when it replays"
        );
        let instead = format!(
            "expand and contract: (1) add `{new}` beside `{old}`, write both, release; (2) fill `{new}` for the old rows \
             and take an incremental snapshot; (3) move every reader to `{new}`; (4) when nothing reads `{old}`, drop it \
             in a release of its own. If they have nothing to do with each other, release the addition and the removal \
             separately"
        );
        self.broken(Some(old), harm, instead)
    }

    /// Avro's own rules, for what is not a column: the envelope, the source, a type inside a column.
    fn unresolvable(&self, old: &str, new: &str) -> Option<Break> {
        let instead = "accept only what every released version resolves with; after an upgrade of Debezium read its notes on the envelope".to_owned();
        let (old, new) = match (Schema::parse_str(old), Schema::parse_str(new)) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(error), _) | (_, Err(error)) => {
                return Some(self.broken(None, format!("not an Avro schema: {error}"), instead));
            }
        };
        let harm = match SchemaCompatibility::mutual_read(&old, &new) {
            Ok(Compatibility::Full) => return None,
            Ok(Compatibility::Partial) => "some records of one version cannot be read with the other".to_owned(),
            Err(error) => format!("records of one version cannot be read with the other: {error}"),
        };
        Some(self.broken(None, harm, instead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Release;
    use proptest::prelude::*;

    const ID: &str = r#"{"name":"id","type":"long"}"#;
    const PHONE: &str = r#"{"name":"phone","type":["null","string"],"default":null}"#;
    const TELEPHONE: &str = r#"{"name":"telephone","type":["null","string"],"default":null}"#;
    const POINTS: &str = r#"{"name":"points","type":["null","long"],"default":null}"#;
    const NAME: &str = r#"{"name":"name","type":"string"}"#;

    fn envelope(columns: &[&str]) -> String {
        let columns = columns.join(",");
        format!(
            r#"{{"type":"record","name":"Envelope","namespace":"shop.public.merchant","fields":[{{"name":"before","type":["null",{{"type":"record","name":"Value","fields":[{columns}]}}],"default":null}},{{"name":"after","type":["null","Value"],"default":null}},{{"name":"op","type":"string"}}]}}"#
        )
    }

    fn subject(part: Part, releases: &[String]) -> Subject {
        let releases: Vec<Release> =
            releases.iter().zip(1..).map(|(text, number)| Release { number, text: text.clone() }).collect();
        Subject {
            topic: "shop.public.merchant".to_owned(),
            part,
            current: releases.last().unwrap().text.clone(),
            releases,
            folder: std::path::PathBuf::new(),
        }
    }

    fn value(releases: &[&[&str]]) -> Subject {
        subject(Part::Value, &releases.iter().map(|columns| envelope(columns)).collect::<Vec<_>>())
    }

    fn sentence(breaks: &[Break]) -> String {
        breaks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_same_schema_breaks_nobody() {
        assert_eq!(breaks(&value(&[&[ID, PHONE]])), []);
    }

    #[test]
    fn a_nullable_column_may_come_and_may_go() {
        assert_eq!(candidate(&value(&[&[ID, PHONE]]), &envelope(&[ID, PHONE, POINTS])), []);
        assert_eq!(candidate(&value(&[&[ID, PHONE]]), &envelope(&[ID])), []);
    }

    #[test]
    fn a_column_with_a_constant_default_may_come() {
        let level = r#"{"name":"level","type":{"type":"int","connect.default":7},"default":7}"#;
        assert_eq!(candidate(&value(&[&[ID, PHONE]]), &envelope(&[ID, PHONE, level])), []);
    }

    #[test]
    fn a_renamed_nullable_column_breaks_its_readers_though_the_registry_lets_it_pass() {
        let breaks = candidate(&value(&[&[ID, PHONE]]), &envelope(&[ID, TELEPHONE]));
        let sentence = sentence(&breaks);
        assert_eq!(breaks.len(), 1);
        assert!(sentence.contains("`phone` is gone and `telephone`"), "{sentence}");
        assert!(sentence.contains("every consumer that reads `phone` sees null"), "{sentence}");
        assert!(sentence.contains("expand and contract: (1) add `telephone` beside `phone`"), "{sentence}");
    }

    #[test]
    fn a_rename_in_two_releases_is_expand_and_contract() {
        let expanded = value(&[&[ID, PHONE], &[ID, PHONE, TELEPHONE]]);
        assert_eq!(candidate(&expanded, &envelope(&[ID, TELEPHONE])), []);
    }

    #[test]
    fn a_dropped_and_an_added_column_of_different_types_are_no_rename() {
        assert_eq!(candidate(&value(&[&[ID, PHONE]]), &envelope(&[ID, POINTS])), []);
    }

    #[test]
    fn a_not_null_column_may_neither_come_nor_go() {
        let came = sentence(&candidate(&value(&[&[ID]]), &envelope(&[ID, NAME])));
        assert!(came.contains("`name` is new, NOT NULL"), "{came}");
        let gone = sentence(&candidate(&value(&[&[ID, NAME]]), &envelope(&[ID])));
        assert!(gone.contains("`name` is gone, and it was NOT NULL"), "{gone}");
    }

    #[test]
    fn a_widened_integer_breaks_both_ways() {
        let narrow = r#"{"name":"n","type":"int"}"#;
        let wide = r#"{"name":"n","type":"long"}"#;
        let sentence = sentence(&candidate(&value(&[&[ID, narrow]]), &envelope(&[ID, wide])));
        assert!(sentence.contains("`n` was int and is long"), "{sentence}");
    }

    #[test]
    fn nullability_may_not_change_in_either_direction() {
        let name = r#"{"name":"phone","type":"string"}"#;
        let tightened = sentence(&candidate(&value(&[&[ID, PHONE]]), &envelope(&[ID, name])));
        assert!(tightened.contains("may no longer be null"), "{tightened}");
        let loosened = sentence(&candidate(&value(&[&[ID, name]]), &envelope(&[ID, PHONE])));
        assert!(loosened.contains("may now be null"), "{loosened}");
    }

    #[test]
    fn a_name_may_not_come_back_with_another_type() {
        let phone = r#"{"name":"phone","type":["null","long"],"default":null}"#;
        let history = value(&[&[ID, PHONE], &[ID]]);
        let breaks = candidate(&history, &envelope(&[ID, phone]));
        assert_eq!(breaks.len(), 1);
        assert_eq!(breaks[0].release, 1);
    }

    #[test]
    fn a_changed_meaning_of_the_same_avro_type_is_a_changed_type() {
        let plain = r#"{"name":"at","type":["null","string"],"default":null}"#;
        let zoned = r#"{"name":"at","type":["null",{"type":"string","connect.name":"io.debezium.time.ZonedTimestamp"}],"default":null}"#;
        let sentence = sentence(&candidate(&value(&[&[ID, plain]]), &envelope(&[ID, zoned])));
        assert!(sentence.contains("string or null and is string (ZonedTimestamp) or null"), "{sentence}");
    }

    #[test]
    fn any_change_of_a_key_moves_every_key() {
        let key = |field: &str| {
            format!(r#"{{"type":"record","name":"Key","namespace":"shop.public.merchant","fields":[{field}]}}"#)
        };
        let history = subject(Part::Key, &[key(ID)]);
        assert_eq!(breaks(&history), []);
        let sentence = sentence(&candidate(&history, &key(PHONE)));
        assert!(sentence.contains("every key moves to another partition"), "{sentence}");
    }

    #[test]
    fn what_is_not_a_column_is_judged_by_avros_rules() {
        let old = envelope(&[ID]);
        let new = old.replace(r#"{"name":"op","type":"string"}"#, r#"{"name":"op","type":"int"}"#);
        let breaks = candidate(&subject(Part::Value, &[old]), &new);
        assert!(sentence(&breaks).contains("cannot be read with the other"), "{breaks:?}");
    }

    fn column(index: usize, kind: usize) -> String {
        let kinds = [
            r#""string""#,
            r#"["null","string"],"default":null"#,
            r#"["null","long"],"default":null"#,
            r#"{"type":"int","connect.default":3},"default":3"#,
        ];
        format!(r#"{{"name":"c{index}","type":{}}}"#, kinds[kind])
    }

    proptest! {
        /// What this judge passes, Avro's own rules pass: it is never laxer than the registry.
        #[test]
        fn nothing_passes_that_the_registry_would_refuse(old in proptest::collection::vec(proptest::option::of(0..4usize), 5), new in proptest::collection::vec(proptest::option::of(0..4usize), 5)) {
            let of = |kinds: &[Option<usize>]| {
                let columns: Vec<String> = kinds.iter().enumerate().filter_map(|(index, kind)| kind.map(|kind| column(index, kind))).collect();
                envelope(&columns.iter().map(String::as_str).collect::<Vec<_>>())
            };
            let (old, new) = (of(&old), of(&new));
            if candidate(&subject(Part::Value, std::slice::from_ref(&old)), &new).is_empty() {
                let (old, new) = (Schema::parse_str(&old).unwrap(), Schema::parse_str(&new).unwrap());
                prop_assert!(matches!(SchemaCompatibility::mutual_read(&old, &new), Ok(Compatibility::Full)));
            }
        }
    }
}
