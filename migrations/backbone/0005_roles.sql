-- Who may: `sluice_viewer` reads, and makes plans, which do nothing; `sluice_operator` carries them out. A person has a login of
-- their own that is a member of one of them. What they did is under their own name, which they cannot choose: the columns
-- that say who are not theirs to write.

grant usage on schema public, cdc to sluice_viewer;
grant select on all tables in schema public, cdc to sluice_viewer;
alter default privileges in schema public grant select on tables to sluice_viewer;
grant insert (token, consumer, verb, arguments, facts) on plan to sluice_viewer;

-- a plan is used, once
grant update (used_by, used_at) on plan to sluice_operator;
grant insert (consumer, topic, partition, verb, arguments, reason) on command to sluice_operator;
grant delete on parked_change to sluice_operator;
grant insert (id, consumer, entity, topic, partition, "offset", record_time, record_key, record_value, record_headers, cause,
              detail, attempts, parked_at, reason) on discarded_change to sluice_operator;
grant insert (token, consumer, ranges, report), update (ranges, report, state, updated_at) on replay to sluice_operator;
grant insert (alias, collection), update (collection, filled_to, fault, updated_at), delete on reindex to sluice_operator;
grant insert (topic, partition, from_offset, epoch, reason) on epoch to sluice_operator;
grant insert on audit to sluice_operator;

-- The fleet itself, and whoever may be it: a restored copy is written as it was.
create function owns_the_control(of oid) returns boolean language sql stable as $$
    select pg_has_role(session_user, (select relowner from pg_class where oid = of), 'member')
$$;

-- An entry of the audit says who wrote it, and the database says so too.
create function refuse_another_name() returns trigger language plpgsql as $$
begin
    if new.operator <> session_user and not owns_the_control(tg_relid) then
        raise exception 'the audit takes no entry of % from %', new.operator, session_user;
    end if;
    return new;
end
$$;

create trigger refuse_another_name before insert on audit for each row execute function refuse_another_name();

-- Used up by whoever uses it.
create function refuse_another_user() returns trigger language plpgsql as $$
begin
    if new.used_by is distinct from session_user::text and not owns_the_control(tg_relid) then
        raise exception 'a plan is used by % and not by %', session_user, new.used_by;
    end if;
    return new;
end
$$;

create trigger refuse_another_user before update on plan for each row execute function refuse_another_user();
