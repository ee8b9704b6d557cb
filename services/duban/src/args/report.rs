//! 报送: the commands and queries about reports.

use clap::Subcommand;
use serde::Serialize;
use serde_json::{Value, json};

use super::Ask;
use super::context::{Context, Step};
use super::names::{self, Report};
use super::query::{List, Show};
use super::values::{self, Finding, Item, ItemsFile};

#[derive(Debug, Subcommand, Serialize)]
#[serde(untagged)]
pub(crate) enum ReportCommand {
    /// The reports that you may read
    List(List),
    /// One report
    Show(Show<Report>),
    /// 草拟: draft your agency's report in a cycle
    #[serde(skip)]
    Draft(Draft),
    /// 修改: revise items of a report
    #[serde(skip)]
    Revise(Revise),
    /// 审签: endorse it inside your agency
    Endorse(Step<Report>),
    /// 报送: submit it
    Submit(Step<Report>),
    /// 签收: receive it
    Receive(Step<Report>),
    /// 采纳: accept it
    Accept(Step<Report>),
    /// 退回: return it with findings; needs --reason
    Return(Return),
    /// 更正: start the correction of an accepted report; needs --reason
    Correct(Correct),
}

impl ReportCommand {
    pub(crate) fn ask(&self) -> Result<Ask, String> {
        let method = match self {
            Self::List(_) => "ListReports",
            Self::Show(_) => "GetReport",
            Self::Draft(draft) => return Ask::new(rpc("DraftReport"), &draft.request()?),
            Self::Revise(revise) => return Ask::new(rpc("ReviseReport"), &revise.request()?),
            Self::Endorse(_) => "EndorseReport",
            Self::Submit(_) => "SubmitReport",
            Self::Receive(_) => "ReceiveReport",
            Self::Accept(_) => "AcceptReport",
            Self::Return(_) => "ReturnReport",
            Self::Correct(_) => "CorrectReport",
        };
        Ask::new(rpc(method), self)
    }
}

fn rpc(method: &str) -> String {
    format!("duban.reports.v1.ReportService/{method}")
}

#[derive(Debug, clap::Args)]
struct Items {
    /// What to say of one task: how far, and what was done; may be repeated
    #[arg(long = "item", value_name = "TASK=LEVEL=TEXT", value_parser = values::item)]
    items: Vec<Item>,
    /// A file of items in proto JSON: an array, with difficulties, next steps and evidence
    #[arg(long = "items", id = "items_file", value_name = "FILE", value_parser = values::items_file)]
    file: Option<ItemsFile>,
}

impl Items {
    fn all(&self) -> Result<Vec<Value>, String> {
        let typed =
            self.items.iter().map(|item| serde_json::to_value(item).map_err(|error| error.to_string()));
        let read = self.file.iter().flat_map(|file| file.0.iter().cloned()).map(Ok);
        read.chain(typed).collect()
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Draft {
    /// The cycle in which your agency has an obligation
    #[arg(value_name = "YEAR", value_parser = names::cycle)]
    cycle: String,
    /// The id to be [default: the server makes one]
    #[arg(long = "id", value_name = "ID")]
    report_id: Option<String>,
    #[command(flatten)]
    items: Items,
    #[command(flatten)]
    context: Context,
}

impl Draft {
    fn request(&self) -> Result<Value, String> {
        let items = self.items.all()?;
        Ok(
            json!({ "cycle": self.cycle, "report_id": self.report_id, "items": items, "context": self.context }),
        )
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Revise {
    /// Which report
    #[arg(value_parser = names::report)]
    report: String,
    #[command(flatten)]
    items: Items,
    #[command(flatten)]
    context: Context,
}

impl Revise {
    fn request(&self) -> Result<Value, String> {
        let report = json!({ "name": self.report, "items": self.items.all()? });
        Ok(json!({ "report": report, "update_mask": "items", "context": self.context }))
    }
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Return {
    /// Which report
    #[arg(value_parser = names::report)]
    report: String,
    /// 退回意见: what is wrong, of one task or of the whole; may be repeated
    #[arg(long = "finding", value_name = "[TASK=]TEXT", value_parser = values::finding, required = true)]
    findings: Vec<Finding>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Correct {
    /// Which report
    #[arg(value_parser = names::report)]
    report: String,
    /// The correction's id [default: the server makes one]
    #[arg(long = "id", value_name = "ID")]
    report_id: Option<String>,
    #[command(flatten)]
    context: Context,
}
