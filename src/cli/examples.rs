//! One example for each command, which its help ends with.

use clap::Command;

/// Each command line is read by a test.
const EXAMPLES: [&str; 89] = [
    "nbhook serve --listen 0.0.0.0:8000 --public-url https://hooks.example.org",
    "nbhook demo --keep",
    "nbhook doctor --data production",
    "nbhook login http://127.0.0.1:8000 < production/admin.token",
    "nbhook run report.ipynb report.out.ipynb -p region North -p top=5 --response -",
    "nbhook inspect report.ipynb",
    "nbhook deploy report.ipynb -p inline=true -d data/prices.csv",
    "nbhook list --json",
    "nbhook show reports/sales.ipynb",
    "nbhook find reports/sales.ipynb",
    "nbhook call reports/sales.ipynb -p region=North -o answer.png",
    "nbhook set reports/sales.ipynb -p timeout=60 -p notif_down=ops@example.org",
    "nbhook versions reports/sales.ipynb",
    "nbhook promote reports/sales.ipynb 20260102030405678901",
    "nbhook get reports/sales.ipynb -o sales.ipynb",
    "nbhook clear reports/sales.ipynb",
    "nbhook outputs reports/sales.ipynb",
    "nbhook get-output reports/sales.ipynb -o last.ipynb",
    "nbhook clear-output reports/sales.ipynb",
    "nbhook delete reports/sales.ipynb --yes",
    "nbhook prune --dry-run",
    "nbhook runs reports/sales.ipynb --state failed --since 7d",
    "nbhook show-run 0198c5f0-0000-7000-8000-000000000001",
    "nbhook logs reports/sales.ipynb --follow",
    "nbhook task 0198c5f0-0000-7000-8000-000000000001 --wait",
    "nbhook cancel 0198c5f0-0000-7000-8000-000000000001",
    "nbhook rerun 0198c5f0-0000-7000-8000-000000000001 --wait",
    "nbhook schedule add reports/sales.ipynb --tz Europe/Berlin '0 9 * * mon-fri'",
    "nbhook schedule list",
    "nbhook schedule show reports/sales.ipynb",
    "nbhook schedule set reports/sales.ipynb --missed skip",
    "nbhook schedule pause reports/sales.ipynb",
    "nbhook schedule resume reports/sales.ipynb",
    "nbhook schedule run reports/sales.ipynb",
    "nbhook schedule delete reports/sales.ipynb",
    "nbhook inbox create --response '{\"ok\": true}'",
    "nbhook inbox list",
    "nbhook inbox get 0b8c5f00-0000-4000-8000-000000000001",
    "nbhook inbox delete 0b8c5f00-0000-4000-8000-000000000001",
    "nbhook callbacks list",
    "nbhook callbacks show 1",
    "nbhook callbacks create https://example.org/told --name crm",
    "nbhook callbacks set 1 --name billing",
    "nbhook callbacks delete 1",
    "nbhook callbacks rotate-secret 1",
    "nbhook profiles list",
    "nbhook profiles show 1",
    "nbhook profiles create operations ops@example.org",
    "nbhook profiles set 1 --name support",
    "nbhook profiles delete 1",
    "nbhook deliveries list --status dead",
    "nbhook deliveries show 0198c5f0-0000-7000-8000-000000000001",
    "nbhook deliveries retry 0198c5f0-0000-7000-8000-000000000001",
    "nbhook deliveries recover 1 --since 2h",
    "nbhook subscriptions list",
    "nbhook subscriptions show 0198c5f0-0000-7000-8000-000000000001",
    "nbhook subscriptions create --url https://example.org/told",
    "nbhook subscriptions cancel 0198c5f0-0000-7000-8000-000000000001",
    "nbhook events list --since 1h",
    "nbhook events show 0198c5f0-0000-7000-8000-000000000001",
    "nbhook topics read sales --from now",
    "nbhook asset add chart.html --inline",
    "nbhook asset set reports/chart.html --inline true",
    "nbhook asset list",
    "nbhook asset show reports/chart.html",
    "nbhook asset versions reports/chart.html",
    "nbhook asset get reports/chart.html -o chart.html",
    "nbhook asset promote reports/chart.html 20260102030405678901",
    "nbhook asset clear reports/chart.html",
    "nbhook asset delete reports/chart.html --yes",
    "nbhook dependency add reports/data reports/helpers.py",
    "nbhook dependency list",
    "nbhook dependency show reports/data",
    "nbhook dependency versions reports/data",
    "nbhook dependency get reports/helpers.py -o helpers.py",
    "nbhook dependency promote reports/data 20260102030405678901",
    "nbhook dependency clear reports/data",
    "nbhook dependency delete reports/data --yes",
    "nbhook secret add API_KEY < key.txt",
    "nbhook secret list",
    "nbhook secret get API_KEY",
    "nbhook secret delete API_KEY",
    "nbhook notify --to ops@example.org --subject 'the report is ready' < mail.txt",
    "nbhook token create laptop",
    "nbhook token list",
    "nbhook token revoke 0198c5f0-0000-7000-8000-000000000001",
    "nbhook user create bob",
    "nbhook user list",
    "nbhook completions bash > ~/.local/share/bash-completion/completions/nbhook",
];

