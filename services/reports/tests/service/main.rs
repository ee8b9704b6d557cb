//! The reports service behind the real server on a real log, asked by a real client; with its calendar.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod calendar;
mod clocks;
mod cycles;
mod readers;
mod refusals;
mod requests;
mod scene;
mod support;
mod year;
