//! Who may do what: each role its own database, Debezium exactly what it needs.

use std::collections::BTreeSet;

use migrations::DATABASES;
use sqlx::{ConnectOptions, Executor};

/// Every right that a role has on tables, as `privilege table`.
async fn rights_of(role: &str, service: &str) -> BTreeSet<String> {
    let database = bed::database(service).await;
    let mut administrator = database.as_administrator().connect().await.unwrap();
    sqlx::query_scalar(
        "select lower(privilege) || ' ' || c.relname from pg_class c
         join pg_namespace n on n.oid = c.relnamespace and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
         cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
         where c.relkind in ('r', 'p', 'v', 'm') and has_table_privilege($1, c.oid, privilege)",
    )
    .bind(role)
    .fetch_all(&mut administrator)
    .await
    .unwrap()
    .into_iter()
    .collect()
}

fn set(rights: &[&str]) -> BTreeSet<String> {
    rights.iter().map(|&right| right.to_owned()).collect()
}

#[tokio::test]
async fn replication_reads_captured_tables_and_writes_heartbeat_and_signals_and_nothing_else() {
    let own = [
        "select heartbeat",
        "insert heartbeat",
        "update heartbeat",
        "select debezium_signal",
        "insert debezium_signal",
        "update debezium_signal",
    ];
    for (service, tables) in [
        ("commerce", &["select merchant", "select category", "select product", "select variant"][..]),
        ("identity", &["select role", "select policy"][..]),
    ] {
        assert_eq!(rights_of("replication", service).await, set(&[&own[..], tables].concat()), "{service}");
    }
}

#[tokio::test]
async fn reader_reads_the_catalogue_and_nothing_else() {
    let expected = ["select merchant", "select category", "select product", "select variant"];
    assert_eq!(rights_of("reader", "commerce").await, set(&expected));
}

#[tokio::test]
async fn replication_may_replicate_and_no_role_may_more() {
    let database = bed::database("commerce").await;
    let roles: Vec<(String, bool, bool)> = sqlx::query_as(
        "select rolname::text, rolreplication, rolsuper or rolcreaterole or rolcreatedb or rolbypassrls from pg_roles
         where rolname in ('identity', 'commerce', 'sale', 'pricing', 'inventory', 'ledger', 'outreach', 'invoice',
                           'backbone', 'replication', 'reader')",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert_eq!(roles.len(), 11);
    for (role, replicates, powers) in roles {
        assert_eq!(replicates, role == "replication", "{role}");
        assert!(!powers, "{role}");
    }
}

#[tokio::test]
async fn a_service_cannot_connect_to_the_database_of_another() {
    // The real databases, made by `provision`; a right is asked for, so that no stack needs every one in use.
    let environment = bed::environment();
    let passwords = migrations::Passwords::read(&environment).unwrap();
    let admin = environment.get("APP_ENV_ADMIN_DB_URL").unwrap().parse().unwrap();
    migrations::provision(&admin, &passwords).await.unwrap();
    let mut administrator = admin.connect().await.unwrap();
    for database in DATABASES {
        let allowed: Vec<String> = sqlx::query_scalar(
            "select rolname::text from pg_roles where rolcanlogin and not rolsuper
             and has_database_privilege(rolname, $1, 'connect') order by rolname",
        )
        .bind(database.name)
        .fetch_all(&mut administrator)
        .await
        .unwrap();
        let guests = [("replication", database.captured), ("reader", database.read)];
        let guests = guests.iter().filter(|(_, invited)| *invited).map(|(role, _)| *role);
        let mut expected: Vec<_> = guests.chain([database.name]).collect();
        expected.sort_unstable();
        let house: Vec<_> = allowed.iter().map(String::as_str).filter(|role| is_of_the_house(role)).collect();
        assert_eq!(house, expected, "{}", database.name);
    }
}

fn is_of_the_house(role: &str) -> bool {
    matches!(role, "replication" | "reader") || migrations::Database::named(role).is_some()
}

#[tokio::test]
async fn a_refused_connection_is_refused_by_the_server() {
    let database = bed::database("commerce").await;
    let error = database.as_role("invoice").connect().await.unwrap_err();
    assert!(error.to_string().contains("permission denied for database"), "{error}");
}

#[tokio::test]
async fn replication_beats_and_signals_and_is_refused_elsewhere() {
    let database = bed::database("commerce").await;
    let mut replication = database.as_role("replication").connect().await.unwrap();
    let beat = "insert into public.heartbeat (id, beat_at) values (1, now())
                on conflict (id) do update set beat_at = excluded.beat_at";
    replication.execute(beat).await.unwrap();
    replication.execute("insert into public.debezium_signal (id, type, data) values ('1', 'log', '{}')").await.unwrap();
    for forbidden in [
        "delete from public.debezium_signal",
        "update public.merchant set name = 'x'",
        "select * from public.integration",
        "create table public.mine (id bigint)",
    ] {
        let error = replication.execute(forbidden).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{forbidden}: {error}");
    }
}

#[tokio::test]
async fn a_viewer_makes_plans_and_an_operator_carries_them_out_and_neither_does_more() {
    let viewer = rights_of(migrations::VIEWER, "backbone").await;
    assert!(viewer.iter().all(|right| right.starts_with("select ")), "{viewer:?}");
    assert!(viewer.contains("select parked_change") && viewer.contains("select frontier"));
    let operator: BTreeSet<String> =
        rights_of(migrations::OPERATOR, "backbone").await.difference(&viewer).cloned().collect();
    // what is written column by column is no right on the whole table
    assert_eq!(operator, set(&["delete parked_change", "delete reindex", "insert audit"]));
}

#[tokio::test]
async fn nobody_writes_under_another_name() {
    let database = bed::database("backbone").await;
    let mut person = database.as_member_of(migrations::OPERATOR).await.connect().await.unwrap();
    for (statement, refused) in [
        (
            "insert into command (consumer, verb, arguments, reason, issued_by) values ('c', 'pause', '{}', 'r', 'anna')",
            "permission denied for table command",
        ),
        (
            "insert into audit values (1, now(), 'anna', 'pause', 'before', 's', '{}', 'r', null, '', '')",
            "the audit takes no entry of anna",
        ),
        ("update audit set operator = 'anna'", "permission denied for table audit"),
        ("delete from audit", "permission denied for table audit"),
        ("update plan set arguments = '{}'", "permission denied for table plan"),
        ("delete from command", "permission denied for table command"),
        ("alter table audit disable trigger all", "must be owner of table audit"),
    ] {
        let error = person.execute(statement).await.unwrap_err().to_string();
        assert!(error.contains(refused), "{statement}: {error}");
    }
    person
        .execute("insert into plan (token, consumer, verb, arguments, facts) values ('t', 'c', 'v', '{}', '{}')")
        .await
        .unwrap();
    let stolen = person.execute("update plan set used_by = 'anna', used_at = now()").await.unwrap_err().to_string();
    assert!(stolen.contains("a plan is used by"), "{stolen}");
    person.execute("update plan set used_by = session_user, used_at = now()").await.unwrap();
}
