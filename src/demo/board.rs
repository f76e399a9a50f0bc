//! One line for each stage, drawn over itself on a terminal, printed now and then elsewhere.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How long nothing is printed where nothing can be drawn over.
const INTERVAL: Duration = Duration::from_secs(5);
const WIDTH: u64 = 30;

/// How far a stage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) label: &'static str,
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) unit: &'static str,
    /// When it was complete, from the start.
    pub(super) complete: Option<Duration>,
}

/// Where the stages are shown.
pub(super) struct Board {
    terminal: bool,
    drawn: usize,
    last: Option<Instant>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal(), drawn: 0, last: None }
    }

    /// Shows the stages; `last` of a run always.
    pub(super) fn show(&mut self, stages: &[Stage], last: bool) {
        if self.terminal {
            let mut text = if self.drawn == 0 { String::new() } else { format!("\x1b[{}A", self.drawn) };
            for stage in stages {
                let _ = writeln!(text, "\x1b[2K{}", line(stage));
            }
            print!("{text}");
            let _ = std::io::stdout().flush();
            self.drawn = stages.len();
        } else if last {
            for stage in stages {
                println!("{}", line(stage));
            }
        } else if self.last.is_none_or(|at| at.elapsed() >= INTERVAL) {
            self.last = Some(Instant::now());
            let brief = |stage: &Stage| format!("{} {}/{}", stage.label, stage.done, stage.total);
            println!("  {}", stages.iter().map(brief).collect::<Vec<_>>().join("   "));
        }
    }
}

/// A stage as a bar.
fn line(stage: &Stage) -> String {
    let done = stage.done.min(stage.total);
    let filled = (done * WIDTH).checked_div(stage.total).unwrap_or(WIDTH);
    let bar: String = (0..WIDTH).map(|at| if at < filled { '█' } else { '·' }).collect();
    let after =
        stage.complete.map(|after| format!("  complete after {:.1} s", after.as_secs_f64())).unwrap_or_default();
    format!("  {:<34} {bar} {:>7} of {:>7} {}{after}", stage.label, stage.done, stage.total, stage.unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_when_everything_is_there() {
        let stage = |done, total| line(&Stage { label: "x", done, total, unit: "", complete: None });
        assert!(stage(99, 100).contains('·'));
        assert!(!stage(100, 100).contains('·') && !stage(0, 0).contains('·') && !stage(7, 5).contains('·'));
    }
}
