//! The reference of writes: pgbench, with the statements that the service runs for one product.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::process;
use crate::stack::Stack;

/// The statement with which the shell takes an idempotency key's lock and looks for its answer.
const LOCK_AND_FIND: &str = "select held.is_held, k.fingerprint, k.status, k.location, k.etag, k.body
 from (select pg_try_advisory_xact_lock($1) as is_held) held
 left join idempotency_key k on k.scope = $2";
/// The statement with which it stores the answer.
const STORE: &str = "insert into idempotency_key (scope, fingerprint, status, location, etag, body)
 values ($1, $2, $3, $4, $5, $6)";

/// What every client counts for itself. Ids grow with time and are unique, as the service's are.
const COUNTING: &str = "\\set number :number + 1
\\set product :base + (:number * :clients + :client_id) * 4
\\set first :product + 1
\\set second :product + 2
\\set third :product + 3
\\set merchant :client_id + 1
\\set lock hash(:product)
";

/// The parameters of [`commerce::product::INSERT`], $1 to $26. What the service sends, a variable sends; only what is new
/// in each product is put together by the server, because pgbench's variables count and do not concatenate.
const PRODUCT: [&str; 26] = [
    ":product::bigint",
    ":merchant::bigint",
    ":merchant::bigint",
    "nullif(:absent::bigint, 0)",
    ":kind::text",
    "('Bánh tráng trộn ' || :product::text)",
    "('banh-trang-tron-' || :product::text)",
    ":is_made::boolean",
    ":description::text",
    ":status::text",
    ":industry_group::text",
    ":vat_class::text",
    ":author::bigint",
    "array[:first::bigint, :second::bigint, :third::bigint]",
    "array['SKU-' || :first::text, 'SKU-' || :second::text, 'SKU-' || :third::text]",
    "array['893' || :first::text, '893' || :second::text, '893' || :third::text]",
    ":names::text[]",
    ":units::text[]",
    ":prices::bigint[]",
    ":costs::bigint[]",
    ":attributes::text[]",
    ":defaults::boolean[]",
    ":positions::integer[]",
    ":is_all::boolean",
    "nullif(:absent::bigint, 0)",
    ":merchants::bigint[]",
];

/// The values that are the same in every product: those of the request that the service is sent.
const VALUES: [(&str, &str); 18] = [
    ("number", "0"),
    ("absent", "0"),
    ("kind", "RETAIL"),
    ("is_made", "true"),
    ("description", super::write::DESCRIPTION),
    ("status", "ACTIVE"),
    ("industry_group", "GOODS"),
    ("vat_class", "STANDARD"),
    ("author", "1"),
    ("names", "{Cỡ nhỏ,Cỡ vừa,Cỡ lớn}"),
    ("units", "{gói,gói,gói}"),
    ("prices", "{15000,20000,25000}"),
    ("costs", "{9000,12000,15000}"),
    ("attributes", r#"{"{\"size\":\"S\"}","{\"size\":\"M\"}","{\"size\":\"L\"}"}"#),
    ("defaults", "{t,f,f}"),
    ("positions", "{0,1,2}"),
    ("is_all", "true"),
    ("merchants", "{}"),
];

/// What the service answered to one product, stored with every key.
pub(crate) struct Answer {
    pub(crate) location: String,
    pub(crate) etag: String,
    pub(crate) body: String,
}

/// How much, and from where on ids are free.
pub(crate) struct Load {
    pub(crate) clients: usize,
    pub(crate) seconds: u32,
    pub(crate) base: i64,
}

/// What pgbench measured.
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    /// How long each transaction took, in milliseconds, sorted.
    pub(crate) milliseconds: Vec<f64>,
}

