-- A merchant's configuration of a provider (payment, invoice, delivery, ...). The credential is sealed: ciphertext, the id of
-- the key that sealed it (so that rotating the key re-seals instead of losing everything), and a hint that is safe to show.
create table integration (
    id bigint primary key,
    merchant_id bigint not null,
    provider_group text not null check (provider_group in ('PAYMENT', 'INVOICE', 'DELIVERY', 'MESSAGING', 'OTHER')),
    code text not null check (code <> ''),
    name text not null,
    status text not null check (status in ('ACTIVE', 'INACTIVE')),
    settings jsonb not null check (jsonb_typeof(settings) = 'object'),
    credential_sealed bytea not null,
    credential_key_id text not null,
    credential_hint text not null,
    -- when the credential itself was last entered: re-sealing does not move it
    credential_set_at timestamptz not null,
    created_by bigint not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    constraint integration_merchant_id_fkey foreign key (merchant_id) references merchant (id)
);

create unique index integration_code_key on integration (merchant_id, provider_group, code) where deleted_at is null;
create index integration_merchant_idx on integration (merchant_id, id);
-- what a rotation has still to re-seal
create index integration_key_idx on integration (credential_key_id, id);
