//! What a target must show of its source.

/// Two queries of one shape, of which one asks the source and the other the target. When nothing is on its way, both
/// answer the same rows.
///
/// Each answers `key bigint` (the source row's id), `content text` (whatever of the row is carried, in one canonical
/// text) and `as_of bigint` (a number that grows with every change of the row, such as the microseconds of its
/// `updated_at`; null where one side has none): from `as_of` a row that is behind is told from one that was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projection {
    /// What it is called: the target's table, as a rule.
    pub name: &'static str,
    /// The topic of the source's table: which changes repair a row.
    pub topic: &'static str,
    /// What is asked of the source's database.
    pub source: &'static str,
    /// What is asked of the target's.
    pub target: &'static str,
}
