//! The policies in memory: casbin, filled from the bundle and from what is fixed for the roles.

use casbin::function_map::OperatorFunction;
use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use platform::service::{SERVICES, Service};

use super::Bundle;

/// The casbin model that a bundle carries. `holds` says whether the caller's roles, between commas, contain the rule's.
pub const MODEL: &str = "\
[request_definition]
r = roles, service, resource, action

[policy_definition]
p = role, service, resource, action, eft

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = holds(r.roles, p.role) && (p.service == \"*\" || p.service == r.service) && (p.resource == \"*\" || p.resource == r.resource) && (p.action == \"*\" || p.action == r.action)
";

/// A bundle that decides.
///
/// Beside the bundle's rules these are fixed: `SUPER_ADMIN` and `ADMIN` may do everything; `OWNER` may do everything with
/// what it created in every service but identity, whose rows are nobody's own. Whatever a rule of the bundle denies
/// stays denied.
pub struct Policies {
    /// The bundle's version.
    pub version: i64,
    /// When the bundle was signed, Unix seconds.
    pub issued_at: i64,
    /// What they were made of, as one number.
    pub(super) edition: [u8; 32],
    enforcer: Enforcer,
}

impl Policies {
    /// # Errors
    /// A sentence, when the bundle's model or rules cannot be used.
    pub async fn of(bundle: &Bundle) -> Result<Self, String> {
        let build = async {
            let model = DefaultModel::from_str(&bundle.model).await?;
            let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await?;
            enforcer.add_function(
                "holds",
                OperatorFunction::Arg2(|roles, role| {
                    let roles = roles.into_string().unwrap_or_default();
                    let role = role.into_string().unwrap_or_default();
                    roles.split(',').any(|one| !one.is_empty() && one == role).into()
                }),
            );
            enforcer.add_policies(rules(bundle)).await?;
            Ok::<_, casbin::Error>(enforcer)
        };
        let enforcer = build.await.map_err(|error| error.to_string())?;
        Ok(Self { version: bundle.version, issued_at: bundle.issued_at, edition: bundle.edition(), enforcer })
    }

    /// Whether this bundle is to take their place: a later version, or, when identity's database was restored from a
    /// backup, another one that was signed later. An old bundle that somebody kept is neither.
    pub(super) fn give_way_to(&self, bundle: &Bundle) -> bool {
        bundle.version > self.version || (bundle.issued_at > self.issued_at && bundle.edition() != self.edition)
    }

    /// Which of these roles allow it; none when any of them is denied it, or none is allowed it. Answers an error
    /// sentence when the model does not evaluate; then nothing is allowed.
    ///
    /// # Errors
    /// The sentence.
    pub fn allowing(
        &self,
        roles: &[String],
        service: &str,
        resource: &str,
        action: &str,
    ) -> Result<Vec<String>, String> {
        let ask = |roles: String| {
            self.enforcer.enforce((roles, service, resource, action)).map_err(|error| error.to_string())
        };
        // All roles together first: a deny of one is a deny for all.
        if roles.is_empty() || !ask(format!(",{},", roles.join(",")))? {
            return Ok(Vec::new());
        }
        let mut allowing = Vec::new();
        for role in roles {
            if ask(format!(",{role},"))? {
                allowing.push(role.clone());
            }
        }
        Ok(allowing)
    }
}

fn rules(bundle: &Bundle) -> Vec<Vec<String>> {
    let texts = |parts: [&str; 5]| parts.map(str::to_owned).to_vec();
    let mut rules: Vec<_> = bundle
        .rules
        .iter()
        .map(|rule| texts([&rule.role, &rule.service, &rule.resource, &rule.action, &rule.effect]))
        .collect();
    rules.extend(["SUPER_ADMIN", "ADMIN"].map(|role| texts([role, "*", "*", "*", "allow"])));
    let own = SERVICES.iter().filter(|service| **service != Service::IDENTITY);
    rules.extend(own.map(|service| texts(["OWNER", service.name, "*", "*", "allow"])));
    rules.sort();
    rules.dedup();
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Rule;

    fn rule(role: &str, resource: &str, action: &str, effect: &str) -> Rule {
        let [role, resource, action, effect] = [role, resource, action, effect].map(str::to_owned);
        Rule { role, service: "commerce".to_owned(), resource, action, effect }
    }

    async fn policies(rules: Vec<Rule>) -> Policies {
        Policies::of(&Bundle { version: 1, issued_at: 0, model: MODEL.to_owned(), rules }).await.unwrap()
    }

    fn allowing(policies: &Policies, roles: &[&str], resource: &str, action: &str) -> Vec<String> {
        let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
        policies.allowing(&roles, "commerce", resource, action).unwrap()
    }

    #[tokio::test]
    async fn nothing_is_allowed_by_default_and_administrators_and_owners_may_do_all() {
        let policies = policies(Vec::new()).await;
        for role in ["SUPER_ADMIN", "ADMIN", "OWNER"] {
            assert_eq!(allowing(&policies, &[role], "product", "delete"), [role]);
        }
        for roles in [&["CASHIER"][..], &["EMPLOYEE"], &["ADMI"], &["N"], &[""], &[]] {
            assert!(allowing(&policies, roles, "product", "read").is_empty(), "{roles:?}");
        }
        assert!(policies.allowing(&["OWNER".into()], "identity", "user", "create").unwrap().is_empty());
    }

    #[tokio::test]
    async fn definitions_allow_employees_exactly_what_they_say() {
        let policies =
            policies(vec![rule("CASHIER", "product", "read", "allow"), rule("EMPLOYEE", "*", "*", "allow")]).await;
        assert_eq!(allowing(&policies, &["CASHIER"], "product", "read"), ["CASHIER"]);
        assert!(allowing(&policies, &["CASHIER"], "product", "update").is_empty());
        assert_eq!(allowing(&policies, &["CASHIER", "EMPLOYEE"], "category", "update"), ["EMPLOYEE"]);
        assert!(policies.allowing(&["CASHIER".into()], "invoice", "product", "read").unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_deny_wins_over_every_allow_of_any_role() {
        let policies = policies(vec![rule("CASHIER", "product", "delete", "deny")]).await;
        assert!(allowing(&policies, &["ADMIN", "CASHIER"], "product", "delete").is_empty());
        assert_eq!(allowing(&policies, &["ADMIN", "CASHIER"], "product", "read"), ["ADMIN"]);
    }

    #[tokio::test]
    async fn a_model_that_is_none_is_refused() {
        let bundle = Bundle { version: 1, issued_at: 0, model: "nonsense".to_owned(), rules: Vec::new() };
        assert!(Policies::of(&bundle).await.is_err());
    }
}
