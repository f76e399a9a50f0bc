//! `sluice completion <shell>`: from the command line's own definition.

use clap::CommandFactory as _;
use clap_complete::Shell;

/// Which shell.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The shell that is to complete `sluice`.
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: &Arguments) {
    clap_complete::generate(arguments.shell, &mut crate::Arguments::command(), "sluice", &mut std::io::stdout());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_completed() {
        crate::Arguments::command().debug_assert();
        let mut script = Vec::new();
        clap_complete::generate(Shell::Bash, &mut crate::Arguments::command(), "sluice", &mut script);
        let script = String::from_utf8(script).unwrap();
        for command in crate::Arguments::command().get_subcommands() {
            assert!(script.contains(command.get_name()), "{} is not completed", command.get_name());
        }
    }
}
