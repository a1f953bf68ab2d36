//! The program `simple-lb`.

use std::process::ExitCode;

/// Fewer system calls and less memory kept than the system's allocator under many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    simple_lb::cli::main()
}
