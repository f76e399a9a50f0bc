//! The alert rules and dashboards of `k8s/` as files: whom they call, what they rest on, and that each is tested both ways.
//! What the rules do is tested by promtool (`stack/run observe --check`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files of a folder that end so, by name.
pub(crate) fn files(folder: &str, ending: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let chosen = entries.filter(|path| path.is_file() && path.to_str().unwrap().ends_with(ending));
    chosen
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(ending).to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// An alert as its rule has it.
#[derive(Debug, Default)]
pub(crate) struct Alert {
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) expression: String,
}

/// Every alert, by its name. The files keep one shape: a field on a line, the expression indented below `expr: |`.
pub(crate) fn alerts() -> BTreeMap<String, Alert> {
    let mut alerts = BTreeMap::<String, Alert>::new();
    for text in files("k8s/alerts", ".yaml").into_values() {
        let mut name = String::new();
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            if let Some(begun) = line.trim().strip_prefix("- alert: ") {
                begun.clone_into(&mut name);
                assert!(alerts.insert(name.clone(), Alert::default()).is_none(), "{name} is there twice");
            } else if let Some(alert) = alerts.get_mut(&name) {
                match line.strip_prefix("          ").map(|inner| inner.split_once(": ")) {
                    Some(Some((field, value))) if field.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
                        alert.fields.insert(field.to_owned(), value.trim_matches('"').to_owned());
                    }
                    Some(_) => alert.expression.extend([line.trim(), "\n"]),
                    None => {}
                }
            }
        }
    }
    alerts
}

/// The names of every metric, from the one file that has them.
fn metrics() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("platform/src/metric.rs")).unwrap();
    text.lines()
        .filter(|line| line.starts_with("pub const ") && line.contains(": &str"))
        .map(|line| line.split('"').nth(1).unwrap().to_owned())
        .collect()
}

/// What Prometheus makes itself.
const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];
const OPERATORS: [&str; 20] = [
    "and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool", "sum", "max", "min", "avg", "count",
    "topk", "bottomk", "quantile", "Inf", "NaN", "inf",
];

/// The names of metrics in an expression of `PromQL`.
fn named(expression: &str) -> BTreeSet<String> {
    let mut bare = String::new();
    let mut closing = None;
    for c in expression.chars() {
        match closing {
            Some(end) if c == end => closing = None,
            Some(_) => {}
            None => match c {
                '{' => closing = Some('}'),
                '[' => closing = Some(']'),
                '"' => closing = Some('"'),
                _ => bare.push(c),
            },
        }
    }
    for grouping in ["by (", "without (", "on (", "ignoring ("] {
        while let Some(start) = bare.find(grouping) {
            let end = start + bare[start..].find(')').unwrap();
            bare.replace_range(start..=end, " ");
        }
    }
    let mut names = BTreeSet::new();
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut rest = bare.as_str();
    while let Some(start) = rest.find(of_word) {
        let end = rest[start..].find(|c| !of_word(c)).map_or(rest.len(), |length| start + length);
        let (word, after) = (&rest[start..end], &rest[end..]);
        let is_function = after.trim_start().starts_with('(');
        if !is_function && !word.starts_with(|c: char| c.is_ascii_digit()) && !OPERATORS.contains(&word) {
            names.insert(word.to_owned());
        }
        rest = after;
    }
    names
}

fn assert_known(expression: &str, known: &BTreeSet<String>, place: &str) {
    let names = named(expression);
    assert!(!names.is_empty(), "{place}: no metric in `{expression}`");
    for name in names {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(&name);
        let is_known = known.contains(&name) || known.contains(base) || OF_PROMETHEUS.contains(&name.as_str());
        assert!(is_known, "{place}: {name} is not in platform/src/metric.rs");
    }
}

#[test]
fn names_of_metrics_are_found_in_an_expression() {
    let expression =
        r#"sum by (le) (rate(a_bucket{x="b_c"}[5m])) / max(d offset 15m) > 64 * 1024 or absent(e) == +Inf"#;
    assert_eq!(named(expression), ["a_bucket", "d", "e"].map(str::to_owned).into());
}

