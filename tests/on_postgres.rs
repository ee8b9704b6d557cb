//! End to end on Postgres: what is tested on SQLite and concerns the engine, and what only several processes on
//! one database can do.

#![allow(unreachable_pub, reason = "what the modules of one test program share is public among them")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its scenes as in itself")]
#![allow(clippy::print_stderr, reason = "what is not tested for want of a tool is said loudly")]
#![allow(clippy::cast_possible_truncation, reason = "these logs are small")]
#![allow(clippy::unnecessary_wraps, reason = "what a message may leave out is made as it is taken")]

/// The engine that this program tests.
const ENGINE: support::Engine = support::Engine::Postgres;

mod away;
mod bad_input;
mod both_engines;
mod concurrency;
mod crash;
mod errors;
mod invariants;
mod life;
mod migrate;
mod moving;
mod operations;
mod processes;
mod rebuild;
mod retries;
mod subscribe;
mod support;
mod tampered;
mod tree_database;
mod two_clocks;
