//! The name of every metric, in one place: dashboards and alerts are written against these.

/// HTTP requests answered; labels `service`, `method`, `route` (the template), `status`.
pub const HTTP_REQUESTS: &str = "http_requests_total";
/// How long requests took, in seconds; labels `service`, `method`, `route`.
pub const HTTP_DURATION: &str = "http_request_duration_seconds";
/// Requests being worked on; label `service`.
pub const HTTP_IN_FLIGHT: &str = "http_requests_in_flight";
/// Requests refused at once because too many were in flight; label `service`.
pub const HTTP_OVERLOAD: &str = "http_requests_overload_total";
/// Handlers that panicked; label `service`.
pub const HTTP_PANICS: &str = "http_handler_panics_total";
/// Requests answered by a stored answer; label `service`.
pub const IDEMPOTENCY_REPLAYS: &str = "idempotency_replays_total";
/// Idempotency keys deleted because they were old; label `service`.
pub const IDEMPOTENCY_SWEPT: &str = "idempotency_keys_swept_total";
/// Tokens refused; labels `service`, `reason`.
pub const TOKENS_REFUSED: &str = "tokens_refused_total";
/// Decisions of the policies; labels `service`, `source` (memory, redis), `effect` (allow, deny).
pub const POLICY_DECISIONS: &str = "policy_decisions_total";
/// The version of the policy bundle held; label `service`.
pub const POLICY_VERSION: &str = "policy_bundle_version";
/// Fetches of keys or of the bundle that failed; labels `service`, `what`.
pub const AUTHORITY_FAILURES: &str = "authority_failures_total";
/// Connections of a pool; labels `service`, `state` (idle, used).
pub const POSTGRES_CONNECTIONS: &str = "postgres_connections";
/// Redis operations that failed or were skipped because it is down; label `operation`.
pub const REDIS_FAILURES: &str = "redis_failures_total";
/// 1 while this process holds a snowflake replica number, else 0; label `service`.
pub const SNOWFLAKE_LEASED: &str = "snowflake_replica_leased";

/// Records read from Kafka; labels `consumer`, `topic`.
pub const CONSUMER_RECORDS: &str = "consumer_records_total";
/// What became of changes; labels `consumer`, `outcome` (applied, superseded, folded, skipped reasons).
pub const CONSUMER_OUTCOMES: &str = "consumer_outcomes_total";
/// Records parked; labels `consumer`, `cause`.
pub const CONSUMER_PARKED: &str = "consumer_parked_total";
/// Entities that have parked changes; label `consumer`.
pub const CONSUMER_PARKED_ENTITIES: &str = "consumer_parked_entities";
/// Attempts that met a transient fault; label `consumer`.
pub const CONSUMER_RETRIES: &str = "consumer_retries_total";
/// Partitions that stood still although the broker had more, and were made to take their place again; label `consumer`.
pub const CONSUMER_STALLS: &str = "consumer_stalls_total";
/// 1 while a partition is halted; labels `consumer`, `topic`, `partition`.
pub const CONSUMER_HALTED: &str = "consumer_halted";
/// Records between what is applied and the partition's end; labels `consumer`, `topic`, `partition`.
pub const CONSUMER_LAG_RECORDS: &str = "consumer_lag_records";
/// Age of the oldest record that is not applied, in seconds, 0 without one; labels `consumer`, `topic`, `partition`.
pub const CONSUMER_LAG_SECONDS: &str = "consumer_lag_seconds";
/// Records per fold; label `consumer`.
pub const CONSUMER_BATCH_RECORDS: &str = "consumer_batch_records";
/// How long one batch took to apply, in seconds; label `consumer`.
pub const CONSUMER_APPLY_SECONDS: &str = "consumer_apply_seconds";
/// From the source's commit to the effect, in seconds; label `consumer`.
pub const CONSUMER_COMMIT_TO_EFFECT_SECONDS: &str = "consumer_commit_to_effect_seconds";
/// Unchanged TOAST values met; label `consumer`.
pub const CONSUMER_UNCHANGED_FIELDS: &str = "consumer_unchanged_fields_total";

/// Bounds of the buckets of every histogram that ends in `_seconds`, in seconds.
pub const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Aggregates that a constraint refused and that were rolled back; label `constraint`.
pub const COMMERCE_AGGREGATE_ROLLBACKS: &str = "commerce_aggregate_rollbacks_total";
/// Sealed credentials that did not open; label `reason`.
pub const COMMERCE_CREDENTIAL_FAILURES: &str = "commerce_credential_failures_total";

// What `sluice observe` sees from outside. A gauge is NaN while the source of it cannot be asked, so that no rule compares
// with what is no longer known.

/// Questions of the observer that were not answered; labels `what` (connector, slot, schemas, fleet, positions,
/// configuration, target), `service` (or the consumer; empty where it is of all).
pub const OBSERVE_FAILURES: &str = "observe_failures_total";
/// When a question was answered last, in seconds since 1970, 0 before it ever was; labels `what`, `service`.
pub const OBSERVE_LAST_SUCCESS: &str = "observe_last_success_timestamp_seconds";
/// 1 while Connect says that the connector runs, else 0, also while Connect does not answer; label `connector`.
pub const CONNECTOR_RUNNING: &str = "connector_running";
/// 1 while Connect says that its tasks run, else 0; label `connector`.
pub const CONNECTOR_TASK_RUNNING: &str = "connector_task_running";
/// How long ago the last event that it noted was committed in its source, in seconds; heartbeats count. Label `connector`.
pub const CONNECTOR_EVENT_AGE: &str = "connector_last_event_age_seconds";
/// 1 while a connector reads from its slot, 0 when none does or there is no slot; label `connector`.
pub const SLOT_ACTIVE: &str = "slot_active";
/// Bytes of the source's log that the connector has not confirmed; label `connector`.
pub const SLOT_BEHIND_BYTES: &str = "slot_behind_bytes";
/// Bytes of the source's log that the slot keeps on disk; label `connector`.
pub const SLOT_RETAINED_BYTES: &str = "slot_retained_bytes";
/// Bytes that may still be written before the slot is in danger, infinite without a limit; label `connector`.
pub const SLOT_SAFE_WAL_BYTES: &str = "slot_safe_wal_bytes";
/// 1 when the slot has lost changes; label `connector`.
pub const SLOT_LOST: &str = "slot_lost";
/// Versions and subjects that the registry holds beyond the reviewed files.
pub const SCHEMA_DRIFT: &str = "schema_drift";
/// Partitions by what their owners say; labels `consumer`, `state` (locating, running, retrying, paused, halted).
pub const CONSUMER_PARTITIONS: &str = "consumer_partitions";
/// Records that lie parked in the control database; labels `consumer`, `cause`.
pub const CONSUMER_PARKED_RECORDS: &str = "consumer_parked_records";
/// Partitions whose committed offset is missing or not among what the topic holds, looked for where one is halted or nobody
/// runs any; label `consumer`.
pub const CONSUMER_OUT_OF_RANGE: &str = "consumer_offsets_out_of_range";
/// Rows of a target that are not what their source says, as the last comparison found; labels `consumer`, `kind`.
pub const RECONCILER_DIFFERENCES: &str = "reconciler_differences";
