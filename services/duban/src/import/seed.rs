//! A seed as its files say it, before anything is checked beyond that they can be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;
use unicode_normalization::is_nfc;
use uuid::Uuid;

use super::problem::{Place, Problem, Problems, line_at};
use super::table::{self, Table};
use crate::args::ROLES;
use crate::client::Identity;

/// The files that every seed has, beside the text.
pub(super) const MANIFEST: &str = "seed.toml";
pub(super) const CLAUSES: &str = "clauses.tsv";
pub(super) const ROWS: &str = "rows.tsv";
pub(super) const TARGETS: &str = "targets.tsv";
pub(super) const ANOMALIES: &str = "anomalies.tsv";
pub(super) const READINGS: &str = "readings.toml";
pub(super) const COMMANDS: &str = "commands.jsonl";
const TABLES: [&str; 5] = [CLAUSES, ROWS, TARGETS, ANOMALIES, READINGS];

/// A seed.
#[derive(Debug)]
pub(crate) struct Seed {
    folder: PathBuf,
    pub(crate) manifest: Manifest,
    /// The document, byte for byte.
    pub(super) text: String,
    pub(super) tables: BTreeMap<&'static str, Table>,
    pub(super) commands: Vec<Command>,
}

/// `seed.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The document's resource name.
    pub(crate) document: String,
    /// What it is called.
    pub(super) title: String,
    pub(super) text: Text,
    pub(super) requests: Requests,
    pub(super) principals: BTreeMap<String, Principal>,
    pub(super) expect: BTreeMap<String, Spanned<usize>>,
    #[serde(skip)]
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub(super) file: String,
    pub(super) sha256: Spanned<String>,
    pub(super) lines: Spanned<usize>,
    /// What joins the agencies in a cell.
    pub(super) separator: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Requests {
    /// A command's request id is the UUIDv5 of its id in this namespace.
    pub(super) namespace: Uuid,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Principal {
    actor: String,
    role: String,
    agency: Option<String>,
}

impl Principal {
    pub(super) fn identity(&self) -> Identity {
        Identity { actor: self.actor.clone(), role: self.role.clone(), agency: self.agency.clone() }
    }
}

/// A line of `commands.jsonl`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    #[serde(skip)]
    pub(super) line: usize,
    pub(super) id: String,
    #[serde(rename = "as")]
    pub(super) principal: String,
    pub(super) rpc: String,
    pub(super) request: Value,
    #[serde(default)]
    pub(super) cites: Vec<Citation>,
}

/// What a command takes from the text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Citation {
    pub(super) line: usize,
    pub(super) cell: Option<String>,
    pub(super) text: String,
}

impl Command {
    pub(super) fn place(&self) -> Place {
        Place::new(COMMANDS, self.line)
    }
}

impl Manifest {
    /// Where a value of it stands.
    pub(super) fn place<T>(&self, value: &Spanned<T>) -> Place {
        Place::new(MANIFEST, line_at(&self.source, value.span().start))
    }
}

impl Seed {
    /// Reads the files of a folder.
    pub(super) fn load(folder: &Path) -> Result<Self, Vec<Problem>> {
        let source = read(folder, MANIFEST).map_err(|problem| vec![problem])?;
        let mut manifest: Manifest = toml::from_str(&source).map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(&source, span.start));
            vec![problem(MANIFEST, line, error.message())]
        })?;
        manifest.source = source;

        let mut problems = Problems::default();
        let mut keep = |found: Result<String, Problem>| {
            found.map_err(|problem| problems.add(&problem.place, problem.reason)).ok()
        };
        let text = keep(read(folder, &manifest.text.file));
        let files = TABLES.map(|file| (file, keep(read(folder, file))));
        let lines = keep(read(folder, COMMANDS));

        let mut tables = BTreeMap::new();
        for (file, content) in files {
            let Some(content) = content else { continue };
            tables.insert(file, table::parse(file, &content, &mut problems));
        }
        let commands = commands(&lines.unwrap_or_default(), &mut problems);
        principals(&manifest, &mut problems);
        let text = text.unwrap_or_default();
        problems.or(Self { folder: folder.to_owned(), manifest, text, tables, commands })
    }

    /// The lines of the document; line `n` is at `n - 1`.
    pub(super) fn lines(&self) -> Vec<&str> {
        self.text.lines().collect()
    }

    /// One of the tables that every seed has.
    pub(super) fn table(&self, file: &str) -> &Table {
        static NONE: Table = Table::empty();
        self.tables.get(file).unwrap_or(&NONE)
    }

    /// A file that a command takes in whole.
    pub(super) fn file(&self, name: &str) -> Result<String, String> {
        read(&self.folder, name).map_err(|problem| problem.to_string())
    }
}

fn problem(file: &str, line: usize, reason: impl Into<String>) -> Problem {
    Problem { place: Place::new(file, line), reason: reason.into() }
}

/// A file of the seed: UTF-8 in NFC, its lines ended by LF.
fn read(folder: &Path, name: &str) -> Result<String, Problem> {
    if Path::new(name).file_name().is_none_or(|plain| plain != name) {
        return Err(problem(name, 1, "a file of the seed's own folder is expected"));
    }
    let bytes = std::fs::read(folder.join(name))
        .map_err(|error| problem(name, 1, format!("the file can't be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        problem(name, line, "the bytes are no UTF-8")
    })?;
    for (index, line) in text.split('\n').enumerate() {
        if line.contains('\r') {
            return Err(problem(name, index + 1, "lines are ended by LF alone"));
        }
        if !is_nfc(line) {
            return Err(problem(name, index + 1, "the text is not in NFC"));
        }
    }
    Ok(text)
}

fn commands(lines: &str, problems: &mut Problems) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut ids = BTreeMap::new();
    for (index, line) in lines.lines().enumerate() {
        let place = Place::new(COMMANDS, index + 1);
        match serde_json::from_str::<Command>(line) {
            Ok(command) => {
                if let Some(first) = ids.insert(command.id.clone(), index + 1) {
                    problems.add(&place, format!("the id {} is that of line {first}", command.id));
                }
                commands.push(Command { line: index + 1, ..command });
            }
            Err(error) => problems.add(&place, error.to_string()),
        }
    }
    commands
}

fn principals(manifest: &Manifest, problems: &mut Problems) {
    for (name, principal) in &manifest.principals {
        if !ROLES.contains(&principal.role.as_str()) {
            let reason = format!("principal {name}: there is no role {}", principal.role);
            problems.add(&Place::new(MANIFEST, 1), reason);
        }
    }
}
