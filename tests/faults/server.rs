//! The stack's own servers: killed, brought back, and told what no operator's command tells them.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

/// The checkout.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Kills one of the stack's servers (`kafka`, `connect`, ...) as the machine would.
pub(crate) async fn kill(name: &str) {
    let folder = std::env::var("SLUICE_STACK_DIR").expect("SLUICE_STACK_DIR names the stack: tests/faults/run sets it");
    let note = std::fs::read_to_string(root().join(folder).join("pids").join(name)).unwrap();
    let note: serde_json::Value = serde_json::from_str(&note).unwrap();
    let killed = Command::new("kill").args(["-9", &note["pid"].to_string()]).status().await.unwrap();
    assert!(killed.success(), "{name} did not run");
}

/// Starts what does not run, and waits until it answers.
pub(crate) async fn bring_back() {
    let mut start = Command::new(root().join("stack/run"));
    let started = start.arg("start").stdin(Stdio::null()).output().await.unwrap();
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stdout));
}
