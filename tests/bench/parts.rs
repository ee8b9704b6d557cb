//! The parts of the benchmark, each with what it promises to find out.

pub mod audit;
pub mod bulk;
pub mod latency;
pub mod memory;
pub mod proof;
pub mod queries;
pub mod throughput;
