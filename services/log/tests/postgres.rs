//! The log on Postgres: the contract, and what is this engine's own.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod contract;
mod support;

use support::Fixture;

contract!(Fixture::postgres);
