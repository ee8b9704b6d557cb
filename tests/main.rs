//! End to end: real servers, asked over gRPC and through the binary, as the three users would.

mod architecture;
mod bad_input;
mod concurrency;
mod crash;
mod errors;
mod foreign_client;
mod import;
mod invariants;
mod life;
mod retries;
mod subscribe;
mod support;
mod telemetry;
mod tour;
mod two_clocks;
