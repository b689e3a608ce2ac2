//! The `nbhook` command.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // Everything that speaks TLS uses this provider; it can fail only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    nbhook::cli::Cli::of_process().run().await
}
