//! The daemon: serves a realm.

use std::process::ExitCode;

// A request allocates and frees some hundred small blocks, and the log's thread frees what the workers allocated: in libc
// that is a fifth of what a request costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tessera_kdc::cli::run()
}
