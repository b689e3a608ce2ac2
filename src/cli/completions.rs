//! `nbhook completions`: what a shell needs to complete this command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::context::Context;
use super::error::CliError;

/// Print the completions for a shell
#[derive(Debug, Args)]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    #[expect(clippy::unused_async, reason = "as all commands are")]
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "nbhook", &mut script);
        ctx.bytes(&script)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap_complete::Shell;

    use crate::cli::Cli;
    use crate::cli::testing::TestServer;
    use crate::kernel::process::{command, run_to_end};

    #[tokio::test]
    async fn bash_understands_its_completions_which_name_every_command() {
        let server = TestServer::start().await;
        let ran = server.run(&["completions", "bash"]).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        // Asks for what could stand behind `nbhook`.
        let ask = "source /dev/stdin\nCOMP_WORDS=(nbhook ''); COMP_CWORD=1\n_nbhook nbhook '' nbhook\necho \"${COMPREPLY[@]}\"";
        let process = command("bash").args(["-c", ask]);
        let done = run_to_end(process, ran.out.as_bytes(), std::time::Duration::from_secs(30), 100_000).await.unwrap();
        let offered = String::from_utf8(done.stdout).unwrap();
        let offered: Vec<&str> = offered.split_whitespace().collect();
        for known in Cli::command().get_subcommands() {
            assert!(offered.contains(&known.get_name()), "{} is not in {offered:?}", known.get_name());
        }
        for shell in [Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let ran = server.run(&["completions", &shell.to_string()]).await;
            assert!(ran.code == 0 && ran.out.contains("show-run"), "{shell}");
        }
    }
}
