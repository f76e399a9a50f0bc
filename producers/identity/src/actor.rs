//! Who changes something in identity, by the database and not by the token alone.

use axum::http::StatusCode;
use shell::authority::Kind;
use shell::{Caller, Problem, Scope};
use sqlx::PgPool;

use crate::rank::Rank;
use crate::{service_account, user};

/// A caller that is about to change something. Its roles are those that its token names and that it still has: a token
/// lives a quarter of an hour, and an administrator that was put down a minute ago must not raise anybody.
#[derive(Debug, Clone, Copy)]
pub struct Actor {
    /// The user or service account.
    pub id: i64,
    /// The highest of its roles.
    pub rank: Rank,
}

impl Actor {
    /// Looks the caller up. One that was disabled or deleted since its token was issued answers 401.
    pub async fn of(pool: &PgPool, caller: &Caller) -> Result<Self, Problem> {
        let found = match caller.kind {
            Kind::User => user::store::find(pool, &Scope::All, caller.id).await?.map(|user| (user.status, user.roles)),
            Kind::Service => {
                service_account::store::find(pool, caller.id).await?.map(|account| (account.status, account.roles))
            }
        };
        let roles = found.filter(|(status, _)| status == "ACTIVE").map(|(_, roles)| roles);
        let mut roles = roles.ok_or_else(|| Problem::unauthenticated("TOKEN_REFUSED"))?;
        roles.retain(|role| caller.has_role(role));
        Ok(Self { id: caller.id, rank: Rank::highest(&roles) })
    }

    /// 403 unless the actor is an administrator.
    pub fn must_administer(&self) -> Result<(), Problem> {
        if self.rank.administers() { Ok(()) } else { Err(outranked("only administrators may do this")) }
    }

    /// 403 unless the actor ranks above whoever has these roles.
    pub fn must_manage(&self, roles: &[String]) -> Result<(), Problem> {
        let manages = self.rank.manages(Rank::highest(roles));
        if manages { Ok(()) } else { Err(outranked("you may manage only those who rank below you")) }
    }

    /// 403 unless the actor may give or take every role in which the two lists differ.
    pub fn must_grant(&self, before: &[String], after: &[String]) -> Result<(), Problem> {
        let given = after.iter().filter(|role| !before.contains(role));
        let taken = before.iter().filter(|role| !after.contains(role));
        match given.chain(taken).find(|role| !self.rank.grants(role)) {
            None => Ok(()),
            Some(role) => Err(outranked("you may give and take only roles below your own").with("role", role.as_str())),
        }
    }

    /// 403 when the actor is about to change its own roles, memberships or status.
    pub fn must_not_be(&self, id: i64) -> Result<(), Problem> {
        if self.id == id { Err(outranked("nobody changes its own roles, memberships or status")) } else { Ok(()) }
    }
}

fn outranked(detail: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "RANK", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(rank: Rank) -> Actor {
        Actor { id: 1, rank }
    }

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn taking_a_role_needs_as_much_as_giving_it() {
        let admin = actor(Rank::Admin);
        assert!(admin.must_grant(&roles(&["OWNER"]), &roles(&["EMPLOYEE"])).is_ok());
        assert!(admin.must_grant(&roles(&["ADMIN"]), &[]).is_err());
        assert!(admin.must_grant(&[], &roles(&["ADMIN"])).is_err());
    }

    #[test]
    fn a_role_that_stays_needs_nothing() {
        let owner = actor(Rank::Owner);
        assert!(owner.must_grant(&roles(&["WAREHOUSE"]), &roles(&["WAREHOUSE", "CASHIER"])).is_ok());
    }
}
