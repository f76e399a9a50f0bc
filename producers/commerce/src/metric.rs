//! The names of this service's own metrics.

/// Aggregates that a constraint refused and that were rolled back; label `constraint`.
pub const AGGREGATE_ROLLBACKS: &str = "commerce_aggregate_rollbacks_total";
/// Sealed credentials that did not open; label `reason`.
pub const CREDENTIAL_FAILURES: &str = "commerce_credential_failures_total";
