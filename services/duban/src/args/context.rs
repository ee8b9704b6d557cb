//! What every command carries beside its own fields, and a command that has nothing else.

use jiff::civil::Date;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::names::{self, Passage, Resource};

// No doc comments on flattened structs: they would become the command's own.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct Context {
    /// The command's id: send the same one again to retry [default: a new one]
    #[arg(long, value_name = "UUID", help_heading = HEADING)]
    request_id: Option<Uuid>,
    /// From which date it holds [default: today]
    #[arg(long, value_name = "DATE", help_heading = HEADING)]
    effective_on: Option<Date>,
    /// On which agency's behalf you act
    #[arg(long, value_name = "AGENCY", value_parser = names::agency, help_heading = HEADING)]
    on_behalf_of: Option<String>,
    #[command(flatten)]
    basis: Basis,
    /// 理由: why
    #[arg(long, value_name = "TEXT", help_heading = HEADING)]
    reason: Option<String>,
    /// A reading that it rests on; may be repeated
    #[arg(long = "reading", value_name = "DOCUMENT/READING", value_parser = names::reading, help_heading = HEADING)]
    readings: Vec<String>,
    /// The resource's etag as you saw it: refused if it has changed since
    #[arg(long, help_heading = HEADING)]
    etag: Option<String>,
    /// 试算: check everything, write nothing
    #[arg(long, help_heading = HEADING)]
    validate_only: bool,
}

const HEADING: &str = "Every command";

#[derive(Debug, Clone, clap::Args, Serialize)]
struct Basis {
    /// 依据: the document or clause that it rests on
    #[arg(long = "basis", value_name = "DOCUMENT[/CLAUSE]", value_parser = names::passage, help_heading = HEADING)]
    #[serde(flatten)]
    passage: Option<Passage>,
    /// 发文字号: the number of the document that it rests on, as printed
    #[arg(long = "basis-number", value_name = "TEXT", help_heading = HEADING)]
    document_number: Option<String>,
}

// A command with nothing but its subject.
#[derive(Debug, clap::Args)]
pub(crate) struct Step<N: Resource> {
    /// What it happens to: the name in full or its ids
    #[arg(value_name = N::SHOWN, value_parser = N::parse)]
    subject: N,
    #[command(flatten)]
    context: Context,
}

impl<N: Resource> Serialize for Step<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut request = serializer.serialize_map(Some(2))?;
        request.serialize_entry(N::FIELD, &self.subject)?;
        request.serialize_entry("context", &self.context)?;
        request.end()
    }
}
