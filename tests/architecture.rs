//! The directions of the workspace: a crate imports only what is upstream of it.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::support::root;

/// What each crate may import of ours. `domain, merkle ← log ← rpc ← the four services ← duban`; `proto` stands beside,
/// and `tree` follows the log for the audit service and the binary.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let rpc = ["duban-proto", "duban-domain", "duban-log"];
    let tree = ["duban-domain", "duban-merkle", "duban-log"];
    let service = ["duban-proto", "duban-domain", "duban-log", "duban-rpc"];
    let audit = [&service[..], &["duban-merkle", "duban-tree"]].concat();
    let binary = [&audit[..], &["duban-agencies", "duban-tasks", "duban-reports", "duban-audit"]].concat();
    BTreeMap::from([
        ("duban-proto", BTreeSet::new()),
        ("duban-domain", BTreeSet::new()),
        ("duban-merkle", BTreeSet::new()),
        ("duban-log", BTreeSet::from(["duban-domain", "duban-merkle"])),
        ("duban-tree", BTreeSet::from(tree)),
        ("duban-rpc", BTreeSet::from(rpc)),
        ("duban-agencies", BTreeSet::from(service)),
        ("duban-tasks", BTreeSet::from(service)),
        ("duban-reports", BTreeSet::from(service)),
        ("duban-audit", audit.into_iter().collect()),
        ("duban-test-postgres", BTreeSet::from(["duban-log"])),
        ("duban", binary.into_iter().collect()),
    ])
}

/// Which crates may name these libraries at all, outside of tests.
fn reserved() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let wire = [
        "duban-proto",
        "duban-rpc",
        "duban-agencies",
        "duban-tasks",
        "duban-reports",
        "duban-audit",
        "duban",
    ];
    BTreeMap::from([
        ("sqlx", BTreeSet::from(["duban-log", "duban-tree", "duban-test-postgres"])),
        ("rusqlite", BTreeSet::from(["duban-log"])),
        ("tonic", BTreeSet::from(wire)),
        ("prost", BTreeSet::from(wire)),
    ])
}

/// What the domain may import: no runtime, no network, no storage, no clock, no randomness.
const PURE: [&str; 9] =
    ["hex", "jiff", "schemars", "serde", "serde_json", "sha2", "thiserror", "unicode-normalization", "uuid"];

/// What the audit tree, as pure, may import beside: hashes and signatures.
const SIGNING: [&str; 4] = ["base64", "ed25519-dalek", "sm2", "sm3"];

#[test]
fn every_arrow_of_the_workspace_points_upstream() {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let allowed = allowed();
    let mut seen = BTreeSet::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let may =
            allowed.get(name).unwrap_or_else(|| panic!("{name} has no place in the map of the workspace"));
        seen.insert(name.to_owned());
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            let wants = dependency.name.as_str();
            assert!(!allowed.contains_key(wants) || may.contains(wants), "{name} must not import {wants}");
            if let Some(may) = reserved().get(wants) {
                assert!(may.contains(name), "{name} must not name {wants}");
            }
            assert!(name != "duban-domain" || PURE.contains(&wants), "the domain must not import {wants}");
            let pure = PURE.contains(&wants) || SIGNING.contains(&wants);
            assert!(name != "duban-merkle" || pure, "the audit tree must not import {wants}");
        }
    }
    assert_eq!(seen, allowed.keys().map(|name| (*name).to_owned()).collect());
}

#[test]
fn the_top_level_is_what_the_user_fixed() {
    let fixed = ["Cargo.lock", "Cargo.toml", "README.md", "deploy", "proto", "seeds", "services", "tests"];
    let tracked = std::process::Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    let tracked = String::from_utf8(tracked.stdout).unwrap();
    let top: BTreeSet<&str> = tracked.lines().filter_map(|path| path.split('/').next()).collect();
    for entry in top {
        assert!(
            entry.starts_with('.') || fixed.contains(&entry),
            "{entry} is beside the entries that were fixed"
        );
    }
}
