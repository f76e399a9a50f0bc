-- Categories, and products with their variants and prices. (merchant_id, id) is unique everywhere so that a foreign key can
-- carry the merchant along: a row can never point into another merchant's catalogue, whatever a statement forgets.
create table category (
    id bigint primary key,
    merchant_id bigint not null,
    parent_id bigint,
    name text not null check (name <> ''),
    slug text not null check (slug <> ''),
    position integer not null,
    created_by bigint not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    constraint category_of_merchant unique (merchant_id, id),
    constraint category_merchant_id_fkey foreign key (merchant_id) references merchant (id),
    constraint category_parent_id_fkey foreign key (merchant_id, parent_id) references category (merchant_id, id),
    constraint category_not_its_own_parent check (parent_id <> id)
);

-- a deleted row never blocks a name
create unique index category_slug_key on category (merchant_id, slug) where deleted_at is null;
create index category_parent_idx on category (merchant_id, parent_id, position) where deleted_at is null;

create table media (
    id bigint primary key,
    merchant_id bigint not null,
    object_key text not null,
    file_name text not null,
    -- what the bytes say, not what the caller or the file name said
    content_type text not null check (content_type in ('image/jpeg', 'image/png', 'image/webp', 'image/gif')),
    size bigint not null check (size > 0),
    sha256 bytea not null check (length(sha256) = 32),
    created_by bigint not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    constraint media_of_merchant unique (merchant_id, id),
    constraint media_object_key_key unique (object_key),
    constraint media_merchant_id_fkey foreign key (merchant_id) references merchant (id)
);

create table product (
    id bigint primary key,
    merchant_id bigint not null,
    category_id bigint,
    image_id bigint,
    kind text not null check (kind in ('RETAIL', 'MENU_ITEM')),
    name text not null check (name <> ''),
    slug text not null check (slug <> ''),
    description text not null,
    status text not null check (status in ('DRAFT', 'ACTIVE', 'ARCHIVED')),
    -- household sales invoices are encouraged to carry the industry group (Decree 254/2026, art. 10.5)
    industry_group text not null check (industry_group in ('GOODS', 'PRODUCTION_TRANSPORT_FOOD', 'SERVICES', 'ASSET_LEASING', 'DIGITAL', 'OTHER')),
    -- a class, never a rate: rates change by date (8 % ends on 31/12/2026) and are resolved by pricing
    vat_class text not null check (vat_class in ('STANDARD', 'REDUCIBLE', 'REDUCED_5', 'ZERO', 'NOT_SUBJECT', 'NOT_DECLARED')),
    created_by bigint not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    constraint product_of_merchant unique (merchant_id, id),
    constraint product_merchant_id_fkey foreign key (merchant_id) references merchant (id),
    constraint product_category_id_fkey foreign key (merchant_id, category_id) references category (merchant_id, id),
    constraint product_image_id_fkey foreign key (merchant_id, image_id) references media (merchant_id, id)
);

create unique index product_slug_key on product (merchant_id, slug) where deleted_at is null;
create index product_category_idx on product (merchant_id, category_id, id) where deleted_at is null;
create index product_name_idx on product (merchant_id, name, id) where deleted_at is null;
create index product_image_idx on product (merchant_id, image_id) where image_id is not null;

create table variant (
    id bigint primary key,
    product_id bigint not null,
    merchant_id bigint not null,
    sku text not null check (sku <> ''),
    barcode text,
    name text not null,
    unit text not null,
    -- whole dong, tax included as displayed; within what a JSON number holds exactly
    price bigint not null check (price between 0 and 9007199254740991),
    cost bigint check (cost between 0 and 9007199254740991),
    attributes jsonb not null check (jsonb_typeof(attributes) = 'object'),
    is_default boolean not null,
    position integer not null,
    created_by bigint not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    constraint variant_product_id_fkey foreign key (merchant_id, product_id) references product (merchant_id, id)
);

create unique index variant_sku_key on variant (merchant_id, sku) where deleted_at is null;
create unique index variant_barcode_key on variant (merchant_id, barcode) where deleted_at is null and barcode is not null;
create unique index variant_default_key on variant (product_id) where is_default and deleted_at is null;
create index variant_product_idx on variant (product_id, position);

-- What a variant cost the buyer, and since when: insert-only, one row whenever the amount changes. `variant.price` is the
-- latest of them, kept there so that one row answers and one change carries it.
create table price (
    variant_id bigint not null,
    -- the version of the product whose write set this price
    product_version bigint not null,
    merchant_id bigint not null,
    amount bigint not null check (amount between 0 and 9007199254740991),
    cost bigint check (cost between 0 and 9007199254740991),
    set_by bigint not null,
    set_at timestamptz not null,
    primary key (variant_id, product_version),
    constraint price_variant_id_fkey foreign key (variant_id) references variant (id)
);
