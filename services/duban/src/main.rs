//! The binary: see the library beside it.

use std::process::ExitCode;

/// A command allocates some hundred small things on one thread and frees many of them on another, which the
/// system's allocator takes a fifth of the server's time for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    duban::main()
}
