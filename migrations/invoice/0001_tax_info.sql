-- What invoices print about a seller, kept by the merchant-tax consumer from commerce's merchants. No row here is written by
-- the API. `cdc_*` is the position of the change that wrote the row: an older change never overwrites a newer one.
create table tax_info (
    merchant_id bigint primary key,
    name text not null,
    taxpayer text not null,
    tax_code text,
    tax_name text,
    tax_address text,
    address_line text not null,
    province_code text,
    ward_code text,
    email text,
    phone text,
    -- who created the merchant: an OWNER sees what it created
    created_by bigint not null,
    updated_at timestamptz not null,
    cdc_epoch integer not null,
    cdc_commit_lsn bigint not null,
    cdc_lsn bigint not null
);

create index tax_info_created_by_idx on tax_info (created_by, merchant_id);
create index tax_info_tax_code_idx on tax_info (tax_code);
