//! The options of `duban migrate`.

use clap::Subcommand;

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct MigrateArgs {
    /// The Postgres database of the log, as the role that owns it: postgres://role:password@host:port/database
    #[arg(long, env = "DUBAN_LOG", value_name = "URL", hide_env_values = true)]
    pub(crate) log: String,
    /// What to do.
    #[command(subcommand)]
    pub(crate) action: MigrateAction,
}

/// What to do with the schema.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum MigrateAction {
    /// Which migrations there are, and which the database has
    Status,
    /// Apply those that it has not, each in a transaction of its own
    Up {
        /// The role that will serve: it may read the log and call its functions, and owns the views
        #[arg(long, env = "DUBAN_APP_ROLE", value_name = "ROLE")]
        app_role: Option<String>,
        /// Print the SQL of what would be applied, and apply nothing
        #[arg(long)]
        dry_run: bool,
    },
}
