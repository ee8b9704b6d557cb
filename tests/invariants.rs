//! Each invariant of the domain that concerns this part of it, by name, over gRPC. Those of reforms (5) and
//! extensions (9) come with them.

mod assignments;
mod closing;
mod commands;
mod replay;
mod reporting;
