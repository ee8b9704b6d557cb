//! 见证: a witness's own commands, and whom a log asks to cosign.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;
use duban_log::Location;
use duban_merkle::{KeyName, Verifier};
use duban_tree::witness::Endpoint;

use super::serve::LogFormat;
use super::tree::place;

/// Where a witness listens, unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:7352";

/// A witness's work.
#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Run a witness: cosign the checkpoints of logs that have only grown (C2SP tlog-witness)
    Serve(WitnessServeArgs),
    /// Show the witness's public key, for the logs and the auditors; with --name, make one if there is none
    Key {
        /// The witness's folder
        #[arg(long, env = "DUBAN_WITNESS", value_name = "DIR", default_value = "./duban-witness")]
        folder: PathBuf,
        /// What the key shall be called, best a URL without scheme, as witness.example.gov.cn
        #[arg(long, value_name = "NAME")]
        name: Option<KeyName>,
    },
    /// On the log's side: write a request to cosign the published checkpoint, to be carried to a witness
    Request {
        /// The folder of the tree, or the folder or the database of the trees if there is one tree in it; one of several
        /// in a database is named behind a # at the URL's end
        #[arg(long, env = "DUBAN_TREE", value_name = "DIR|URL", hide_env_values = true, value_parser = place)]
        tree: Location,
        /// The size that the witness has cosigned last; 0 if none
        #[arg(long, value_name = "N", default_value_t = 0)]
        old_size: u64,
        /// The file to write
        #[arg(long, short = 'f', value_name = "FILE")]
        to: PathBuf,
    },
    /// On the witness's side: cosign the checkpoint of a request, and write the cosigned note
    Sign {
        /// The request
        #[arg(value_name = "FILE")]
        request: PathBuf,
        /// The file to write
        #[arg(long, short = 'f', value_name = "FILE")]
        to: PathBuf,
        // Which witness, for which logs.
        #[command(flatten)]
        office: OfficeArgs,
    },
    /// On the log's side: take a cosigned note that was carried back
    Accept {
        /// The cosigned note
        #[arg(value_name = "FILE")]
        note: PathBuf,
        /// The folder of the tree, or the folder or the database of the trees if there is one tree in it; one of several
        /// in a database is named behind a # at the URL's end
        #[arg(long, env = "DUBAN_TREE", value_name = "DIR|URL", hide_env_values = true, value_parser = place)]
        tree: Location,
        /// The witness's public key
        #[arg(long, value_name = "VKEY")]
        witness: Verifier,
    },
}

// No doc comments from here on: they would become the commands' own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OfficeArgs {
    /// The witness's folder: its key, and what it has cosigned. Never put it back from a backup
    #[arg(long, env = "DUBAN_WITNESS", value_name = "DIR", default_value = "./duban-witness")]
    pub(crate) folder: PathBuf,
    /// A log to cosign for: its public key, called like its origin, or the origin and the key; may be given several
    /// times
    #[arg(long = "log-key", env = "DUBAN_WITNESS_LOGS", value_name = "[ORIGIN=]VKEY", value_delimiter = ',')]
    pub(crate) logs: Vec<String>,
    /// A file of logs to cosign for: in TOML, for each a table `log` with its origin and its keys
    #[arg(long = "log-keys", env = "DUBAN_WITNESS_LOGS_FILE", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WitnessServeArgs {
    // Which witness, for which logs.
    #[command(flatten)]
    pub(crate) office: OfficeArgs,
    /// Where to listen
    #[arg(long, env = "DUBAN_WITNESS_LISTEN", value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    pub(crate) listen: SocketAddr,
    /// Listen beyond loopback although nothing is encrypted. What a witness says is signed, and whom it believes is
    /// checked by signature: what others learn is which logs it knows
    #[arg(long, env = "DUBAN_INSECURE")]
    pub(crate) insecure: bool,
    /// How to write the witness's own log lines
    #[arg(long, env = "DUBAN_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CircleArgs {
    /// A witness to cosign the checkpoints: its public key, an @ and its URL; may be given several times. Over https
    /// the system's certificate authorities are trusted, or those in the file that `SSL_CERT_FILE` names instead
    #[arg(long, env = "DUBAN_WITNESSES", value_name = "VKEY@URL", value_delimiter = ',')]
    pub(crate) witness: Vec<Endpoint>,
    /// How many of the witnesses must have cosigned a checkpoint before it is published
    #[arg(long, env = "DUBAN_WITNESS_QUORUM", value_name = "N", default_value_t = 0)]
    pub(crate) witness_quorum: usize,
}
