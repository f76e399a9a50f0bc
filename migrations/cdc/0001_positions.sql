-- What a consumer's target database remembers about changes, apart from the position that each target row carries itself.
-- docs/decisions/0001-positions.md gives the format.

create schema cdc;

-- Where a deleted entity stood when it was deleted, so that an older change cannot raise it from the dead.
-- Kept for at least as long as the topic is.
create table cdc.tombstone (
    target text not null,
    entity text not null,
    epoch integer not null,
    commit_lsn bigint not null,
    lsn bigint not null,
    deleted_at timestamptz not null default now(),
    primary key (target, entity)
);

create index tombstone_deleted_at on cdc.tombstone (deleted_at);

-- How far each partition was applied to this database, written in the transaction of the effect. A database restored
-- from an old backup stands behind the group's committed offsets, and is recognised by it.
create table cdc.frontier (
    consumer text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    fingerprint text not null,
    updated_at timestamptz not null default now(),
    primary key (consumer, topic, partition)
);
