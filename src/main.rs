use clap::Parser;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    nbhook::cli::Cli::parse().run().await
}