#[test]
fn every_alert_names_a_team_a_severity_its_runbook_and_metrics_that_exist() {
    let (alerts, metrics) = (alerts(), metrics());
    assert!(alerts.len() >= 15, "{:?}", alerts.keys());
    for (name, alert) in &alerts {
        let field = |field: &str| alert.fields.get(field).unwrap_or_else(|| panic!("{name} has no {field}")).as_str();
        assert!(["critical", "warning"].contains(&field("severity")), "{name}");
        assert!(["backend-on-call", "sre-on-call", "invoice-team"].contains(&field("team")), "{name}");
        assert!(!field("summary").is_empty() && field("description").ends_with('.'), "{name}");
        assert_eq!(field("runbook_url"), format!("docs/runbooks/{name}.md"));
        assert_known(&alert.expression, &metrics, name);
    }
}

#[test]
fn every_alert_is_tested_to_fire_and_not_to() {
    let tests = files("k8s/alerts/tests", ".yaml");
    let mut tested = BTreeSet::new();
    for text in tests.values() {
        let mut name = "";
        for line in text.lines().map(str::trim) {
            if let Some(of) = line.strip_prefix("alertname: ") {
                name = of;
            } else if line.starts_with("exp_alerts:") {
                tested.insert((name, line != "exp_alerts: []"));
            }
        }
    }
    for name in alerts().keys() {
        assert!(tested.contains(&(name, true)), "no test lets {name} fire");
        assert!(tested.contains(&(name, false)), "no test lets {name} be silent");
    }
    let files: Vec<_> = files("k8s/alerts", ".yaml").into_keys().collect();
    assert_eq!(files, tests.into_keys().collect::<Vec<_>>());
}

#[test]
fn no_metric_has_its_name_beside_the_file_of_names() {
    let listed = Command::new("git").args(["ls-files", "*.rs"]).current_dir(root()).output().unwrap();
    for path in String::from_utf8(listed.stdout).unwrap().lines().filter(|path| *path != "tests/it/alerts.rs") {
        let Ok(text) = std::fs::read_to_string(root().join(path)) else { continue };
        let text: String = text.split_whitespace().collect();
        for written in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
            assert!(!text.contains(written), "{path}: a metric's name belongs in platform/src/metric.rs");
        }
    }
}

/// Whatever is named `datasource` anywhere in a dashboard.
fn sources<'d>(value: &'d Value, found: &mut Vec<&'d Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("datasource"));
            fields.values().for_each(|value| sources(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| sources(item, found)),
        _ => {}
    }
}

#[test]
fn every_panel_has_a_title_a_unit_a_chosen_source_and_metrics_that_exist() {
    let metrics = metrics();
    let mut ids = BTreeSet::new();
    for (file, text) in files("k8s/dashboards", ".json") {
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        assert!(ids.insert(dashboard["uid"].as_str().unwrap().to_owned()), "{file}");
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        assert!(variables.iter().any(|variable| variable["type"] == "datasource" && variable["name"] == "datasource"));
        let mut found = Vec::new();
        sources(&dashboard, &mut found);
        assert!(found.iter().all(|source| source["uid"] == "${datasource}"), "{file}: a source that is not a variable");
        for variable in variables.iter().filter(|variable| variable["type"] == "query") {
            let query = variable["query"].as_str().unwrap();
            let metric = query.strip_prefix("label_values(").and_then(|query| query.split_once(',')).unwrap().0;
            assert_known(metric, &metrics, &file);
        }
        let mut titles = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            let place = format!("{file}: {title}");
            assert!(!title.is_empty() && titles.insert(title.to_owned()), "{place}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{place}");
            for target in panel["targets"].as_array().unwrap() {
                assert_known(target["expr"].as_str().unwrap(), &metrics, &place);
            }
        }
        assert!(!titles.is_empty(), "{file}");
    }
    assert!(ids.len() >= 3);
}
