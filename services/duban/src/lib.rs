//! The one binary of duban (督办): `serve`, `healthy` and `rebuild` on the server side, `import`, and a client command for
//! every RPC.
//!
//! `args` is what can be typed, `client` how the services are called, `output` the only place that prints,
//! `i18n` what is said in both languages, `import` how a seed is checked and sent, `failure` what went wrong
//! and the exit code for it, `run` how they come together. Nothing here decides anything about the domain.
//!
//! # Exit codes
//! 0 done, 1 another failure, 2 usage (also a request or a seed that can't be taken), 3 not found, 4 not
//! allowed, 5 conflict or precondition, 6 unavailable, 7 verification failed.

mod admin;
mod args;
mod away;
mod backup;
mod client;
mod ending;
mod evidence;
mod export;
mod failure;
mod healthy;
mod http;
mod i18n;
mod import;
mod key;
mod load;
mod migrate;
mod moving;
mod output;
mod rebuild;
mod restore;
mod run;
mod serve;
pub mod server;
mod telemetry;
mod tree;
mod verify;
mod witness;

pub use args::Service;
pub use run::main;
