//! The options of what moves a log: export, load, backup, restore.

use std::path::PathBuf;

use duban_log::Location;

use super::serve::LogArgs;
use super::tree::place;

// No doc comments here: they would become the commands' own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ExportArgs {
    // Where the log is.
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// The folder to export to; made if absent. Broken off, the same command goes on
    #[arg(long, value_name = "PATH")]
    pub(crate) to: PathBuf,
    /// End the log here, for good: it goes on where the export is loaded, under the same identity. Its server must
    /// be stopped; a Postgres log is sealed by the role that owns it
    #[arg(long)]
    pub(crate) seal: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LoadArgs {
    /// The folder of the export
    #[arg(value_name = "PATH")]
    pub(crate) from: PathBuf,
    // Where the log will be: an empty folder, or a migrated database as the role that owns it.
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// The folder or the database of the audit trees of the log as it was: the event that opens the new epoch then
    /// names the last checkpoint of the one before
    #[arg(long, env = "DUBAN_TREE", value_name = "DIR|URL", hide_env_values = true, value_parser = place)]
    pub(crate) tree: Option<Location>,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BackupArgs {
    /// The folder of the log; its server may be running
    #[arg(long, env = "DUBAN_DATA", value_name = "DIR", default_value = "./duban-data")]
    pub(crate) data: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The backup; none with --log, for a database that Postgres' own means have put back
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    // Where the log will be, or is: a folder without one, or the database as the role that owns it.
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// The folder or the database of the audit trees of the log as it was: the event that opens the new epoch then
    /// names the last checkpoint of the one before
    #[arg(long, env = "DUBAN_TREE", value_name = "DIR|URL", hide_env_values = true, value_parser = place)]
    pub(crate) tree: Option<Location>,
}
