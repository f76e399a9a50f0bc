//! The names of everything that is kept in Redis, so that who writes and who drops agree. Redis is a cache and a
//! fan-out: nothing here may be needed.

/// Grows with every change of roles and policies. `cache-invalidation` raises it; decisions of earlier generations are
/// never asked for again and expire.
pub const AUTHZ_GENERATION: &str = "authz:generation";

/// The channel on which a change of roles or policies is announced; the message is the new generation.
pub const AUTHZ_CHANNEL: &str = "authz";

/// One decision of the policies. `fingerprint` is a hash of the question.
#[must_use]
pub fn authz_decision(generation: i64, fingerprint: &str) -> String {
    format!("authz:{generation}:{fingerprint}")
}

/// The summary in the footer of one merchant's pages (commerce).
#[must_use]
pub fn merchant_footer(merchant: i64) -> String {
    format!("commerce:footer:{merchant}")
}

/// Every [`merchant_footer`], as a pattern of `SCAN`.
pub const MERCHANT_FOOTERS: &str = "commerce:footer:*";
