//! Resource names as they are typed: in full (`tasks/a/assignments/b`) or their ids alone (`a/b`).

use std::fmt::Debug;

use serde::Serialize;

/// A resource name of one kind. Whether such a thing exists, the server knows.
pub(crate) trait Resource: Clone + Debug + Send + Sync + Serialize + 'static {
    /// The field of a command's request that holds it.
    const FIELD: &'static str;
    /// How the help calls it.
    const SHOWN: &'static str;

    /// The full name of what was typed.
    fn parse(text: &str) -> Result<Self, String>;
}

macro_rules! resources {
    ($($kind:ident $parse:ident $field:literal $shown:literal: $collections:expr;)*) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub(crate) struct $kind(String);

        impl Resource for $kind {
            const FIELD: &'static str = $field;
            const SHOWN: &'static str = $shown;

            fn parse(text: &str) -> Result<Self, String> {
                $parse(text).map(Self)
            }
        }

        pub(crate) fn $parse(text: &str) -> Result<String, String> {
            full_name(&$collections, text)
        }
    )*};
}

resources! {
    Document document "document" "DOCUMENT": ["documents"];
    Reading reading "reading" "DOCUMENT/READING": ["documents", "readings"];
    Agency agency "agency" "AGENCY": ["agencies"];
    Task task "task" "TASK": ["tasks"];
    Assignment assignment "assignment" "TASK/ASSIGNMENT": ["tasks", "assignments"];
    Cycle cycle "cycle" "YEAR": ["cycles"];
    Obligation obligation "obligation" "YEAR/AGENCY": ["cycles", "obligations"];
    Report report "report" "REPORT": ["reports"];
}

pub(crate) fn anomaly(text: &str) -> Result<String, String> {
    full_name(&["documents", "anomalies"], text)
}

pub(crate) fn clause(text: &str) -> Result<String, String> {
    full_name(&["documents", "clauses"], text)
}

/// The full name of what was typed: `collections` and ids by turns, or the ids alone.
fn full_name(collections: &[&str], text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let expected = || {
        let ids = vec!["ID"; collections.len()].join("/");
        let full = collections.iter().map(|name| format!("{name}/ID")).collect::<Vec<_>>().join("/");
        format!("{ids} or {full} is expected")
    };
    if parts.iter().any(|part| part.is_empty() || part.chars().any(char::is_whitespace)) {
        return Err(expected());
    }
    let named = parts.iter().step_by(2).eq(collections.iter());
    if parts.len() == 2 * collections.len() && named {
        Ok(text.to_owned())
    } else if parts.len() == collections.len() {
        let pairs = collections.iter().zip(parts).map(|(collection, id)| format!("{collection}/{id}"));
        Ok(pairs.collect::<Vec<_>>().join("/"))
    } else {
        Err(expected())
    }
}

/// The document, or a clause of it, that a command rests on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Passage {
    document: String,
    clause: Option<String>,
}

/// Parses a document or a clause.
pub(crate) fn passage(text: &str) -> Result<Passage, String> {
    if let Ok(document) = document(text) {
        return Ok(Passage { document, clause: None });
    }
    let clause = clause(text)?;
    let document = clause.split('/').take(2).collect::<Vec<_>>().join("/");
    Ok(Passage { document, clause: Some(clause) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_id_and_a_full_name_mean_the_same() {
        assert_eq!(task("t1").unwrap(), "tasks/t1");
        assert_eq!(task("tasks/t1").unwrap(), "tasks/t1");
        assert_eq!(assignment("t1/a1").unwrap(), "tasks/t1/assignments/a1");
        assert_eq!(assignment("tasks/t1/assignments/a1").unwrap(), "tasks/t1/assignments/a1");
    }

    #[test]
    fn another_kind_of_name_is_refused_with_what_is_expected() {
        let refused = task("agencies/a1").unwrap_err();
        assert_eq!(refused, "ID or tasks/ID is expected");
        for wrong in ["", "a/", "/a", "a b", "tasks/t/assignments/a/x", "t/assignments/a"] {
            assert!(assignment(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_clause_says_its_document_too() {
        let passage = passage("d/c").unwrap();
        assert_eq!(
            (passage.document.as_str(), passage.clause.as_deref()),
            ("documents/d", Some("documents/d/clauses/c"))
        );
        let whole = super::passage("documents/d").unwrap();
        assert_eq!((whole.document.as_str(), whole.clause), ("documents/d", None));
    }
}
