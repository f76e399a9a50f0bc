//! Where the test's servers are.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use platform::config::Environment;

/// The variable by which a process environment that already describes a stack is recognised.
const MARK: &str = "APP_ENV_ADMIN_DB_URL";

/// The stack's coordinates: the process environment where it describes a stack, else the file `.stack-test/env`, else
/// `.stack/env`, of the nearest folder above that has one.
///
/// # Panics
/// When there is none: a test that needs servers fails rather than passes unseen.
#[must_use]
#[expect(clippy::panic, reason = "a test without its servers must fail, and say what to type")]
pub fn environment() -> Environment {
    static FOUND: OnceLock<Option<Environment>> = OnceLock::new();
    match FOUND.get_or_init(find) {
        Some(environment) => environment.clone(),
        None => panic!("no stack: run make up"),
    }
}

fn find() -> Option<Environment> {
    let process = Environment::of_process();
    if process.get(MARK).is_some() {
        return Some(process);
    }
    let start = std::env::current_dir().ok()?;
    let text = std::fs::read_to_string(nearest(&start)?).ok()?;
    let file = parse(&text).into_iter();
    // What the process sets itself wins over the file, as it does for `make`.
    let own = process.pairs().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Some(Environment::from_pairs(file.chain(own)))
}

fn nearest(start: &Path) -> Option<PathBuf> {
    let candidates = |folder: &Path| [folder.join(".stack-test/env"), folder.join(".stack/env")];
    start.ancestors().flat_map(candidates).find(|path| path.is_file())
}

/// `KEY=value` lines; `#` begins a comment line; quotes around a value are dropped.
fn parse(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches(['\'', '"']).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_pairs_is_read_with_comments_and_quotes() {
        let pairs = parse("# a comment\nA=1\nB='two words'\nURL=postgres://a:b@c/d?x=y\n\n");
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "two words"), ("URL", "postgres://a:b@c/d?x=y")]);
    }
}
