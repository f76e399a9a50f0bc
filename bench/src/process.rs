//! What a process costs, as the kernel counts it; and the processes that are measured.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// `USER_HZ`: 100 on every Linux that Sluice runs on (man 5 proc, `/proc/pid/stat`).
const TICK: Duration = Duration::from_millis(10);

/// User and system time of a process so far.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has ended; see its log")?;
    let fields = stat.rsplit_once(')').context("a stat line without a name")?.1;
    let ticks = |n: usize| -> anyhow::Result<u32> {
        Ok(fields.split_whitespace().nth(n).context("a stat line that is too short")?.parse()?)
    };
    // utime and stime are fields 14 and 15; what follows the name begins at 3
    Ok(TICK * (ticks(11)? + ticks(12)?))
}

/// A figure of `/proc/<pid>/<file>`, in MB (2^20 bytes): `VmHWM` and `VmRSS` of status, `Pss` of `smaps_rollup`.
pub(crate) fn megabytes(pid: u32, file: &str, name: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let line = text.lines().find(|line| line.starts_with(&format!("{name}:"))).context("no such figure")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("a figure without a value")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// Lets the peak begin anew: `5` resets `VmHWM` (man 5 proc, `clear_refs`).
pub(crate) fn forget_peak(pid: u32) {
    // a kernel that refuses leaves the peak of the whole life, which is a peak too
    let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// How willingly a process gives way to others (its nice value).
pub(crate) fn niceness(pid: u32) -> anyhow::Result<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').context("a stat line without a name")?.1;
    Ok(fields.split_whitespace().nth(16).context("a stat line that is too short")?.parse()?)
}

/// Gives every thread of a process this nice value, so that two that are compared get the same share of a busy machine.
pub(crate) fn set_niceness(pid: u32, nice: i32) -> anyhow::Result<()> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"))?
        .filter_map(|thread| thread.ok()?.file_name().into_string().ok());
    // a thread that has ended meanwhile is none to complain of
    Command::new("renice")
        .args(["-n", &nice.to_string(), "-p"])
        .args(threads)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(())
}

/// A process that is measured, running.
pub(crate) struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts a command; what it says goes to `bench-<name>.log`, beside the logs of the stack.
    pub(crate) fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let log = std::fs::File::create(log(name))?;
        let child = command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log).spawn()?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// Starts the bench's own consumer.
    pub(crate) fn consumer(topic: &str, group: &str, target: &str, control: &str) -> anyhow::Result<Self> {
        Self::consumer_with(&[], topic, group, target, control)
    }

    /// Starts the bench's own consumer with more options.
    pub(crate) fn consumer_with(
        options: &[&str],
        topic: &str,
        group: &str,
        target: &str,
        control: &str,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["consume", "--topic", topic, "--group", group, "--target", target, "--control", control]);
        Self::start("consumer", command.args(options))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails when it has ended.
    pub(crate) fn ensure_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended ({status}); see {}", self.name, log(&self.name).display()),
            None => Ok(()),
        }
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

/// Where a process of this name writes what it says.
pub(crate) fn log(name: &str) -> PathBuf {
    let folder = std::env::var_os("BENCH_LOGS").map_or_else(std::env::temp_dir, PathBuf::from);
    folder.join(format!("bench-{name}.log"))
}

impl Drop for Running {
    fn drop(&mut self) {
        // after `stop` there is nothing left to kill
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
