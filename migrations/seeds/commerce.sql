-- Runs after every migration: idempotent. The heartbeat's row, so that the connector's first beat is already an update.
insert into heartbeat (id, beat_at) values (1, now()) on conflict (id) do nothing;
