-- Runs after every migration: idempotent. What an administrator changed or deleted stays as it was left, since the row
-- with that id (or with those words) is there.

insert into heartbeat (id, beat_at) values (1, now()) on conflict (id) do nothing;

insert into role (id, name, description, built_in, version, created_at, updated_at)
select seed.id, seed.name, seed.description, true, 1, now(), now()
from (values
    (1, 'SUPER_ADMIN', 'May do everything, and is the only one to make administrators.'),
    (2, 'ADMIN', 'May do everything but manage administrators.'),
    (3, 'OWNER', 'Has merchants: may do everything with what it created, and makes accounts for its people.'),
    (4, 'EMPLOYEE', 'Works for merchants: may do what the policy definitions say.'),
    (5, 'CASHIER', 'Works at a till of merchants: may do what the policy definitions say.')
) as seed (id, name, description)
where not exists (select from role where role.id = seed.id)
on conflict do nothing;

-- SUPER_ADMIN and ADMIN need no definitions, OWNER none outside identity: shells know what they may.
insert into policy (id, role, service, resource, action, effect, version, created_at, updated_at)
select seed.id, seed.role, seed.service, seed.resource, seed.action, 'allow', 1, now(), now()
from (values
    (101, 'OWNER', 'identity', 'user', 'create'),
    (102, 'OWNER', 'identity', 'user', 'read'),
    (103, 'OWNER', 'identity', 'user', 'update'),
    (104, 'OWNER', 'identity', 'user', 'delete'),
    (105, 'OWNER', 'identity', 'user', 'grant-roles'),
    (106, 'OWNER', 'identity', 'role', 'read'),
    (111, 'OWNER', 'commerce', '*', '*'),
    (112, 'OWNER', 'inventory', '*', '*'),
    (113, 'OWNER', 'invoice', '*', '*'),

    (201, 'EMPLOYEE', 'commerce', 'merchant', 'read'),
    (202, 'EMPLOYEE', 'commerce', 'category', '*'),
    (203, 'EMPLOYEE', 'commerce', 'product', '*'),
    (204, 'EMPLOYEE', 'commerce', 'media', '*'),
    (205, 'EMPLOYEE', 'inventory', 'location', 'read'),
    (206, 'EMPLOYEE', 'inventory', 'level', 'read'),
    (207, 'EMPLOYEE', 'invoice', 'tax-info', 'read'),
    (208, 'EMPLOYEE', 'commerce', 'administrative-unit', 'read'),

    (301, 'CASHIER', 'commerce', 'merchant', 'read'),
    (302, 'CASHIER', 'commerce', 'category', 'read'),
    (303, 'CASHIER', 'commerce', 'product', 'read'),
    (304, 'CASHIER', 'commerce', 'media', 'read'),
    (305, 'CASHIER', 'inventory', 'location', 'read'),
    (306, 'CASHIER', 'inventory', 'level', 'read'),
    (307, 'CASHIER', 'invoice', 'tax-info', 'read'),
    (308, 'CASHIER', 'commerce', 'administrative-unit', 'read')
) as seed (id, role, service, resource, action)
where not exists (select from policy where policy.id = seed.id)
on conflict do nothing;
