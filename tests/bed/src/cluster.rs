//! A Postgres of one test's own, to be stopped, crashed and started again.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rand::Rng as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::process::{Child, Command};

use crate::database;

/// For how long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a server is stopped: the modes of `pg_ctl stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Clients are sent away, what was committed is written.
    Fast,
    /// As in a crash: nothing is written any more, and the next start recovers from the log.
    Immediate,
}

/// A running Postgres, stopped and removed with this value.
// No Debug: it holds a password.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    user: Option<User>,
    port: u16,
    password: String,
    server: Option<Child>,
}

/// Who runs the server: Postgres refuses root.
#[derive(Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

impl Cluster {
    /// An empty cluster that answers.
    ///
    /// # Panics
    /// When Postgres is not installed or does not start.
    pub async fn start() -> Self {
        let folder = std::env::temp_dir().join(crate::unique("cluster"));
        let user = server_user();
        std::fs::create_dir(&folder).expect("a folder for the cluster is made");
        own(&folder, 0o700, user);
        let password = format!("{:032x}", rand::random::<u128>());
        let mut cluster = Self { folder, programs: programs(), user, port: free_port(), password, server: None };
        cluster.initialize().await;
        cluster.start_again().await;
        cluster
    }

    async fn initialize(&self) {
        let file = self.folder.join("first-password");
        std::fs::write(&file, &self.password).expect("the first password is written");
        own(&file, 0o600, self.user);
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(self.data()).arg("--pwfile").arg(&file);
        initdb.args(["-U", "postgres", "--auth=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        succeed(initdb).await;
    }

    /// A database with a service's tables, seeded; answers its URL, as the service's own role.
    ///
    /// # Panics
    /// When the cluster refuses.
    pub async fn database(&self, service: &str) -> String {
        let kind = migrations::Database::named(service).unwrap_or_else(|| panic!("no database is named {service}"));
        database::provision(&self.administrator()).await;
        let options = self.administrator().database(service).username(service).password(&database::password(service));
        database::fill(kind, &options).await;
        options.to_url_lossy().to_string()
    }

    /// Its port at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database, as the administrator.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.administrator().database(database).to_url_lossy().to_string()
    }

    fn administrator(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .password(&self.password)
            .database("postgres")
    }

    /// Stops it and waits until it is gone.
    ///
    /// # Panics
    /// When it does not stop.
    pub async fn stop(&mut self, how: Stop) {
        let Some(mut server) = self.server.take() else { return };
        let mode = match how {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        let mut stop = self.command("pg_ctl");
        stop.args(["stop", "-w", "-t", &PATIENCE.as_secs().to_string(), "-m", mode, "-D"]).arg(self.data());
        succeed(stop).await;
        server.wait().await.expect("a child is waited for");
    }

    /// Keeps a copy of its data, as a backup of the files: slots and log positions too. It must be stopped.
    ///
    /// # Panics
    /// When it runs, or the copy fails.
    pub async fn back_up(&self) {
        self.copy(&self.data(), &self.folder.join("backup")).await;
    }

    /// Goes back to the copy that [`Cluster::back_up`] kept. It must be stopped.
    ///
    /// # Panics
    /// When it runs, or there is no copy.
    pub async fn restore(&self) {
        self.copy(&self.folder.join("backup"), &self.data()).await;
    }

    async fn copy(&self, from: &Path, to: &Path) {
        assert!(self.server.is_none(), "the cluster runs");
        std::fs::remove_dir_all(to).ok();
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(from).arg(to);
        succeed(copy).await;
    }

    /// Starts it again, on the same data and port, and waits until it answers.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn start_again(&mut self) {
        assert!(self.server.is_none(), "the cluster runs");
        let log = std::fs::File::options().append(true).create(true).open(self.log()).expect("a log is opened");
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.data()).arg("-k").arg(&self.folder).args(["-p", &self.port.to_string()]);
        // it is the server that is killed here and never the machine, so nothing needs to reach the disk
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "wal_level=logical", "shared_buffers=32MB"] {
            postgres.args(["-c", setting]);
        }
        let logs = log.try_clone().expect("a log is shared");
        postgres.stdin(Stdio::null()).stdout(logs).stderr(log).kill_on_drop(true);
        self.server = Some(postgres.spawn().expect("postgres is started"));
        let answered = tokio::time::timeout(PATIENCE, self.wait_until_it_answers()).await.is_ok();
        assert!(answered, "postgres does not answer: {}", std::fs::read_to_string(self.log()).unwrap_or_default());
    }

    async fn wait_until_it_answers(&self) {
        loop {
            if let Ok(connection) = self.administrator().connect().await {
                connection.close().await.ok();
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // its user may not be allowed into the folder that we stand in
        command.current_dir("/").env("LC_ALL", "C.UTF-8");
        if let Some(User { id, group }) = self.user {
            command.uid(id).gid(group);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.server.is_some() {
            let mut stop = self.command("pg_ctl").into_std();
            stop.args(["stop", "-w", "-m", "immediate", "-D"]).arg(self.data());
            stop.stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

async fn succeed(mut command: Command) {
    let done = command.output().await.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = || format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {}", said());
}

fn own(path: &Path, mode: u32, user: Option<User>) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode is set");
    if let Some(User { id, group }) = user {
        chown(path, Some(id), Some(group)).expect("root gives its files away");
    }
}

/// The user that the distribution's package made, where we are root.
fn server_user() -> Option<User> {
    let us = std::fs::metadata("/proc/self").expect("a process has an owner").uid();
    let ask = |what: &str| {
        let asked = std::process::Command::new("id").args([what, "postgres"]).output().expect("id is there");
        let number = String::from_utf8_lossy(&asked.stdout).trim().parse();
        number.expect("root needs a user postgres to run Postgres: install the package postgresql")
    };
    (us == 0).then(|| User { id: ask("-u"), group: ask("-g") })
}

/// The folder of the newest Postgres here, found as `stack/servers/postgres.py` finds it.
fn programs() -> PathBuf {
    if let Some(given) = crate::environment().get("SLUICE_PG_BIN") {
        return given.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let installed = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        programs.join("initdb").is_file().then_some((version, programs))
    });
    if let Some((_, programs)) = installed.max() {
        return programs;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file());
    on_path.expect("Postgres is installed: run stack/doctor")
}

/// A port that the system gives to nobody by itself, so that it is still free when the server comes back.
fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(21_000..31_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
