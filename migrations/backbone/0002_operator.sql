-- What operators plan, do, and leave behind.

-- A plan is made before anything is done, says what was true when it was made, and is used once at most.
create table plan (
    token text primary key,
    consumer text not null,
    verb text not null,
    arguments jsonb not null,
    -- what the plan rests on; a plan whose facts have changed is void
    facts jsonb not null,
    made_by text not null default session_user,
    made_at timestamptz not null default now(),
    used_by text,
    used_at timestamptz
);

-- What an operator discarded, with its bytes: parked_change as it was, and who took it away and why.
create table discarded_change (
    id bigint primary key,
    consumer text not null,
    entity text,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    record_time timestamptz not null,
    record_key bytea,
    record_value bytea,
    record_headers jsonb not null,
    cause text not null,
    detail text not null,
    attempts integer not null,
    parked_at timestamptz not null,
    reason text not null,
    discarded_by text not null default session_user,
    discarded_at timestamptz not null default now()
);

-- What operators did. Each entry's mac covers the entry and the mac of the one before, under a key that the database
-- does not have, so that an entry that is edited, removed, moved or cut off is found by `sluice audit verify`.
create table audit (
    id bigint primary key,
    at timestamptz not null,
    operator text not null,
    action text not null,
    -- before | after
    phase text not null,
    subject text not null,
    -- JSON as it was written: the mac covers its bytes
    detail text not null,
    reason text not null,
    ticket text,
    previous_mac bytea not null,
    mac bytea not null
);

create function refuse_change_of_audit() returns trigger language plpgsql as $$
begin
    raise exception 'an entry of the audit is never changed';
end
$$;

create trigger refuse_change_of_audit before update or delete on audit
    for each row execute function refuse_change_of_audit();
create trigger refuse_truncate_of_audit before truncate on audit
    for each statement execute function refuse_change_of_audit();
