//! `sluice` as a process of its own, with a group and databases of its own.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use platform::config::Environment;
use tokio::process::{Child, Command};

/// A running `sluice`; killed when dropped.
pub struct Process {
    child: Child,
    /// Where its lines go.
    pub log: PathBuf,
}

impl Process {
    /// Starts `sluice <arguments>` with the stack's environment and these variables on top. Its operations port is any
    /// free one.
    ///
    /// # Panics
    /// When the binary is not built.
    #[must_use]
    pub fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = std::env::temp_dir().join(bed::unique("sluice")).with_extension("log");
        let file = std::fs::File::create(&log).expect("a log file is made");
        let stack: Environment = bed::environment();
        let mut command = Command::new(binary());
        command.args(arguments).env_clear().envs(stack.pairs()).env("APP_ENV_OPS_PORT", "0");
        command.envs(variables.iter().copied());
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log file is shared"))
            .stderr(file)
            .kill_on_drop(true);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}; run cargo build", binary().display()));
        Self { child, log }
    }

    /// Runs it to its end; answers its exit code and what it wrote to its standard output.
    ///
    /// # Panics
    /// When the binary is not built.
    pub async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
        let mut command = Command::new(binary());
        command.args(arguments).env_clear().envs(bed::environment().pairs()).envs(variables.iter().copied());
        // where `schemas/` and `connectors/` are
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let done = command.stdin(Stdio::null()).output().await.expect("sluice is built: run cargo build");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        println!("sluice {}: {:?}\n{said}{}", arguments.join(" "), done.status, String::from_utf8_lossy(&done.stderr));
        (done.status.code().unwrap_or(-1), said)
    }

    /// Ends it with `kill -9`.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a child can be killed");
    }

    /// Its number.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends it a signal, such as `STOP`.
    ///
    /// # Panics
    /// When it has ended.
    pub async fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().await;
        assert!(sent.expect("kill is there").success(), "the process is gone");
    }

    /// Ends it with SIGTERM; answers its exit code and how long it took.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn terminate(mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.signal("TERM").await;
        let status = self.child.wait().await.expect("a child is waited for");
        (status.code(), began.elapsed())
    }

    /// What it wrote until now.
    #[must_use]
    pub fn lines(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::fs::remove_file(&self.log).ok();
        }
    }
}

/// The binary that `SLUICE_TEST_BINARY` names, else the one beside the test's own.
///
/// # Panics
/// When the test was not built by cargo.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("SLUICE_TEST_BINARY") {
        return named.into();
    }
    let test = std::env::current_exe().expect("a test has a path");
    test.ancestors().nth(2).expect("target/<profile>/deps/<test>").join("sluice")
}
