//! End to end: real servers, asked over gRPC and through the binary, as the three users would.

mod support;
