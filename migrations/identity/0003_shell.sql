-- What the shell kit keeps in every database that it writes: as in producers/shell/sql, whose text this is.

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

-- Which process has which of the service's 64 snowflake replica numbers, and until when.
create table snowflake_replica (
    replica smallint primary key check (replica between 0 and 63),
    holder text not null,                -- names the process, for people
    leased_until timestamptz not null,
    used_until_ms bigint not null        -- no later holder makes an id at or before this millisecond
);
