-- Where stock lies and how much of it. The inventory-defaults consumer makes a merchant's default location (from whichever
-- of the merchant and its first variant comes first) and a zero level for each variant there.
create table location (
    id bigint primary key,
    merchant_id bigint not null,
    name text not null,
    is_default boolean not null,
    -- who created the merchant: an OWNER sees what it created; null until the merchant itself has been seen
    created_by bigint,
    version bigint not null check (version > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    cdc_epoch integer not null,
    cdc_commit_lsn bigint not null,
    cdc_lsn bigint not null,
    constraint location_of_merchant unique (merchant_id, id)
);

-- exactly one default, deleted or not: a merchant that comes back finds the location it had
create unique index location_default_key on location (merchant_id) where is_default;
create index location_created_by_idx on location (created_by, merchant_id);

create table stock_level (
    location_id bigint not null,
    variant_id bigint not null,
    merchant_id bigint not null,
    product_id bigint not null,
    -- fractional because goods are sold by weight; may go below zero, since a shortage is recorded and never lost
    quantity numeric(18, 4) not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    cdc_epoch integer not null,
    cdc_commit_lsn bigint not null,
    cdc_lsn bigint not null,
    primary key (location_id, variant_id),
    constraint stock_level_location_id_fkey foreign key (merchant_id, location_id) references location (merchant_id, id)
);

create index stock_level_variant_idx on stock_level (variant_id);
create index stock_level_merchant_idx on stock_level (merchant_id, variant_id);
