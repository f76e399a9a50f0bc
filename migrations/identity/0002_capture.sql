-- What Debezium needs here: a heartbeat (an idle database would pin the replication slot and fill the disk), a table
-- of signals (snapshots on request), and a publication that names every captured table.

create table heartbeat (
    id integer primary key,
    beat_at timestamptz not null
);

create table debezium_signal (
    id text primary key,
    type text not null,
    data text
);

create publication sluice for table role, policy, heartbeat, debezium_signal;

-- The replication role reads what is captured, and nothing else: no user, no hash, no key.
grant usage on schema public to replication;
grant select on role, policy, heartbeat, debezium_signal to replication;
grant insert, update on heartbeat, debezium_signal to replication;
