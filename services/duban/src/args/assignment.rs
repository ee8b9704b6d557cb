//! 承办: the commands and queries about assignments.

use clap::Subcommand;
use jiff::civil::Date;
use serde::Serialize;

use super::context::{Context, Step};
use super::names::{self, Assignment};
use super::query::{List, Show};
use super::values;

const ROLE: &str = "duban.tasks.v1.AssignmentRole";

#[derive(Debug, Subcommand, Serialize)]
#[serde(untagged)]
pub(crate) enum AssignmentCommand {
    /// The assignments of one task or of all
    List(ListAssignments),
    /// One assignment
    Show(Show<Assignment>),
    /// 交办: assign an agency to a dispatched task
    Assign(Assign),
    /// 签收: take an assignment
    Acknowledge(Step<Assignment>),
    /// 退办: say why your agency is not the one to answer
    Contest(Contest),
    /// 维持: uphold a contested assignment
    Uphold(Step<Assignment>),
    /// 改派: hand the rest of its period to another agency
    Reassign(Reassign),
    /// 解除: release the agency
    Release(Step<Assignment>),
    /// 角色认定: read the role otherwise
    Reinterpret(Reinterpret),
    /// 更正起止日: move the boundary between two periods; needs --reason
    CorrectBoundary(CorrectBoundary),
}

impl AssignmentCommand {
    pub(crate) fn rpc(&self) -> String {
        let method = match self {
            Self::List(_) => "ListAssignments",
            Self::Show(_) => "GetAssignment",
            Self::Assign(_) => "AssignAgency",
            Self::Acknowledge(_) => "AcknowledgeAssignment",
            Self::Contest(_) => "ContestAssignment",
            Self::Uphold(_) => "UpholdAssignment",
            Self::Reassign(_) => "ReassignAssignment",
            Self::Release(_) => "ReleaseAssignment",
            Self::Reinterpret(_) => "ReinterpretRole",
            Self::CorrectBoundary(_) => "CorrectBoundary",
        };
        format!("duban.tasks.v1.AssignmentService/{method}")
    }
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct ListAssignments {
    /// Of which task; `-` for all
    #[arg(value_name = "TASK", value_parser = names::task, default_value = "-")]
    parent: String,
    #[command(flatten)]
    #[serde(flatten)]
    list: List,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Assign {
    /// Which task
    #[arg(value_parser = names::task)]
    task: String,
    /// Who
    #[arg(value_parser = names::agency)]
    agency: String,
    /// In which role
    #[arg(long, value_parser = values::enumeration(ROLE))]
    role: String,
    /// The id to be [default: the server makes one]
    #[arg(long = "id", value_name = "ID")]
    assignment_id: Option<String>,
    /// The day after the last one [default: no end]
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Contest {
    /// Which assignment
    #[arg(value_name = "TASK/ASSIGNMENT", value_parser = names::assignment)]
    assignment: String,
    /// 退办理由: why your agency is not the one to answer
    #[arg(long, value_name = "TEXT")]
    grounds: String,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Reassign {
    /// Which assignment
    #[arg(value_name = "TASK/ASSIGNMENT", value_parser = names::assignment)]
    assignment: String,
    /// Who takes over
    #[arg(value_parser = names::agency)]
    agency: String,
    /// In which role [default: the same]
    #[arg(long, value_parser = values::enumeration(ROLE))]
    role: Option<String>,
    /// The new assignment's id [default: the server makes one]
    #[arg(long = "id", value_name = "ID")]
    new_assignment_id: Option<String>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Reinterpret {
    /// Which assignment
    #[arg(value_name = "TASK/ASSIGNMENT", value_parser = names::assignment)]
    assignment: String,
    /// The other role
    #[arg(long, value_parser = values::enumeration(ROLE))]
    role: String,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct CorrectBoundary {
    /// The right date: the first day of the later one, the first day without the earlier one
    #[arg(value_name = "DATE")]
    #[serde(rename = "on")]
    boundary: Date,
    /// The assignment that ends there
    #[arg(long, value_name = "TASK/ASSIGNMENT", value_parser = names::assignment, required_unless_present = "later")]
    earlier: Option<String>,
    /// The assignment that begins there
    #[arg(long, value_name = "TASK/ASSIGNMENT", value_parser = names::assignment)]
    later: Option<String>,
    #[command(flatten)]
    context: Context,
}
