-- What change data capture reads and writes here. The heartbeat keeps the slot moving in an idle database; the signal table
-- takes commands such as an incremental snapshot. Both must be in the publication, or neither works.
create table heartbeat (
    id integer primary key,
    beat_at timestamptz not null
);

create table debezium_signal (
    id text primary key,
    type text not null,
    data text
);

create publication sluice for table merchant, category, product, variant, heartbeat, debezium_signal;

grant usage on schema public to replication;
grant select on merchant, category, product, variant, heartbeat, debezium_signal to replication;
grant insert, update on heartbeat, debezium_signal to replication;

-- the search consumer reads whole aggregates with one query
grant usage on schema public to reader;
grant select on merchant, category, product, variant to reader;
