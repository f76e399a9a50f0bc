//! Which rows a caller may see and change.

/// A restriction of rows, for the `where` of every statement that reads or changes a merchant's rows. In SQL:
///
/// ```sql
/// where ($1 or m.created_by = $2 or m.id = any($3))
/// ```
///
/// with `$1` = [`Scope::is_all`], `$2` = [`Scope::created_by`], `$3` = [`Scope::merchants`]. A row outside answers 404.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every row.
    All,
    /// Rows of merchants that this user created.
    CreatedBy(i64),
    /// Rows of these merchants.
    Merchants(Vec<i64>),
    /// Rows of merchants that this user created, and of these merchants: an owner who also works for others.
    Either(i64, Vec<i64>),
}

impl Scope {
    /// What the roles that allow an action give together.
    pub(super) fn of(allowing: &[String], id: i64, merchants: &[i64]) -> Self {
        let has = |names: &[&str]| allowing.iter().any(|role| names.contains(&role.as_str()));
        let owner = has(&["OWNER"]);
        // A role that identity defines beyond the known ones sees what an employee sees.
        let works = allowing.iter().any(|role| role != "OWNER");
        match (has(&["SUPER_ADMIN", "ADMIN"]), owner, works) {
            (true, _, _) => Self::All,
            (_, true, true) if !merchants.is_empty() => Self::Either(id, merchants.to_vec()),
            (_, true, _) => Self::CreatedBy(id),
            _ => Self::Merchants(merchants.to_vec()),
        }
    }

    /// Whether there is no restriction.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// Whose own rows are included; `None` compares with nothing in SQL.
    #[must_use]
    pub fn created_by(&self) -> Option<i64> {
        match self {
            Self::CreatedBy(id) | Self::Either(id, _) => Some(*id),
            Self::All | Self::Merchants(_) => None,
        }
    }

    /// The merchants whose rows are included.
    #[must_use]
    pub fn merchants(&self) -> &[i64] {
        match self {
            Self::Merchants(merchants) | Self::Either(_, merchants) => merchants,
            Self::All | Self::CreatedBy(_) => &[],
        }
    }

    /// Whether a merchant's rows are included, for a merchant that was read already.
    #[must_use]
    pub fn includes(&self, merchant: i64, created_by: i64) -> bool {
        self.is_all() || self.created_by() == Some(created_by) || self.merchants().contains(&merchant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(roles: &[&str], merchants: &[i64]) -> Scope {
        Scope::of(&roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>(), 7, merchants)
    }

    #[test]
    fn roles_give_the_rows_that_they_should() {
        assert_eq!(scope(&["ADMIN", "CASHIER"], &[1]), Scope::All);
        assert_eq!(scope(&["OWNER"], &[1]), Scope::CreatedBy(7));
        assert_eq!(scope(&["CASHIER"], &[1, 2]), Scope::Merchants(vec![1, 2]));
        assert_eq!(scope(&["OWNER", "CASHIER"], &[1]), Scope::Either(7, vec![1]));
        assert_eq!(scope(&["EMPLOYEE"], &[]), Scope::Merchants(Vec::new()));
    }

    #[test]
    fn a_scope_includes_only_its_rows() {
        assert!(scope(&["CASHIER"], &[1]).includes(1, 9) && !scope(&["CASHIER"], &[1]).includes(2, 7));
        assert!(scope(&["OWNER"], &[]).includes(1, 7) && !scope(&["OWNER"], &[1]).includes(1, 8));
        assert!(!scope(&["EMPLOYEE"], &[]).includes(0, 0));
    }
}
