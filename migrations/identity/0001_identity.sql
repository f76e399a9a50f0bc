-- Who may do what: users, roles, policy definitions, service accounts, signing keys, refresh tokens.
--
-- Captured by change data capture are exactly `role` and `policy` (and the heartbeat and signal tables). A captured
-- table has no nullable column with a default: the converter would turn a null into that default.
-- Nothing is deleted: what is gone has `deleted_at`.

create table app_user (
    id            bigint primary key,
    -- As normalised by the service (trimmed, NFC, lower case): the unique index compares bytes.
    email         text not null check (email = lower(email) and length(email) between 3 and 254),
    name          text not null check (length(name) between 1 and 200),
    -- A PHC string (`$argon2id$v=19$...`). Never leaves the database but to be verified.
    password_hash text not null check (password_hash like '$argon2id$%'),
    status        text not null check (status in ('ACTIVE', 'DISABLED')),
    -- The first administrator, made by the command line, has created itself.
    created_by    bigint not null,
    version       bigint not null check (version > 0),
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    deleted_at    timestamptz
);
create unique index app_user_email on app_user (email) where deleted_at is null;
create index app_user_creator on app_user (created_by, id) where deleted_at is null;

create table role (
    id          bigint primary key,
    -- Names are referred to by tokens, policies and grants, so a name means the same role forever: making a role
    -- with the name of a deleted one brings that one back.
    name        text not null constraint role_name unique check (name ~ '^[A-Z][A-Z0-9_]{1,39}$'),
    description text not null check (length(description) <= 500),
    -- The five roles that the code knows. They cannot be deleted.
    built_in    boolean not null,
    version     bigint not null check (version > 0),
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    deleted_at  timestamptz
);

create table policy (
    id         bigint primary key,
    role       text not null constraint policy_role references role (name),
    service    text not null check (service ~ '^[a-z][a-z0-9-]{1,39}$'),
    resource   text not null check (resource = '*' or resource ~ '^[a-z][a-z0-9_-]{0,59}$'),
    action     text not null check (action = '*' or action ~ '^[a-z][a-z0-9_-]{0,59}$'),
    effect     text not null check (effect in ('allow', 'deny')),
    version    bigint not null check (version > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz
);
-- One answer per question: allow and deny of the same four words would hide one another.
create unique index policy_definition on policy (role, service, resource, action) where deleted_at is null;

-- The version of the policy bundle: one row, raised by every change of a policy or a role, whoever makes it (a
-- trigger, so that a statement typed into psql counts too). The row lock also puts concurrent changes in order: a
-- reader never sees version 8 without what version 7 brought.
create table policy_bundle (
    id         integer primary key check (id = 1),
    version    bigint not null,
    changed_at timestamptz not null
);
insert into policy_bundle (id, version, changed_at) values (1, 1, now());

create function raise_policy_bundle() returns trigger language plpgsql as $$
begin
    update policy_bundle set version = version + 1, changed_at = now() where id = 1;
    return null;
end
$$;
create trigger policy_raises_bundle after insert or update or delete on policy
    for each row execute function raise_policy_bundle();
create trigger role_raises_bundle after insert or update or delete on role
    for each row execute function raise_policy_bundle();

-- Grants are one row per pair: taken away sets deleted_at, given again clears it.
create table user_role (
    user_id    bigint not null references app_user (id),
    role       text not null references role (name),
    granted_by bigint not null,
    granted_at timestamptz not null,
    deleted_at timestamptz,
    primary key (user_id, role)
);
create index user_role_holders on user_role (role) where deleted_at is null;

-- A user works for a merchant. Merchants belong to commerce: the id is not a foreign key, and an id that commerce
-- does not know opens nothing.
create table membership (
    user_id     bigint not null references app_user (id),
    merchant_id bigint not null check (merchant_id > 0),
    granted_by  bigint not null,
    granted_at  timestamptz not null,
    deleted_at  timestamptz,
    primary key (user_id, merchant_id)
);
create index membership_merchant on membership (merchant_id) where deleted_at is null;

create table service_account (
    id                         bigint primary key,
    -- The BASIC user name. Unique forever: a log line that names an account names one account.
    name                       text not null constraint service_account_name unique
                               check (name ~ '^[a-z][a-z0-9-]{1,59}$'),
    description                text not null check (length(description) <= 500),
    -- SHA-256 of a secret of 256 random bits. A slow hash protects secrets that can be guessed; this one cannot, and
    -- it is checked on the request path of every shell.
    secret_hash                bytea not null check (length(secret_hash) = 32),
    -- After a rotation the old secret goes on until this moment, so that a rollout needs no outage.
    previous_secret_hash       bytea check (length(previous_secret_hash) = 32),
    previous_secret_expires_at timestamptz,
    status                     text not null check (status in ('ACTIVE', 'DISABLED')),
    created_by                 bigint not null,
    version                    bigint not null check (version > 0),
    created_at                 timestamptz not null,
    updated_at                 timestamptz not null,
    deleted_at                 timestamptz,
    check ((previous_secret_hash is null) = (previous_secret_expires_at is null))
);

create table service_account_role (
    service_account_id bigint not null references service_account (id),
    role               text not null references role (name),
    granted_by         bigint not null,
    granted_at         timestamptz not null,
    deleted_at         timestamptz,
    primary key (service_account_id, role)
);
create index service_account_role_holders on service_account_role (role) where deleted_at is null;

create table signing_key (
    id             bigint primary key,
    -- RFC 7638 thumbprint of the public key.
    kid            text not null constraint signing_key_kid unique,
    -- The point on P-256, base64url without padding, as a JWK has it.
    x              text not null check (length(x) = 43),
    y              text not null check (length(y) = 43),
    -- The private scalar under APP_ENV_APPLICATION_SECRET; associated data: signing_key, id, private_sealed.
    private_sealed bytea not null,
    created_at     timestamptz not null,
    -- Rotated: signs nothing any more, still verifies.
    retired_at     timestamptz,
    -- The last token that it signed has expired: leaves the JWKS.
    expires_at     timestamptz,
    check ((retired_at is null) = (expires_at is null)),
    check (expires_at > retired_at)
);
-- Exactly one key signs. Two replicas that rotate at the same moment meet here.
create unique index signing_key_active on signing_key ((true)) where retired_at is null;

create table refresh_token (
    id         bigint primary key,
    -- SHA-256 of a token of 256 random bits.
    token_hash bytea not null constraint refresh_token_hash unique check (length(token_hash) = 32),
    user_id    bigint not null references app_user (id),
    -- The id of the first token: of the sign-in. A used token that comes back revokes all of them.
    family_id  bigint not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    -- However often it is renewed, a sign-in ends here.
    family_expires_at timestamptz not null,
    used_at    timestamptz,
    revoked_at timestamptz,
    check (expires_at <= family_expires_at)
);
create index refresh_token_family on refresh_token (family_id) where revoked_at is null;
create index refresh_token_user on refresh_token (user_id) where revoked_at is null;
create index refresh_token_age on refresh_token (family_expires_at);

-- Failed sign-ins in the present window, by account and by address. `subject` is a hash: an address typed into the
-- wrong field, or the e-mail of somebody who has no account, is not kept in clear.
create table login_throttle (
    kind              text not null check (kind in ('ACCOUNT', 'ADDRESS')),
    subject           bytea not null check (length(subject) = 32),
    attempts          integer not null check (attempts >= 0),
    window_started_at timestamptz not null,
    primary key (kind, subject)
);
create index login_throttle_age on login_throttle (window_started_at);
