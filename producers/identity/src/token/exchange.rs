//! A service account exchanges its secret for an access token.

use shell::authority::Kind;
use time::OffsetDateTime;

use super::access::{self, Subject};
use super::{GrantError, Granted};
use crate::secret;
use crate::service_account::store::{self, Credentials};
use crate::state::Identity;

/// Grants an access token for the account's secret. Failures are not throttled: a secret of 256 random bits is not
/// guessed, and the callers are shells that exchange what their own callers sent, so counting failures by address or by
/// account would let anybody lock out a service.
pub async fn exchange(identity: &Identity, name: &str, secret: &str) -> Result<Granted, GrantError> {
    let credentials = store::credentials(&identity.pool, name).await?;
    let now = identity.clock.now();
    let genuine = is_genuine(credentials.as_ref(), secret, now);
    let Some(account) = credentials.filter(|_| genuine) else { return Err(GrantError::Refused) };
    let subject = Subject { id: account.id, kind: Kind::Service, roles: account.roles, merchants: Vec::new() };
    let signer = identity.keys.signer().await?;
    let access_token = access::issue(&signer, &subject, now, &*identity.random)?;
    Ok(Granted { access_token, refresh_token: None })
}

/// Both digests are compared whatever the first says, and with nothing where there is no account.
fn is_genuine(account: Option<&Credentials>, secret: &str, now: OffsetDateTime) -> bool {
    let current = account.map_or(&[0; 32][..], |account| &account.secret_hash);
    let previous = account
        .filter(|account| account.previous_secret_expires_at.is_some_and(|until| now < until))
        .and_then(|account| account.previous_secret_hash.as_deref())
        .unwrap_or(&[0; 32]);
    let matches = secret::matches(secret, current) | secret::matches(secret, previous);
    matches & account.is_some_and(|account| account.status == "ACTIVE")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 08:00 UTC);

    fn account() -> Credentials {
        Credentials {
            id: 1,
            secret_hash: secret::digest("new"),
            previous_secret_hash: Some(secret::digest("old")),
            previous_secret_expires_at: Some(NOW),
            status: "ACTIVE".into(),
            roles: Vec::new(),
        }
    }

    #[test]
    fn the_secret_is_genuine_and_the_one_before_until_it_expires() {
        let (account, before) = (account(), NOW - time::Duration::SECOND);
        assert!(is_genuine(Some(&account), "new", NOW));
        assert!(is_genuine(Some(&account), "old", before));
        assert!(!is_genuine(Some(&account), "old", NOW));
        assert!(!is_genuine(Some(&account), "other", before));
    }

    #[test]
    fn a_disabled_account_and_one_that_does_not_exist_have_no_secret() {
        let disabled = Credentials { status: "DISABLED".into(), ..account() };
        assert!(!is_genuine(Some(&disabled), "new", NOW));
        assert!(!is_genuine(None, "", NOW));
    }
}
