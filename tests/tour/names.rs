//! What the README names is there: files, options, settings, tests, and the lines of a client that it quotes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::readme;
use crate::support::{DUBAN, root};

/// Options and settings that are not the binary's own.
const OTHERS: &[&str] = &[
    "--release",
    "--workspace",
    "--path",
    "DUBAN_TEST_PYTHON",
    "DUBAN_TOUR",
    "DUBAN_LANG",
    "DUBAN_TEST_POSTGRES",
    "DUBAN_POSTGRES_PASSWORD",
    "DUBAN_OWNER_PASSWORD",
    "DUBAN_APP_PASSWORD",
    "DUBAN_TREE_PASSWORD",
];

/// What stands between backquotes in the text, and every line that is typed.
fn spans(text: &str) -> Vec<String> {
    let (mut spans, mut fenced) = (Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            spans.extend(line.strip_prefix("$ ").map(str::to_owned));
        } else {
            spans.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    spans
}

#[test]
fn tour_names_files_that_are_there() {
    let text = readme::text();
    let links =
        text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link.to_owned()));
    let tops = ["proto/", "services/", "seeds/", "deploy/", "tests/", ".ci/"];
    let paths =
        spans(&text).into_iter().chain(links).filter(|span| tops.iter().any(|top| span.starts_with(top)));
    let mut checked = 0;
    for path in paths {
        // A name in capitals stands for any.
        if path.contains(|letter: char| "*{ ".contains(letter)) || path.ends_with("NAME") {
            continue;
        }
        assert!(root().join(&path).exists(), "the README names {path}");
        checked += 1;
    }
    assert!(checked > 20, "{checked} files are named");
}

#[test]
fn tour_names_options_and_settings_that_there_are() {
    let mut help = String::new();
    ask_for_help(&[], &mut help);
    let known: BTreeSet<&str> = words(&help).collect();
    for span in spans(&readme::text()).iter().filter(|span| !span.starts_with("cargo ")) {
        for word in words(span).filter(|word| !OTHERS.contains(word)) {
            assert!(known.contains(word), "the README names {word} in `{span}`");
        }
    }
}

/// The help of a command and of all below it.
fn ask_for_help(command: &[&str], help: &mut String) {
    let output = Command::new(DUBAN).args(command).arg("--help").output().expect("the binary runs");
    let said = String::from_utf8(output.stdout).expect("help is text");
    let listed = said.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in listed.take_while(|line| line.starts_with("  ")) {
        let name = line.split_whitespace().next().unwrap_or_default();
        if name != "help" && line.starts_with("  ") && !line.starts_with("   ") {
            ask_for_help(&[command, &[name]].concat(), help);
        }
    }
    help.push_str(&said);
}

/// The options and settings in a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts =
        text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-' || letter == '_'));
    parts.filter(|word| {
        let option =
            word.strip_prefix("--").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        option || word.starts_with("DUBAN_") || word.starts_with("OTEL_")
    })
}

#[test]
fn tour_names_tests_that_there_are() {
    let mut sources = String::new();
    read_sources(&root().join("tests"), &mut sources);
    read_sources(&root().join("services"), &mut sources);
    let mut checked = 0;
    for span in spans(&readme::text()) {
        let is_test = span.matches('_').count() >= 4
            && span.bytes().all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b));
        if is_test {
            assert!(sources.contains(&format!("fn {span}(")), "the README names a test {span}");
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked} tests are named");
}

fn read_sources(folder: &Path, sources: &mut String) {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    for path in entries.collect::<Vec<PathBuf>>() {
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push_str(&std::fs::read_to_string(path).expect("a source"));
        }
    }
}

#[test]
fn tour_quotes_the_client_that_is_tested() {
    let text = readme::text();
    let client =
        std::fs::read_to_string(root().join("tests/foreign_client.py")).expect("the client is there");
    let quoted =
        text.split_once("```python\n").and_then(|(_, rest)| rest.split_once("```")).expect("a client").0;
    for part in quoted.split("...\n") {
        assert!(client.contains(part.trim()), "tests/foreign_client.py has no\n{part}");
    }
}
