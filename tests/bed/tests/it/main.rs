//! What the bed promises, on the stack's Postgres.

#[tokio::test]
async fn a_database_is_migrated_seeded_and_owned_by_its_service() {
    let database = bed::database("commerce").await;
    let (role, beats): (String, i64) =
        sqlx::query_as("select current_user::text, count(*) from heartbeat").fetch_one(&database.pool).await.unwrap();
    assert_eq!((role.as_str(), beats), ("commerce", 1));
    sqlx::query("create table own (id bigint)").execute(&database.pool).await.unwrap();
}

#[tokio::test]
async fn two_databases_share_nothing_and_are_gone_when_dropped() {
    let (one, two) = tokio::join!(bed::database("inventory"), bed::database("inventory"));
    assert_ne!(one.name, two.name);
    sqlx::query("create table mark (id bigint)").execute(&one.pool).await.unwrap();
    let seen: bool = sqlx::query_scalar("select to_regclass('mark') is not null").fetch_one(&two.pool).await.unwrap();
    assert!(!seen);
    let gone = one.name.clone();
    drop(one);
    let left: i64 = sqlx::query_scalar("select count(*) from pg_database where datname = $1")
        .bind(&gone)
        .fetch_one(&two.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn unique_names_differ_and_are_names() {
    let (one, two) = (bed::unique("group"), bed::unique("group"));
    assert_ne!(one, two);
    assert!(one.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'), "{one}");
}

/// What a server behind the gate says to a connection.
async fn said(gate: &bed::Gate) -> std::io::Result<String> {
    let mut stream = tokio::net::TcpStream::connect(gate.address()).await?;
    let mut line = [0; 5];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut line).await?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

#[tokio::test]
async fn a_closed_gate_resets_and_refuses_and_an_open_one_forwards_again() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut gate = bed::Gate::to(&server.local_addr().unwrap().to_string());
    let greeting = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = server.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"hello").await.unwrap();
            kept.push(stream);
        }
    });
    assert_eq!(said(&gate).await.unwrap(), "hello");
    let mut open = tokio::net::TcpStream::connect(gate.address()).await.unwrap();
    let mut line = [0; 5];
    tokio::io::AsyncReadExt::read_exact(&mut open, &mut line).await.unwrap();
    gate.close().await;
    let reset = tokio::io::AsyncReadExt::read(&mut open, &mut line).await.unwrap_err();
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(said(&gate).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    gate.open();
    assert_eq!(said(&gate).await.unwrap(), "hello");
    gate.slow(std::time::Duration::from_millis(300));
    let began = std::time::Instant::now();
    assert_eq!(said(&gate).await.unwrap(), "hello");
    assert!(began.elapsed() >= std::time::Duration::from_millis(300));
    greeting.abort();
}

#[tokio::test]
async fn a_cluster_keeps_what_was_committed_when_it_is_stopped_and_when_it_crashes() {
    let mut cluster = bed::Cluster::start().await;
    let url = cluster.database("commerce").await;
    for (how, kept) in [(bed::Stop::Fast, 1_i64), (bed::Stop::Immediate, 2)] {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
        sqlx::query("create table if not exists own (id bigint)").execute(&mut connection).await.unwrap();
        sqlx::query("insert into own values (1)").execute(&mut connection).await.unwrap();
        cluster.stop(how).await;
        assert!(sqlx::query("select 1").execute(&mut connection).await.is_err());
        cluster.start_again().await;
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
        let count: i64 = sqlx::query_scalar("select count(*) from own").fetch_one(&mut connection).await.unwrap();
        assert_eq!(count, kept);
    }
}
