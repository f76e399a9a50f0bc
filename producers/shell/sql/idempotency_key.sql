-- Answers to requests that carried an Idempotency-Key. A row commits with the effect that it answers for.
create table idempotency_key (
    scope bytea primary key,             -- SHA-256 of caller, method, route and key
    fingerprint bytea not null,          -- SHA-256 of the path and the canonical body
    status smallint not null,
    location text,
    etag text,
    body bytea not null,                 -- the answer's body, byte for byte; empty for none
    created_at timestamptz not null default now()
);
create index idempotency_key_created_at on idempotency_key (created_at);
