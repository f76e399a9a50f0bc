-- The control database of the consumer fleet. docs/decisions/0001-positions.md gives the formats.

-- A change that could not be applied, with its raw bytes: nothing is lost, and later changes of the same entity follow
-- it here, in order, until it is released.
create table parked_change (
    id bigint generated always as identity primary key,
    consumer text not null,
    -- null when the record has no key that could be decoded: it parks alone
    entity text,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    record_time timestamptz not null,
    record_key bytea,
    record_value bytea,
    -- [[name, base64 value], ...] in the record's order; names may repeat
    record_headers jsonb not null,
    -- undecodable | unknown-schema | refused | follows | skipped
    cause text not null,
    detail text not null,
    attempts integer not null,
    parked_at timestamptz not null default now(),
    unique (consumer, topic, partition, "offset")
);

create index parked_change_entity on parked_change (consumer, entity, id);

-- An operator never touches a worker: a command is a row, the owner of the partition executes it and writes the outcome.
create table command (
    id bigint generated always as identity primary key,
    consumer text not null,
    -- null: every partition of the consumer
    topic text,
    partition integer,
    -- pause | resume | release
    verb text not null,
    arguments jsonb not null,
    reason text not null,
    issued_by text not null default session_user,
    issued_at timestamptz not null default now(),
    finished_at timestamptz,
    finished_by text,
    outcome text
);

create index command_open on command (consumer, id) where finished_at is null;

create function announce_command() returns trigger language plpgsql as $$
begin
    perform pg_notify('command', new.consumer);
    return new;
end
$$;

create trigger announce_command after insert on command for each row execute function announce_command();

-- Partitions that an operator paused; survives rebalances and restarts.
create table paused_partition (
    consumer text not null,
    topic text not null,
    partition integer not null,
    reason text not null,
    paused_at timestamptz not null default now(),
    primary key (consumer, topic, partition)
);

-- Which partitions a consumer ever started. Only one that is not here may begin at the earliest record without a
-- committed offset; for any other a missing offset halts.
create table started_partition (
    consumer text not null,
    topic text not null,
    partition integer not null,
    started_at timestamptz not null default now(),
    primary key (consumer, topic, partition)
);

-- The epoch of a topic's records from an offset on. An operator adds a row when a source was restored and its LSN went
-- back; records from before keep theirs. No row means epoch 0.
create table epoch (
    topic text not null,
    partition integer not null,
    from_offset bigint not null,
    epoch integer not null,
    reason text not null,
    created_by text not null default session_user,
    created_at timestamptz not null default now(),
    primary key (topic, partition, from_offset)
);

-- Who runs what, and where it stands: one row per process and consumer, refreshed every few seconds.
create table worker (
    id text primary key,
    consumer text not null,
    host text not null,
    pid integer not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    -- [{topic, partition, state, reason, next_offset, end_offset, lag_records, lag_seconds}, ...]
    partitions jsonb not null
);

create index worker_consumer on worker (consumer, seen_at);

-- The positions of consumers whose target is not a Postgres database.
create schema cdc;

create table cdc.frontier (
    consumer text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    fingerprint text not null,
    updated_at timestamptz not null default now(),
    primary key (consumer, topic, partition)
);
