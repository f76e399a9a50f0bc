//! Who may manage whom: one rule for users, service accounts, roles and policy definitions.
//!
//! A policy definition decides which endpoint a caller may use; it can take away, but it cannot give more than these
//! rules: they are in the code because whoever can edit policies could otherwise give himself everything.
//!
//! - A caller manages only what ranks below it; `SUPER_ADMIN` also its equals.
//! - A caller grants only roles below its own rank; `SUPER_ADMIN` all. An `OWNER` grants `EMPLOYEE` and `CASHIER`.
//! - Nobody changes its own roles, memberships or status.

/// Every role there is in the code.
pub const BUILT_IN: [&str; 5] = [SUPER_ADMIN, ADMIN, OWNER, EMPLOYEE, CASHIER];
/// May do everything.
pub const SUPER_ADMIN: &str = "SUPER_ADMIN";
/// May do everything but manage its equals and those above.
pub const ADMIN: &str = "ADMIN";
/// Has merchants, and people who work for them.
pub const OWNER: &str = "OWNER";
/// Works for a merchant.
pub const EMPLOYEE: &str = "EMPLOYEE";
/// Works at a till of a merchant.
pub const CASHIER: &str = "CASHIER";

/// How far up a set of roles reaches. Roles that administrators made rank with `EMPLOYEE`, however their policies are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// No role, or one that works for somebody.
    Staff,
    /// `OWNER`.
    Owner,
    /// `ADMIN`.
    Admin,
    /// `SUPER_ADMIN`.
    SuperAdmin,
}

impl Rank {
    /// The rank of one role.
    #[must_use]
    pub fn of(role: &str) -> Self {
        match role {
            SUPER_ADMIN => Self::SuperAdmin,
            ADMIN => Self::Admin,
            OWNER => Self::Owner,
            _ => Self::Staff,
        }
    }

    /// The highest rank among the roles.
    #[must_use]
    pub fn highest<R: AsRef<str>>(roles: &[R]) -> Self {
        roles.iter().map(|role| Self::of(role.as_ref())).max().unwrap_or(Self::Staff)
    }

    /// Whether one of this rank may change, disable or delete one of the other.
    #[must_use]
    pub fn manages(self, other: Self) -> bool {
        self == Self::SuperAdmin || (self > other && self > Self::Staff)
    }

    /// Whether one of this rank may give or take the role.
    #[must_use]
    pub fn grants(self, role: &str) -> bool {
        match self {
            Self::SuperAdmin => true,
            Self::Admin => Self::of(role) < Self::Admin,
            Self::Owner => role == EMPLOYEE || role == CASHIER,
            Self::Staff => false,
        }
    }

    /// Whether one of this rank may edit roles, policy definitions, service accounts, memberships and signing keys.
    #[must_use]
    pub fn administers(self) -> bool {
        self >= Self::Admin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_counts() {
        assert_eq!(Rank::highest(&[CASHIER, ADMIN, OWNER]), Rank::Admin);
        assert_eq!(Rank::highest::<&str>(&[]), Rank::Staff);
        assert_eq!(Rank::of("WAREHOUSE"), Rank::Staff);
        assert_eq!(Rank::of("super_admin"), Rank::Staff, "names are compared as they are");
    }

    #[test]
    fn only_a_super_admin_grants_super_admin_or_admin() {
        for role in [SUPER_ADMIN, ADMIN] {
            assert!(Rank::SuperAdmin.grants(role));
            for rank in [Rank::Staff, Rank::Owner, Rank::Admin] {
                assert!(!rank.grants(role), "{rank:?} {role}");
            }
        }
    }

    #[test]
    fn an_owner_grants_what_works_for_it_and_nothing_that_administrators_invented() {
        assert!(Rank::Owner.grants(EMPLOYEE) && Rank::Owner.grants(CASHIER));
        assert!(!Rank::Owner.grants(OWNER) && !Rank::Owner.grants("WAREHOUSE"));
        assert!(Rank::Admin.grants("WAREHOUSE"));
    }

    #[test]
    fn everyone_manages_only_those_below_but_super_admins_each_other() {
        use Rank::{Admin, Owner, Staff, SuperAdmin};
        let ranks = [Staff, Owner, Admin, SuperAdmin];
        for actor in ranks {
            for target in ranks {
                let expected = actor == SuperAdmin || actor > target;
                assert_eq!(actor.manages(target), expected, "{actor:?} {target:?}");
            }
        }
    }

    #[test]
    fn nobody_can_make_somebody_that_it_does_not_manage() {
        for rank in [Rank::Staff, Rank::Owner, Rank::Admin, Rank::SuperAdmin] {
            for role in BUILT_IN {
                assert!(!rank.grants(role) || rank.manages(Rank::of(role)), "{rank:?} {role}");
            }
        }
    }
}
