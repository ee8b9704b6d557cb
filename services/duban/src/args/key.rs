//! 密钥: the keys that sign the log's checkpoints.

use clap::Subcommand;

use super::serve::{AdminAddress, HealthyArgs};

/// What to do with the keys, by the server that signs.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Which keys sign the checkpoints, and which have
    List {
        // Where, and of which tree.
        #[command(flatten)]
        at: KeyArgs,
    },
    /// 启用密钥: draw a key that signs too, from the next checkpoint on, and announce it in the log
    Announce {
        // Where, and of which tree.
        #[command(flatten)]
        at: KeyArgs,
    },
    /// 停用密钥: have a key sign the next checkpoint for the last time
    Retire {
        /// The key's id, 8 hexadecimal digits
        #[arg(value_name = "KEYID")]
        key: String,
        // Where, and of which tree.
        #[command(flatten)]
        at: KeyArgs,
    },
}

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct KeyArgs {
    // The admin port of the server that signs.
    #[command(flatten)]
    server: HealthyArgs,
    /// 国密: the keys of the SM3 tree
    #[arg(long)]
    sm3: bool,
}

impl KeyArgs {
    /// The admin port.
    pub(crate) fn admin(&self) -> AdminAddress {
        self.server.admin
    }

    /// The tag of the tree's algorithm.
    pub(crate) fn algorithm(&self) -> &'static str {
        if self.sm3 { "sm3" } else { "sha256" }
    }
}
