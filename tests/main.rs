//! End to end: real servers, asked over gRPC and through the binary, as the three users would.

#![allow(unreachable_pub, reason = "what the modules of one test program share is public among them")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its scenes as in itself")]
#![allow(clippy::print_stderr, reason = "what is not tested for want of a tool is said loudly")]
#![allow(clippy::cast_possible_truncation, reason = "these logs are small")]
#![allow(clippy::unnecessary_wraps, reason = "what a message may leave out is made as it is taken")]

/// The engine that this program tests.
const ENGINE: support::Engine = support::Engine::Sqlite;

mod architecture;
mod bad_input;
mod concurrency;
mod crash;
mod errors;
mod evidence;
mod foreign_client;
mod import;
mod invariants;
mod keys;
mod life;
mod moving;
mod operations;
mod proofs;
mod rebuild;
mod retries;
mod subscribe;
mod support;
mod telemetry;
mod tour;
mod two_clocks;
mod verifying;
mod witnessing;
