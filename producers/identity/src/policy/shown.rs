//! A policy definition as callers see it, and which ones are acceptable.

use platform::service::Service;
use serde::{Deserialize, Serialize};
use shell::{Answer, Checks, Id, Problem};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::store::{Definition, PolicyRow};
use crate::rank::{ADMIN, SUPER_ADMIN};

/// What a definition does.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effect {
    /// The role may.
    Allow,
    /// The role may not, and no other role of the caller helps.
    Deny,
}

impl Effect {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A policy definition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Policy {
    id: Id,
    role: String,
    service: String,
    /// A resource, or `*`.
    resource: String,
    /// An action, or `*`.
    action: String,
    /// `allow` or `deny`.
    effect: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<PolicyRow> for Policy {
    fn from(row: PolicyRow) -> Self {
        let PolicyRow { id, role, service, resource, action, effect, created_at, updated_at, .. } = row;
        Self { id: Id(id), role, service, resource, action, effect, created_at, updated_at }
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::not_found("policy definition")
}

pub(crate) fn exists() -> Problem {
    Problem::conflict(
        "POLICY_EXISTS",
        "there is a definition for this role, service, resource and action; change that one",
    )
}

pub(crate) fn answer(row: PolicyRow) -> Answer {
    let version = row.version;
    Answer::ok(&Policy::from(row)).etag(version)
}

/// Whether shells can decide by it, and nobody is locked out by it for good.
pub(crate) fn check(definition: &Definition) -> Result<(), Problem> {
    let governed = definition.role != SUPER_ADMIN && definition.role != ADMIN;
    let words = "must be * or up to 60 of a-z, 0-9, _ and -, beginning with a letter";
    Checks::new()
        .that(
            governed,
            "/role",
            "NOT_GOVERNED",
            "administrators are not governed by policies: they could not undo a mistake",
        )
        .that(Service::named(&definition.service).is_some(), "/service", "NO_SUCH_SERVICE", "there is no such service")
        .that(is_word(&definition.resource), "/resource", "RESOURCE", words)
        .that(is_word(&definition.action), "/action", "ACTION", words)
        .finish()
}

fn is_word(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    text == "*" || (first && rest && text.len() <= 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(role: &str, service: &str, resource: &str, action: &str) -> Vec<String> {
        let [role, service, resource, action] = [role, service, resource, action].map(str::to_owned);
        let checked = check(&Definition { role, service, resource, action, effect: "allow".into() });
        checked.err().into_iter().flat_map(|problem| problem.errors).map(|error| error.pointer).collect()
    }

    #[test]
    fn administrators_are_not_governed() {
        assert_eq!(refused("SUPER_ADMIN", "commerce", "*", "*"), ["/role"]);
        assert_eq!(refused("ADMIN", "commerce", "*", "*"), ["/role"]);
        assert!(refused("OWNER", "commerce", "tax-info", "*").is_empty());
    }

    #[test]
    fn words_and_services_are_checked_all_at_once() {
        assert_eq!(refused("CASHIER", "shop", "Product", ""), ["/service", "/resource", "/action"]);
        assert_eq!(refused("CASHIER", "*", "pro*", "re ad"), ["/service", "/resource", "/action"]);
    }
}
