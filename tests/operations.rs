//! What an operator sees and does: the admin port, metrics, draining, signals, log lines.

mod admin;
mod ending;
mod lines;
