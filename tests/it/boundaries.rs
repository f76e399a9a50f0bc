//! The rules of the house that a tool can check: who may depend on whom, and what nothing may be called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Every crate of the house: its folder, and what it depends on outside its tests.
fn crates() -> BTreeMap<String, (String, Vec<String>)> {
    let metadata: Value =
        serde_json::from_str(&output("cargo", &["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let crates = metadata["packages"].as_array().unwrap().iter().map(|package| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let needed = dependencies.filter(|dependency| dependency["kind"].is_null());
        let names = needed.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect();
        (package["name"].as_str().unwrap().to_owned(), (folder, names))
    });
    crates.collect()
}

#[test]
fn producers_have_never_heard_of_consumers_nor_the_other_way_nor_of_each_other() {
    let crates = crates();
    let folder = |name: &String| crates.get(name).map_or("", |(folder, _)| folder.as_str());
    for (name, (own, dependencies)) in &crates {
        for dependency in dependencies {
            let other = folder(dependency);
            let message = format!("{name} ({own}) depends on {dependency} ({other})");
            if own.starts_with("producers/") {
                assert!(!other.starts_with("consumers/"), "{message}");
                assert!(!other.starts_with("producers/") || dependency == "shell", "{message}");
            }
            if own.starts_with("consumers/") {
                assert!(!other.starts_with("producers/"), "{message}");
                assert!(!other.starts_with("consumers/") || dependency == "runtime", "{message}");
            }
        }
    }
}

#[test]
fn kafka_is_spoken_by_the_fleet_and_its_tools_alone() {
    let allowed = ["runtime", "connectors", "replay", "backbone", "bench"];
    for (name, (_, dependencies)) in crates() {
        let speaks = dependencies.iter().any(|dependency| dependency == "rdkafka");
        assert!(!speaks || allowed.contains(&name.as_str()), "{name} depends on rdkafka");
    }
}

#[test]
fn nothing_has_a_name_that_says_nothing() {
    let empty = ["common", "utils", "util", "helpers", "misc", "shared", "types", "manager"];
    for path in output("git", &["ls-files"]).lines() {
        for part in Path::new(path).iter().filter_map(|part| part.to_str()) {
            let stem = part.split('.').next().unwrap_or(part);
            assert!(!empty.contains(&stem), "{path}: name it after what it is about");
        }
    }
}

#[test]
fn every_consumer_and_topic_has_its_page() {
    for (name, (folder, _)) in crates() {
        if folder.starts_with("consumers/") {
            assert!(root().join(&folder).join("README.md").is_file(), "{name} has no README.md");
        }
    }
    for entry in std::fs::read_dir(root().join("schemas")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("key.avsc").is_file() {
            assert!(path.join("README.md").is_file(), "{} has no README.md", path.display());
        }
    }
}
