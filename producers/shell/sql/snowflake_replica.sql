-- Which process has which of the service's 64 snowflake replica numbers, and until when.
create table snowflake_replica (
    replica smallint primary key check (replica between 0 and 63),
    holder text not null,                -- names the process, for people
    leased_until timestamptz not null,
    used_until_ms bigint not null        -- no later holder makes an id at or before this millisecond
);
