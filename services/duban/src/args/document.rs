//! 政策文件: the commands and queries about documents, their anomalies and readings. A document itself is
//! registered by importing a seed.

use clap::Subcommand;
use jiff::civil::Date;
use serde::Serialize;

use super::context::{Context, Step};
use super::names::{self, Document, Reading};
use super::query::{List, ListUnder, Show};
use super::values;

#[derive(Debug, Subcommand, Serialize)]
#[serde(untagged)]
pub(crate) enum DocumentCommand {
    /// All documents
    List(List),
    /// One document with its text
    Show(Show<Document>),
    /// 认定: how its damaged or silent places are read
    Readings(ListUnder<Document>),
    /// 异常: where its text is damaged, contradictory or silent
    Anomalies(ListUnder<Document>),
    /// Every event that rests on a reading
    Dependents(Dependents),
    /// Supply its number (发文字号) or date (成文日期)
    Identify(Identify),
    /// 废止: repeal it as of --effective-on; needs --reason
    Repeal(Step<Document>),
    /// 异常: record damage of its text
    RecordAnomaly(RecordAnomaly),
    /// 认定: adopt a reading; needs --reason
    Adopt(Adopt),
    /// 撤回认定: withdraw a reading; needs --reason
    Withdraw(Step<Reading>),
}

impl DocumentCommand {
    pub(crate) fn rpc(&self) -> String {
        let method = match self {
            Self::List(_) => "ListDocuments",
            Self::Show(_) => "GetDocument",
            Self::Readings(_) => "ListReadings",
            Self::Anomalies(_) => "ListAnomalies",
            Self::Dependents(_) => "ListDependents",
            Self::Identify(_) => "IdentifyDocument",
            Self::Repeal(_) => "RepealDocument",
            Self::RecordAnomaly(_) => "RecordAnomaly",
            Self::Adopt(_) => "AdoptReading",
            Self::Withdraw(_) => "WithdrawReading",
        };
        format!("duban.tasks.v1.DocumentService/{method}")
    }
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Dependents {
    /// Which reading
    #[arg(value_name = "DOCUMENT/READING", value_parser = names::reading)]
    reading: String,
    #[command(flatten)]
    #[serde(flatten)]
    list: List,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Identify {
    /// Which document
    #[arg(value_parser = names::document)]
    document: String,
    /// 发文字号: its number
    #[arg(long, value_name = "TEXT", required_unless_present = "issued_on")]
    number: Option<String>,
    /// 成文日期: the date it bears
    #[arg(long, value_name = "DATE")]
    issued_on: Option<Date>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct RecordAnomaly {
    /// Which document
    #[arg(value_parser = names::document)]
    document: String,
    /// The id to be [default: the server makes one]
    #[arg(long = "id", value_name = "ID")]
    anomaly_id: Option<String>,
    /// What kind of damage
    #[arg(long, value_parser = values::enumeration("duban.tasks.v1.AnomalyKind"))]
    kind: String,
    /// The first line that it concerns
    #[arg(long, value_name = "LINE")]
    first_line: u32,
    /// The last line that it concerns
    #[arg(long, value_name = "LINE")]
    last_line: u32,
    /// What stands there, as it came
    #[arg(long, value_name = "TEXT")]
    found: Option<String>,
    /// What is wrong with it
    #[arg(long, value_name = "TEXT")]
    description: String,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Adopt {
    /// Which document
    #[arg(value_parser = names::document)]
    document: String,
    /// The id to be [default: the server makes one]
    #[arg(long = "id", value_name = "ID")]
    reading_id: Option<String>,
    /// An anomaly that it settles; may be repeated
    #[arg(long = "anomaly", value_name = "DOCUMENT/ANOMALY", value_parser = names::anomaly)]
    anomalies: Vec<String>,
    /// What is taken to be so
    #[arg(long, value_name = "TEXT")]
    statement: String,
    /// What else it could mean; may be repeated
    #[arg(long = "alternative", value_name = "TEXT")]
    alternatives: Vec<String>,
    /// How sure
    #[arg(long, value_parser = values::enumeration("duban.tasks.v1.Confidence"))]
    confidence: String,
    /// The first line that it concerns
    #[arg(long, value_name = "LINE")]
    first_line: u32,
    /// The last line that it concerns
    #[arg(long, value_name = "LINE")]
    last_line: u32,
    /// The reading whose place it takes
    #[arg(long, value_name = "DOCUMENT/READING", value_parser = names::reading)]
    supersedes: Option<String>,
    #[command(flatten)]
    context: Context,
}
