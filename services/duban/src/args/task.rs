//! 事项: the commands and queries about tasks.

use clap::Subcommand;
use serde::Serialize;

use super::context::{Context, Step};
use super::names::{self, Task};
use super::query::{List, Show};
use super::values::{self, Assignee, Evidence, Milestone};

#[derive(Debug, Subcommand, Serialize)]
#[serde(untagged)]
pub(crate) enum TaskCommand {
    /// All tasks
    List(List),
    /// One task
    Show(Show<Task>),
    /// 拟办: propose a task
    Propose(Propose),
    /// 立项: register a proposed task
    Register(Step<Task>),
    /// 交办: dispatch a registered task to its agencies
    Dispatch(Dispatch),
    /// 自评: say how far your agency has come
    Progress(Progress),
    /// 核验: record what was found by checking
    Verify(Verify),
    /// 申请办结: ask to close a task
    RequestClosure(RequestClosure),
    /// 退回重办: return a task to its agencies; needs --reason
    Return(Step<Task>),
    /// 办结: judge a task done
    Complete(Complete),
    /// 销号: strike a completed task off
    StrikeOff(Step<Task>),
    /// 归档: archive a task that was struck off
    Archive(Step<Task>),
    /// 中止: suspend a task; needs --reason
    Suspend(Step<Task>),
    /// 恢复: resume a suspended task
    Resume(Step<Task>),
    /// 撤销: withdraw a task; needs --reason
    Withdraw(Step<Task>),
    /// 再交办: reopen a task that was done; needs --reason
    Reopen(Step<Task>),
}

impl TaskCommand {
    pub(crate) fn rpc(&self) -> String {
        let method = match self {
            Self::List(_) => "ListTasks",
            Self::Show(_) => "GetTask",
            Self::Propose(_) => "ProposeTask",
            Self::Register(_) => "RegisterTask",
            Self::Dispatch(_) => "DispatchTask",
            Self::Progress(_) => "RecordProgress",
            Self::Verify(_) => "VerifyProgress",
            Self::RequestClosure(_) => "RequestClosure",
            Self::Return(_) => "ReturnTask",
            Self::Complete(_) => "CompleteTask",
            Self::StrikeOff(_) => "StrikeOffTask",
            Self::Archive(_) => "ArchiveTask",
            Self::Suspend(_) => "SuspendTask",
            Self::Resume(_) => "ResumeTask",
            Self::Withdraw(_) => "WithdrawTask",
            Self::Reopen(_) => "ReopenTask",
        };
        format!("duban.tasks.v1.TaskService/{method}")
    }
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Propose {
    /// 标题: the title
    title: String,
    /// The id to be [default: the server makes one]
    #[arg(long = "id", value_name = "ID")]
    task_id: Option<String>,
    /// Its label in the document as printed
    #[arg(long)]
    label: Option<String>,
    /// The document that asks for it
    #[arg(long, value_parser = names::document)]
    document: Option<String>,
    /// A clause that asks for it; may be repeated
    #[arg(long = "clause", value_name = "DOCUMENT/CLAUSE", value_parser = names::clause)]
    clauses: Vec<String>,
    /// On which supervision track
    #[arg(long, value_parser = values::enumeration("duban.tasks.v1.TaskTrack"))]
    track: String,
    /// The task that it is a part of
    #[arg(long, value_name = "TASK", value_parser = names::task)]
    parent: Option<String>,
    /// What is to be reached by a year; may be repeated
    #[arg(long = "milestone", value_name = "YEAR=TEXT", value_parser = values::milestone)]
    milestones: Vec<Milestone>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Dispatch {
    /// Which task
    #[arg(value_parser = names::task)]
    task: String,
    /// An agency and its role (lead, co-lead, responsible, supporting); may be repeated
    #[arg(long = "assign", value_name = "AGENCY=ROLE[=ID]", value_parser = values::assignee, required = true)]
    assignments: Vec<Assignee>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Progress {
    /// Which task
    #[arg(value_parser = names::task)]
    task: String,
    /// How far, in your agency's own judgement
    #[arg(long, value_parser = values::enumeration("duban.call.v1.ProgressLevel"))]
    level: String,
    /// What was done
    #[arg(long)]
    text: String,
    /// 佐证材料: a file that shows it; may be repeated
    #[arg(long, value_name = "FILE[=TYPE]", value_parser = values::evidence)]
    evidence: Vec<Evidence>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Verify {
    /// Which task
    #[arg(value_parser = names::task)]
    task: String,
    /// How far, as verified
    #[arg(long, value_parser = values::enumeration("duban.call.v1.ProgressLevel"))]
    level: String,
    /// What was found
    #[arg(long)]
    text: String,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct RequestClosure {
    /// Which task
    #[arg(value_parser = names::task)]
    task: String,
    /// Why it is done
    #[arg(long, value_name = "TEXT")]
    statement: String,
    /// 佐证材料: a file that shows it; may be repeated
    #[arg(long, value_name = "FILE[=TYPE]", value_parser = values::evidence)]
    evidence: Vec<Evidence>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Complete {
    /// Which task
    #[arg(value_parser = names::task)]
    task: String,
    /// 办结结论: why it counts as done
    #[arg(long, value_name = "TEXT")]
    judgement: String,
    /// 佐证材料: a file that shows it; may be repeated
    #[arg(long, value_name = "FILE[=TYPE]", value_parser = values::evidence)]
    evidence: Vec<Evidence>,
    #[command(flatten)]
    context: Context,
}
