-- A merchant and its tax metadata. The address uses the two levels in force since 01/07/2025: province, then ward.
-- Captured tables have no column defaults at all: the converter turns NULL into a nullable column's default, and a function
-- default reaches the wire as zero. Statements therefore write every column, `version`, `created_at` and `updated_at` included.
create table merchant (
    id bigint primary key,
    name text not null check (name <> ''),
    industry text not null check (industry in ('RETAIL', 'FOOD_SERVICE', 'MIXED')),
    -- who pays the tax decides the invoice form and the books: an enterprise, a household business or an individual
    taxpayer text not null check (taxpayer in ('ENTERPRISE', 'HOUSEHOLD', 'INDIVIDUAL')),
    -- 10 or 13 digits with a check digit, or a personal ID of 12; null until the merchant has registered
    tax_code text check (tax_code ~ '^[0-9]{10}([0-9]{2,3})?$'),
    -- the name and address that the tax office has on file, as printed on invoices
    tax_name text,
    tax_address text,
    address_line text not null,
    province_code text check (province_code ~ '^[0-9]{2}$'),
    ward_code text check (ward_code ~ '^[0-9]{5}$'),
    phone text,
    email text,
    status text not null check (status in ('ACTIVE', 'SUSPENDED', 'ARCHIVED')),
    -- what a DELETE in this merchant does when the caller does not say: refuse while something depends on it, keep the row
    -- but take it out of use, or take what depends on it along
    deletion_policy text not null check (deletion_policy in ('RESTRICT', 'ARCHIVE', 'CASCADE')),
    created_by bigint not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    constraint merchant_ward_in_province check (ward_code is null or province_code is not null)
);

-- what an OWNER sees: its own, newest first (ids are time-ordered)
create index merchant_created_by_idx on merchant (created_by, id);
-- not unique: one taxpayer with several shops keeps one tax code
create index merchant_tax_code_idx on merchant (tax_code) where tax_code is not null;
