//! The columns of a table as a schema has them.

use serde_json::Value;

/// A column of a row, or a field of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type without null, as compact JSON.
    pub kind: String,
    /// What Debezium says the type means, where it says something, such as `io.debezium.time.ZonedTimestamp`.
    pub meaning: Option<String>,
    /// May it be null?
    pub nullable: bool,
    /// Its default. A nullable column's is null.
    pub default: Option<Value>,
}

impl Column {
    /// For people: `string`, `long or null`, `string (ZonedTimestamp)`.
    #[must_use]
    pub fn describe(&self) -> String {
        let base = base(&self.kind);
        let meaning = self.meaning.as_deref().and_then(|name| name.rsplit('.').next());
        let named = meaning.map_or(base.clone(), |meaning| format!("{base} ({meaning})"));
        if self.nullable { format!("{named} or null") } else { named }
    }
}

fn base(kind: &str) -> String {
    match serde_json::from_str(kind) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(object)) => object.get("type").and_then(Value::as_str).unwrap_or("record").to_owned(),
        _ => kind.to_owned(),
    }
}

/// The columns of a key's record, or of the row inside an envelope. None when the schema is neither.
#[must_use]
pub fn columns(schema: &str) -> Option<Vec<Column>> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    let fields = schema.get("fields")?.as_array()?;
    let row = fields.iter().find(|field| field.get("name").is_some_and(|name| name == "before"));
    let fields = match row {
        Some(before) => before.get("type")?.as_array()?.iter().find_map(|branch| branch.get("fields"))?.as_array()?,
        None => fields,
    };
    fields.iter().map(column).collect()
}

fn column(field: &Value) -> Option<Column> {
    let name = field.get("name")?.as_str()?.to_owned();
    let kind = field.get("type")?;
    let default = field.get("default").cloned();
    let (kind, nullable) = match kind.as_array() {
        Some(branches) => {
            (branches.iter().find(|branch| *branch != "null")?, branches.iter().any(|branch| branch == "null"))
        }
        None => (kind, false),
    };
    let meaning = kind.get("connect.name").and_then(Value::as_str).map(ToOwned::to_owned);
    Some(Column { name, kind: bare(kind).to_string(), meaning, nullable, default })
}

/// A type without its default, which is the column's own affair.
fn bare(kind: &Value) -> Value {
    let mut kind = kind.clone();
    if let Some(object) = kind.as_object_mut() {
        object.shift_remove("connect.default");
    }
    kind
}

/// How two versions of a row differ.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// A column that was not there.
    Added(Column),
    /// A column that is gone.
    Dropped(Column),
    /// A column that is not what it was.
    Changed {
        /// As it was.
        from: Column,
        /// As it is.
        to: Column,
    },
}

/// What happened to the columns between two versions, in the order of the columns.
#[must_use]
pub fn differences(from: &[Column], to: &[Column]) -> Vec<Difference> {
    let find = |columns: &[Column], name: &str| columns.iter().find(|column| column.name == name).cloned();
    let mut differences: Vec<Difference> = from
        .iter()
        .filter_map(|old| match find(to, &old.name) {
            None => Some(Difference::Dropped(old.clone())),
            Some(new) if new != *old => Some(Difference::Changed { from: old.clone(), to: new }),
            Some(_) => None,
        })
        .collect();
    differences.extend(to.iter().filter(|new| find(from, &new.name).is_none()).cloned().map(Difference::Added));
    differences
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let default = |column: &Column| column.default.as_ref().map_or("none".to_owned(), Value::to_string);
        match self {
            Self::Added(column) => write!(formatter, "+ {}: {}", column.name, column.describe()),
            Self::Dropped(column) => write!(formatter, "- {}: {}", column.name, column.describe()),
            Self::Changed { from, to } if from.describe() == to.describe() => {
                write!(formatter, "~ {}: default {} -> {}", to.name, default(from), default(to))
            }
            Self::Changed { from, to } => {
                write!(formatter, "~ {}: {} -> {}", to.name, from.describe(), to.describe())
            }
        }
    }
}
