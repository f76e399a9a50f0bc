//! Tables on the terminal and the sections of `bench/RESULTS.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use time::OffsetDateTime;

/// What is said above every section.
const HEAD: &str = "# Results\n\nWritten by `bench/run`; each section is the last run of its command. \
                    What is compared, and how, stands in `bench/README.md`.\n";

/// A table of text.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: &[&str; N]) -> Self {
        Self { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            // writing into a String cannot fail
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "|{}", " --- |".repeat(row.len()));
            }
        }
        text
    }
}

/// A target and whether it was met.
pub(crate) fn verdict(met: bool) -> String {
    if met { "met" } else { "NOT MET" }.to_owned()
}

/// Load averages of 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Prints a section and puts it in the place of the one of the same name.
pub(crate) fn publish(name: &str, load_before: &str, tables: &[&Table], notes: &[String]) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?;
    let build = std::env::var("BENCH_BUILD").unwrap_or_else(|_| "release".to_owned());
    let mut section = format!(
        "## {name}\n\n{} UTC, commit {}, {cores} cores, load average {load_before} before and {} after, {build} build.\n\n",
        OffsetDateTime::now_utc().format(&time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]"))?,
        commit(),
        load(),
    );
    for table in tables {
        section.push_str(&table.markdown());
        section.push('\n');
    }
    for note in notes {
        let _ = writeln!(section, "- {note}");
    }
    println!("\n{section}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::write(&path, replaced(&before, name, &section))?;
    Ok(())
}

/// The text with the section in the place of the one of its name, or at the end.
fn replaced(text: &str, name: &str, section: &str) -> String {
    let mut sections: Vec<String> = text.split("\n## ").skip(1).map(|rest| format!("## {}", rest.trim_end())).collect();
    let title = format!("## {name}\n");
    match sections.iter_mut().find(|found| found.starts_with(&title)) {
        Some(found) => section.trim_end().clone_into(found),
        None => sections.push(section.trim_end().to_owned()),
    }
    format!("{HEAD}\n{}\n", sections.join("\n\n"))
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    // what an earlier command of the same run wrote is no change of what is measured
    let dirty = git(&["status", "--porcelain", "--", ":/", ":(exclude,top)bench/RESULTS.md"])
        .is_some_and(|changes| !changes.trim().is_empty());
    format!("{}{}", commit.trim(), if dirty { "+dirty" } else { "" })
}

/// The value below which this share of the sorted values lies.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a list"
    )]
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_the_one_of_its_name() {
        let first = replaced("", "a", "## a\n\nold\n");
        let both = replaced(&first, "b", "## b\n\nother\n");
        let newer = replaced(&both, "a", "## a\n\nnew\n");
        assert!(newer.starts_with(HEAD) && newer.ends_with("## a\n\nnew\n\n## b\n\nother\n"), "{newer}");
    }

    #[test]
    fn a_percentile_of_nothing_is_not_a_number() {
        assert!(percentile(&[], 0.5).is_nan());
        assert!((percentile(&[1.0, 2.0, 3.0, 4.0], 0.99) - 4.0).abs() < f64::EPSILON);
    }
}
