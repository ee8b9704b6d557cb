//! Values that are typed in a form of their own: enum words, evidence files, milestones, findings, items.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use prost_reflect::EnumValueDescriptor;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::names;
use crate::client::schema;
use crate::i18n::{self, Lang};

/// How much of a file is read at a time to take its digest.
const CHUNK: usize = 64 * 1024;

/// A value of an enum, by its word in kebab case, as filters write it, by its full name or its official term;
/// what comes out is the full name.
pub(crate) fn enumeration(name: &'static str) -> impl TypedValueParser<Value = String> {
    let choice = |found: Choice| {
        let known = PossibleValue::new(found.word.clone()).aliases(found.others());
        match found.term {
            Some(term) => known.help(term),
            None => known,
        }
    };
    let choices: Vec<PossibleValue> = choices(name).into_iter().map(choice).collect();
    PossibleValuesParser::new(choices).map(move |typed| meant(name, &typed).unwrap_or(typed))
}

/// A value that can be meant.
struct Choice {
    /// Without the enum's prefix, in kebab case.
    word: String,
    full: String,
    term: Option<&'static str>,
}

impl Choice {
    /// The other ways to write it.
    fn others(&self) -> Vec<String> {
        let screaming = self.word.to_uppercase().replace('-', "_");
        [Some(screaming), Some(self.full.clone()), self.term.map(str::to_owned)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// The values of an enum, but the unspecified one.
fn choices(name: &str) -> Vec<Choice> {
    let values = schema::enumeration(name).into_iter().flat_map(|found| found.values().collect::<Vec<_>>());
    let choice = |value: EnumValueDescriptor| {
        let full = value.name().to_owned();
        let word = i18n::word(&full).unwrap_or(&full).to_lowercase().replace('_', "-");
        Choice { word, term: i18n::term(Lang::Zh, &full), full }
    };
    values.filter(|value| value.number() != 0).map(choice).collect()
}

/// The full name of what was typed.
fn meant(name: &str, typed: &str) -> Option<String> {
    let same = |choice: &Choice| choice.word == typed || choice.others().iter().any(|other| other == typed);
    choices(name).into_iter().find(same).map(|choice| choice.full)
}

/// A file that shows something: its name, size and digest; the file itself stays here.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Evidence {
    name: String,
    media_type: String,
    size: u64,
    sha256: String,
}

/// Reads `PATH` or `PATH=media/type`.
pub(crate) fn evidence(text: &str) -> Result<Evidence, String> {
    let (path, media_type) = match text.rsplit_once('=') {
        Some((path, media_type)) if media_type.contains('/') => (Path::new(path), media_type.to_owned()),
        _ => (Path::new(text), media_type(Path::new(text)).to_owned()),
    };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file's name is expected")?;
    let (size, sha256) = digest(path).map_err(|error| error.to_string())?;
    Ok(Evidence { name: name.to_owned(), media_type, size, sha256 })
}

fn digest(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut size, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok((size, hex::encode(hasher.finalize())));
        }
        hasher.update(&chunk[..read]);
        size += read as u64;
    }
}

/// What a file's ending says of its kind (RFC 6838).
fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase().as_str() {
        "pdf" => "application/pdf",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "json" => "application/json",
        "zip" => "application/zip",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "csv" => "text/csv",
        "txt" | "md" => "text/plain",
        _ => "application/octet-stream",
    }
}

/// What a task is to reach by a year.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Milestone {
    year: u32,
    statement: String,
}

/// Parses `YEAR=TEXT`.
pub(crate) fn milestone(text: &str) -> Result<Milestone, String> {
    let (year, statement) = text.split_once('=').ok_or("YEAR=TEXT is expected")?;
    let year = year.parse().map_err(|_| format!("{year} is no year"))?;
    Ok(Milestone { year, statement: statement.to_owned() })
}

/// An agency with its role in a task.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Assignee {
    agency: String,
    role: String,
    assignment_id: Option<String>,
}

/// Parses `AGENCY=ROLE` or `AGENCY=ROLE=ASSIGNMENT_ID`.
pub(crate) fn assignee(text: &str) -> Result<Assignee, String> {
    let mut parts = text.split('=');
    let agency = names::agency(parts.next().unwrap_or_default())?;
    let role = word_of("duban.tasks.v1.AssignmentRole", parts.next().ok_or("AGENCY=ROLE is expected")?)?;
    Ok(Assignee { agency, role, assignment_id: parts.next().map(str::to_owned) })
}

/// What is wrong with a report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    task: Option<String>,
    text: String,
}

/// Parses `TEXT` or `TASK=TEXT`.
pub(crate) fn finding(text: &str) -> Result<Finding, String> {
    let named = text.split_once('=').and_then(|(task, text)| Some((names::task(task).ok()?, text)));
    let (task, text) = named.map_or((None, text), |(task, text)| (Some(task), text));
    if text.is_empty() {
        return Err("TEXT or TASK=TEXT is expected".to_owned());
    }
    Ok(Finding { task, text: text.to_owned() })
}

/// What a report says of one task.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Item {
    task: String,
    self_assessment: String,
    progress: String,
}

/// Parses `TASK=LEVEL=TEXT`.
pub(crate) fn item(text: &str) -> Result<Item, String> {
    let mut parts = text.splitn(3, '=');
    let (Some(task), Some(level), Some(progress)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("TASK=LEVEL=TEXT is expected".to_owned());
    };
    let self_assessment = word_of("duban.call.v1.ProgressLevel", level)?;
    Ok(Item { task: names::task(task)?, self_assessment, progress: progress.to_owned() })
}

fn word_of(name: &str, typed: &str) -> Result<String, String> {
    meant(name, typed).ok_or_else(|| {
        let known = choices(name).into_iter().map(|choice| choice.word).collect::<Vec<_>>().join(", ");
        format!("{typed}: one of {known} is expected")
    })
}

/// Report items as a file holds them: a JSON array in proto JSON.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ItemsFile(pub(crate) Vec<serde_json::Value>);

/// Reads the file at a path.
pub(crate) fn items_file(path: &str) -> Result<ItemsFile, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map(ItemsFile).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use duban_proto::call::v1 as call;

    use super::*;

    #[test]
    fn a_level_is_a_word_or_the_official_term() {
        let level = call::ProgressLevel::Substantial.as_str_name();
        for typed in ["substantial", "实质进展", level] {
            assert_eq!(item(&format!("t1={typed}=done = most")).unwrap().self_assessment, level, "{typed}");
        }
        assert_eq!(item("t1=limited=a=b").unwrap().progress, "a=b");
        assert!(item("t1=great=x").unwrap_err().contains("no-evidence"));
    }

    #[test]
    fn a_finding_may_name_a_task() {
        assert_eq!(finding("t1=no proof").unwrap().task.as_deref(), Some("tasks/t1"));
        assert_eq!(finding("not signed").unwrap().task, None);
    }

    #[test]
    fn evidence_is_a_file_by_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pdf");
        std::fs::write(&path, "abc").unwrap();
        let found = evidence(path.to_str().unwrap()).unwrap();
        assert_eq!(
            (found.name.as_str(), found.media_type.as_str(), found.size),
            ("a.pdf", "application/pdf", 3)
        );
        assert!(found.sha256.starts_with("ba7816bf"));
        assert!(evidence("/no/such/file").is_err());
    }
}
