//! The command line as it is typed. Each client command is a struct that serialises to its request in proto
//! JSON, so that what can be typed and what is sent are one description; `run` needs only the RPC's name
//! beside it. Nothing here talks to a server.

mod agency;
mod assignment;
mod client;
mod context;
mod cycle;
mod document;
mod event;
mod evidence;
mod key;
mod migrate;
mod moving;
mod names;
mod proof;
mod query;
mod report;
mod responsibility;
mod serve;
mod task;
mod tree;
mod values;
mod verify;
mod witness;

use clap::{Parser, Subcommand};
use serde::Serialize;
use serde_json::Value;

pub(crate) use client::ClientArgs;
pub(crate) use client::ROLES;
pub(crate) use event::{EventCommand, Follow, Listing};
pub(crate) use evidence::EvidenceArgs;
pub(crate) use key::{KeyArgs, KeyCommand};
pub(crate) use migrate::{MigrateAction, MigrateArgs};
pub(crate) use moving::{BackupArgs, ExportArgs, LoadArgs, RestoreArgs};
pub(crate) use proof::ProveCommand;
pub(crate) use responsibility::{WHO, Who};
pub use serve::Service;
pub(crate) use serve::{AdminAddress, DEFAULT_LISTEN, HealthyArgs, LogFormat, RebuildArgs, ServeArgs};
pub(crate) use tree::{TreeCommand, given, is_off};
pub(crate) use verify::VerifyArgs;
pub(crate) use witness::{CircleArgs, OfficeArgs, WitnessCommand, WitnessServeArgs};

/// What a script needs to know.
const EXIT_CODES: &str = "Exit codes: 0 done, 1 another failure, 2 usage, 3 not found, 4 not allowed, \
    5 conflict or precondition, 6 unavailable, 7 verification failed";

/// duban (督办): who answers for what, since when, and how we know.
#[derive(Debug, Parser)]
#[command(name = "duban", version, max_term_width = 110, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    // How to reach the services and how to show what they answer.
    #[command(flatten, next_help_heading = "Client options")]
    pub(crate) client: ClientArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
// Made once, when the program starts: its size is nobody's cost.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the services on a log in a folder
    Serve(ServeArgs),
    /// Build a view anew from the log and put it in the old one's place
    Rebuild(RebuildArgs),
    /// Bring the schema of a Postgres database up to date
    Migrate(MigrateArgs),
    /// 导出: write the log to a folder, to be loaded elsewhere or checked
    Export(ExportArgs),
    /// 载入: make a log of an export, on SQLite or on Postgres
    Load(LoadArgs),
    /// 核验: verify a log offline, against what was signed: exit code 7 if anything is wrong
    Verify(VerifyArgs),
    /// 备份: copy the log of a folder into one file, while its server runs
    Backup(BackupArgs),
    /// 恢复: go on from a backup, in a new epoch
    Restore(RestoreArgs),
    /// 密钥: the keys that sign the log's checkpoints: list, announce, retire
    #[command(subcommand)]
    Key(KeyCommand),
    /// 存证树: write the audit trees of a database out as folders
    #[command(subcommand)]
    Tree(TreeCommand),
    /// 见证: cosign the checkpoints of another office's log, or carry cosignatures by hand
    #[command(subcommand)]
    Witness(WitnessCommand),
    /// Ask a server on this machine whether it is ready: exit code 0 if it is
    Healthy(HealthyArgs),
    /// 佐证: write a file that shows who answered for a task, and how anybody can check it
    Evidence(EvidenceArgs),
    /// 导入: check a seed and send its commands
    Import(ImportArgs),
    /// Ask the services
    #[command(flatten)]
    Client(ClientCommand),
}

/// A seed to import.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The seed's folder
    #[arg(value_name = "DIR")]
    pub(crate) seed: std::path::PathBuf,
    /// Play it into a throw-away log, show what it would record, and leave the real log alone
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// A command for the services, by what it is about.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// 事项: tasks, from proposal to archive
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// 承办: assignments, one agency's part in one task
    #[command(subcommand)]
    Assignment(assignment::AssignmentCommand),
    /// 机构: agencies and their names
    #[command(subcommand)]
    Agency(agency::AgencyCommand),
    /// 政策文件: documents, their anomalies and readings
    #[command(subcommand)]
    Document(document::DocumentCommand),
    /// 报送: reports, from draft to acceptance
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// 报送周期: cycles and who owes a report in them
    #[command(subcommand)]
    Cycle(cycle::CycleCommand),
    /// 事件: the log itself
    #[command(subcommand)]
    Event(EventCommand),
    /// 检查点: the newest signed checkpoint of the audit tree
    Checkpoint(proof::Checkpoint),
    /// 存证: proofs that the log is what it was, and that what it shows is in it
    #[command(subcommand)]
    Prove(ProveCommand),
    /// 溯源: why a resource is as it is, with the events behind each field
    Explain(event::Explain),
    /// 谁负责: who answers for a task
    Who(responsibility::Who),
    /// 负责什么: what an agency answers for
    What(responsibility::What),
    /// 责任矩阵: every task with every agency that answers for it
    Matrix(responsibility::Matrix),
}

/// One request to one RPC.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    /// `package.Service/Method`.
    pub(crate) rpc: String,
    /// The request in proto JSON, with the proto's field names.
    pub(crate) request: Value,
}

impl Ask {
    /// Of what serialises to the request of `rpc`.
    pub(crate) fn new(rpc: impl Into<String>, request: &impl Serialize) -> Result<Self, String> {
        let request = serde_json::to_value(request).map_err(|error| error.to_string())?;
        Ok(Self { rpc: rpc.into(), request: said(request) })
    }
}

impl ClientCommand {
    /// The request that was typed; of an event command, only what is no listing. An error says what can't
    /// be meant.
    pub(crate) fn ask(&self) -> Result<Ask, String> {
        match self {
            Self::Task(command) => Ask::new(command.rpc(), command),
            Self::Assignment(command) => Ask::new(command.rpc(), command),
            Self::Agency(command) => command.ask(),
            Self::Document(command) => Ask::new(command.rpc(), command),
            Self::Report(command) => command.ask(),
            Self::Cycle(command) => command.ask(),
            Self::Event(command) => command.ask(),
            Self::Checkpoint(checkpoint) => checkpoint.ask(),
            Self::Prove(command) => command.ask(),
            Self::Explain(explain) => Ask::new(event::EXPLAIN, explain),
            Self::Who(who) => Ask::new(responsibility::WHO, who),
            Self::What(what) => Ask::new(responsibility::WHAT, what),
            Self::Matrix(matrix) => Ask::new(responsibility::MATRIX, matrix),
        }
    }
}

/// What was said and nothing else: an option that wasn't typed leaves its field out.
fn said(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, said(value))).filter(spoken).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(said).collect()),
        other => other,
    }
}

fn spoken((_, value): &(String, Value)) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests;
