//! Running again changes nothing.

use migrations::{DATABASES, Database, Passwords};
use sqlx::postgres::PgConnectOptions;

#[tokio::test]
async fn migrating_again_applies_nothing_and_seeding_again_changes_nothing() {
    for kind in DATABASES {
        let database = bed::database(kind.name).await;
        let url: PgConnectOptions = database.url.parse().unwrap();
        let again = migrations::migrate(kind, &url).await.unwrap();
        assert_eq!(again.now, 0, "{}", kind.name);
        migrations::seed(kind, &url).await.unwrap();
    }
}

#[tokio::test]
async fn two_processes_that_migrate_at_once_apply_each_migration_once() {
    let empty = bed::database("sale").await; // has no migrations of its own: stands in for an empty database
    let kind = Database::named("inventory").unwrap();
    let url = empty.as_administrator();
    let (one, two) = tokio::join!(migrations::migrate(kind, &url), migrations::migrate(kind, &url));
    let (one, two) = (one.unwrap(), two.unwrap());
    let total: i64 = sqlx::query_scalar(
        "select (select count(*) from public._sqlx_migrations) + (select count(*) from public._sqlx_migrations_cdc)",
    )
    .fetch_one(&mut sqlx::ConnectOptions::connect(&url).await.unwrap())
    .await
    .unwrap();
    assert!(total >= 2);
    let last = i64::try_from(one.before + one.now).unwrap().max(i64::try_from(two.before + two.now).unwrap());
    assert_eq!(last, total);
}

#[tokio::test]
async fn provisioning_again_makes_nothing_and_keeps_the_passwords_working() {
    let environment = bed::environment();
    let admin: PgConnectOptions = environment.get("APP_ENV_ADMIN_DB_URL").unwrap().parse().unwrap();
    let passwords = Passwords::read(&environment).unwrap();
    migrations::provision(&admin, &passwords).await.unwrap();
    let (one, two) = tokio::join!(migrations::provision(&admin, &passwords), migrations::provision(&admin, &passwords));
    assert_eq!((one.unwrap(), two.unwrap()), (Vec::new(), Vec::new()));
    let database = bed::database("commerce").await;
    sqlx::query("select 1").execute(&database.pool).await.unwrap();
}
