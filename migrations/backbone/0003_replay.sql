-- A replay that was begun: how far it is, so that one that was killed goes on where it stopped.
create table replay (
    -- the plan's
    token text primary key references plan (token),
    consumer text not null,
    -- [{topic, partition, from, to}, ...], `from` moving towards `to`
    ranges jsonb not null,
    -- {read, chosen, outcomes, set_aside, named}
    report jsonb not null,
    -- running | done
    state text not null default 'running',
    started_by text not null default session_user,
    started_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
