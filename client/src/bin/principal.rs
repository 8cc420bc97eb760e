//! Administration of a realm over its daemon's socket.

use std::process::ExitCode;

fn main() -> ExitCode {
    tessera_client::admin::main()
}
