//! `sluice man <folder>`: from the command line's own definition.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

/// Where the pages go.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder to write `sluice.1` and a page for each command to.
    folder: PathBuf,
}

/// Writes the pages.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = &arguments.folder;
    write(folder).with_context(|| format!("cannot write man pages to {}", folder.display()))?;
    println!("written; try: man -l {}/sluice.1", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// A page for each command, those of commands too.
fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(crate::Arguments::command().disable_help_subcommand(true), folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = std::env::temp_dir().join(format!("sluice-man-{}", std::process::id()));
        write(&folder).unwrap();
        for command in crate::Arguments::command().get_subcommands() {
            let page = folder.join(format!("sluice-{}.1", command.get_name()));
            assert!(page.exists(), "{} has no page", command.get_name());
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
