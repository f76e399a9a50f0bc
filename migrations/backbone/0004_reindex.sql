-- A collection of the search engine that is filled beside the one that is searched. While its row is here, whoever writes
-- the searched one writes it too; the row is read under the lock of the products that are written.
create table reindex (
    -- what is searched by
    alias text primary key,
    collection text not null,
    -- every product up to this id was written to it once; null when none was
    filled_to bigint,
    -- why a write beside failed that went well where it is searched; such a collection does not take its place
    fault text,
    started_by text not null default session_user,
    started_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
