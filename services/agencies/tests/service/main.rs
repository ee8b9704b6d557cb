//! The agencies service behind the real server on a real log, asked by a real client.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod commands;
mod lists;
mod naive;
mod names;
mod queries;
mod refusals;
mod support;
