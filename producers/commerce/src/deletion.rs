//! Nothing is hard-deleted: what DELETE and restore answer, and why a DELETE is refused.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shell::{Id, Problem};
use utoipa::{IntoParams, ToSchema};

use crate::value::DeletionPolicy;

/// How to delete, for the query of a DELETE.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteParams {
    /// What to do when something depends on it; the merchant's own policy when absent.
    #[param(inline)]
    pub policy: Option<DeletionPolicy>,
}

/// What a DELETE did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Removed {
    /// `DELETED` or `ARCHIVED`.
    pub outcome: &'static str,
    /// How many rows that depended on it were deleted with it.
    pub cascaded: i64,
}

impl Removed {
    pub(crate) const ARCHIVED: Self = Self { outcome: "ARCHIVED", cascaded: 0 };

    pub(crate) const fn deleted(cascaded: i64) -> Self {
        Self { outcome: "DELETED", cascaded }
    }
}

/// Rows of one kind that depend on another row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Dependent {
    pub(crate) kind: &'static str,
    pub(crate) count: i64,
    /// A few of them.
    pub(crate) ids: Vec<Id>,
}

impl Dependent {
    /// From a count and a few ids, as the statements answer them.
    pub(crate) fn of(kind: &'static str, count: i64, ids: Vec<i64>) -> Self {
        Self { kind, count, ids: ids.into_iter().map(Id).collect() }
    }
}

/// 409 when anything depends on it, with what does.
pub(crate) fn refuse_in_use(what: &str, dependents: Vec<Dependent>) -> Result<(), Problem> {
    let dependents: Vec<_> = dependents.into_iter().filter(|dependent| dependent.count > 0).collect();
    if dependents.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = dependents.iter().map(|one| format!("{} {}", one.count, one.kind)).collect();
    let detail =
        format!("the {what} is in use: {}; delete or move them first, or choose another policy", list.join(", "));
    Err(Problem::conflict("IN_USE", detail).with("dependents", json!(dependents)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_refuses() {
        let none = Dependent::of("product", 0, vec![]);
        assert!(refuse_in_use("category", vec![none.clone()]).is_ok());
        let problem = refuse_in_use("category", vec![none, Dependent::of("category", 2, vec![7, 8])]).unwrap_err();
        assert_eq!((problem.status.as_u16(), problem.code.as_ref()), (409, "IN_USE"));
        assert_eq!(problem.members["dependents"], json!([{ "kind": "category", "count": 2, "ids": ["7", "8"] }]));
    }
}
