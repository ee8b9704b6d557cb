//! Logs to measure on: years of supervision as the rules themselves would have decided them, of any size, always
//! the same. Filled once, kept below `target/`.

pub mod fill;
mod sim;
pub mod story;

pub use fill::{Kept, kept};
