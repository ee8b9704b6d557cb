//! The tasks service behind the real server on a real log, asked by real clients.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod dependents;
mod documents;
mod readings;
mod seed;
mod support;