/// Runs the transaction of one product for so long. Any failed transaction is an error.
pub(crate) async fn run(stack: &Stack, answer: &Answer, load: &Load) -> anyhow::Result<Measured> {
    let script = process::log("pgbench.sql");
    std::fs::write(&script, transaction())?;
    let prefix = process::log("pgbench");
    let mut command = Command::new(program());
    command
        .args(["-n", "-M", "prepared", "-j", "2", "-c", &load.clients.to_string(), "-T", &load.seconds.to_string()])
        .args(["-h", stack.get("APP_ENV_POSTGRES_HOST")?, "-p", stack.get("APP_ENV_POSTGRES_PORT")?, "-U", "commerce"])
        .arg("-f")
        .arg(&script)
        .arg("--log")
        .arg(format!("--log-prefix={}", prefix.display()));
    let own = [("location", &answer.location), ("etag", &answer.etag), ("body", &answer.body)];
    let counted = [("base", load.base.to_string()), ("clients", load.clients.to_string())];
    let given = VALUES.into_iter().chain(own.map(|(name, value)| (name, value.as_str())));
    for (name, value) in given.chain(counted.iter().map(|(name, value)| (*name, value.as_str()))) {
        command.args(["-D", &format!("{name}={value}")]);
    }
    let running = command
        .arg("commerce")
        .env("PGPASSWORD", stack.get("APP_ENV_DB_PASSWORD_COMMERCE")?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let pid = running.id().context("pgbench ended at once")?;
    let output = running.wait_with_output().await?;
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let failed = figure(&said, "number of failed transactions:");
    if !output.status.success() || failed.is_some_and(|failed| failed > 0.0) {
        bail!("pgbench failed ({}):\n{said}{wrong}", output.status);
    }
    let per_second = figure(&said, "tps =").with_context(|| format!("pgbench told no rate:\n{said}"))?;
    Ok(Measured { per_second, milliseconds: latencies(&format!("{}.{pid}", prefix.display()))? })
}

/// The script: begin, the key's lock, the product, its answer, commit; each one round trip, as in the service.
fn transaction() -> String {
    let lock = filled(LOCK_AND_FIND, &[":lock::bigint", "sha256(int8send(:lock::bigint))"]);
    let insert = filled(commerce::product::INSERT, &PRODUCT);
    let store = filled(
        STORE,
        &[
            "sha256(int8send(:lock::bigint))",
            "sha256(int8send(:product::bigint))",
            "201",
            ":location::text",
            ":etag::text",
            "convert_to(:body::text, 'UTF8')",
        ],
    );
    format!("{COUNTING}begin;\n{lock};\n{insert};\n{store};\ncommit;\n")
}

/// A statement with its numbered parameters replaced.
fn filled(statement: &str, parameters: &[&str]) -> String {
    // from the last, so that $1 is not found in $12
    let numbered = parameters.iter().enumerate().rev();
    numbered.fold(statement.to_owned(), |text, (before, value)| text.replace(&format!("${}", before + 1), value))
}

/// The number after a label of pgbench's report.
fn figure(report: &str, label: &str) -> Option<f64> {
    report.lines().find_map(|line| line.trim().strip_prefix(label)?.split_whitespace().next()?.parse().ok())
}

/// Reads and removes what pgbench's threads logged, a line for each transaction; the third word is its microseconds.
fn latencies(prefix: &str) -> anyhow::Result<Vec<f64>> {
    let mut milliseconds = Vec::new();
    for file in [prefix.to_owned(), format!("{prefix}.1")] {
        let text = std::fs::read_to_string(&file).with_context(|| format!("pgbench left no log {file}"))?;
        for line in text.lines() {
            let microseconds: f64 = line.split(' ').nth(2).context("a line without a latency")?.parse()?;
            milliseconds.push(microseconds / 1e3);
        }
        std::fs::remove_file(&file)?;
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(milliseconds)
}

/// The program that came with the server: where the stack finds its servers, else on the path.
fn program() -> PathBuf {
    if let Some(folder) = std::env::var_os("SLUICE_PG_BIN") {
        return PathBuf::from(folder).join("pgbench");
    }
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = installed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort_by_key(version);
    let mut programs = folders.iter().rev().map(|folder| folder.join("bin/pgbench"));
    programs.find(|program| program.is_file()).unwrap_or_else(|| PathBuf::from("pgbench"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_statements_of_the_key_are_the_shells_own() {
        let shell = words(include_str!("../../producers/shell/src/idempotency/store.rs"));
        for statement in [LOCK_AND_FIND, STORE] {
            assert!(shell.contains(&words(statement)), "the shell runs another statement than: {statement}");
        }
    }

    #[test]
    fn no_parameter_is_left_in_the_script() {
        let script = transaction();
        assert!(!script.contains('$'), "{script}");
        assert_eq!(filled("$1 $12 $2", &["a", "b", "", "", "", "", "", "", "", "", "", "c"]), "a c b");
    }

    #[test]
    fn a_figure_is_read_after_its_label() {
        let report = "number of failed transactions: 0 (0.000%)\ntps = 1234.5 (without initial connection time)\n";
        assert_eq!(figure(report, "tps ="), Some(1234.5));
        assert_eq!(figure(report, "number of failed transactions:"), Some(0.0));
        assert_eq!(figure(report, "latency"), None);
    }
}
