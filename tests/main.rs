//! End to end: real servers, asked over gRPC and through the binary, as the three users would.

mod architecture;
mod crash;
mod foreign_client;
mod import;
mod support;