/// The command line with an example at the end of each command's help.
pub(super) fn with_examples(command: Command) -> Command {
    below(command, "nbhook")
}

fn below(command: Command, path: &str) -> Command {
    command.mut_subcommands(|command| {
        let path = format!("{path} {}", command.get_name());
        let is_its =
            |example: &&&str| example.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        let command = below(command, &path);
        match EXAMPLES.iter().find(is_its).filter(|_| !command.has_subcommands()) {
            Some(example) => command.after_help(format!("Example: {example}")),
            None => command,
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::cli::{Cli, argv};

    /// Every command that does something, by its full name.
    fn leaves(command: &Command, path: &str) -> Vec<(String, Command)> {
        if !command.has_subcommands() {
            return vec![(path.to_owned(), command.clone())];
        }
        let below = command.get_subcommands().filter(|command| command.get_name() != "help");
        below.flat_map(|command| leaves(command, &format!("{path} {}", command.get_name()))).collect()
    }

    /// The words of an example, up to a redirection.
    fn words(example: &str) -> Vec<String> {
        let line = example.split([' ', '\''].as_slice()).take_while(|word| !["<", ">", "|"].contains(word));
        let mut words: Vec<String> = line.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        if let (Some(start), Some(end)) = (example.find('\''), example.rfind('\'')) {
            words.truncate(example[..start].split_whitespace().count());
            words.push(example[start + 1..end].to_owned());
        }
        words
    }

    #[test]
    fn every_command_has_an_example_that_is_understood() {
        for (name, command) in leaves(&with_examples(Cli::command()), "nbhook") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = help.strip_prefix("Example: ").unwrap_or_else(|| panic!("{name} has no example: {help}"));
            let words = argv::joined(words(example).into_iter().map(Into::into));
            let read = Cli::command().try_get_matches_from(words).and_then(|found| Cli::from_arg_matches(&found));
            assert!(read.is_ok(), "{example}: {}", read.unwrap_err());
        }
    }

    #[test]
    fn the_reference_has_every_command_and_no_other() {
        let reference = include_str!("../../docs/cli.md");
        let headings = reference.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
        let (mut written, mut known): (Vec<_>, Vec<_>) = (
            headings.map(str::to_owned).collect(),
            leaves(&Cli::command(), "nbhook").into_iter().map(|(name, _)| name).collect(),
        );
        written.sort();
        known.sort();
        assert_eq!(written, known);
        let ours = with_examples(Cli::command());
        for (name, command) in leaves(&ours, "nbhook") {
            let section = reference.split(&format!("### `{name}`\n")).nth(1).unwrap();
            let section = section.split("\n### ").next().unwrap();
            let options =
                command.get_arguments().filter(|argument| !argument.is_hide_set() && !argument.is_global_set());
            for option in options.filter_map(clap::Arg::get_long).filter(|long| *long != "help") {
                assert!(section.contains(&format!("`--{option}`")), "{name} --{option} is not in docs/cli.md");
            }
            let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(section.contains(example.trim_start_matches("Example: ")), "{name}: another example");
        }
        for line in crate::cli::error::EXIT_CODES.lines().skip(1) {
            let (code, meaning) = line.trim().split_once("  ").unwrap();
            assert!(reference.contains(&format!("| {code} | {meaning} |")), "exit code {code}");
        }
    }
}
