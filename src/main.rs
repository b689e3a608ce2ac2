//! The `nbhook` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[expect(unsafe_code, reason = "the environment is changed")]
    // SAFETY: nothing has run before this, so there is no other thread.
    unsafe {
        nbhook::cli::take_secrets();
    }
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    // Everything that speaks TLS uses this provider; it can fail only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    nbhook::cli::Cli::of_process().run().await
}
