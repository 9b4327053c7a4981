//! The help of each command: its groups of options, the options that `-h` shows, examples, exit codes and variables.
//!
//! Owns: the form of help. `-h` shows what most people need, on one screen; `--help` shows everything.
//! Does not own: what each option does (beside its definition).

mod commands;
pub(crate) mod pages;
pub(crate) mod topics;

use clap::{Arg, ArgAction, Command, CommandFactory};

use self::commands::{HELPS, Help, Kind, REPORT};
use super::Args;

const TOPICS: &str =
    "Topics: haul help lists | resuming | proxies | recipients | configuration | exit-codes | json

Options that all commands with tasks share also stand before the command: haul -v get URL";

/// The grammar with its help.
pub(crate) fn command() -> Command {
    let command = Args::command().after_help(TOPICS);
    HELPS
        .iter()
        .filter(|help| help.command != "help")
        .fold(command, |command, help| command.mut_subcommand(help.command, |command| helped(command, help)))
}

fn helped(command: Command, help: &Help) -> Command {
    let ids: Vec<_> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let command = ids.iter().fold(command, |command, id| {
        command.mut_arg(id, |arg| {
            let id = id.as_str();
            let group = help.groups.iter().find(|(_, ids)| ids.contains(&id));
            let arg = match group {
                Some((heading, _)) => arg.help_heading(*heading),
                None if arg.is_positional() => arg,
                None => arg.help_heading("Options"),
            };
            match help.short.iter().find(|(short, _)| *short == id) {
                Some((_, text)) => shown(arg, text),
                None if arg.is_positional() => arg,
                None => arg.hide_short_help(true),
            }
        })
    });
    let asks = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let asks = asks.help("Print help (-h: the most used options)");
    let asks = if help.groups.is_empty() { asks } else { asks.help_heading(REPORT.0) };
    let command = command.disable_help_flag(true).arg(asks);
    let command = command.after_help(format!("All options: haul {} --help", help.command));
    command.after_long_help(after_long_help(help))
}

/// An option with its text for `-h`; `--help` keeps the whole text.
fn shown(arg: Arg, text: &'static str) -> Arg {
    let long = arg.get_long_help().or(arg.get_help()).cloned().unwrap_or_default();
    arg.help(text).long_help(long)
}

fn after_long_help(help: &Help) -> String {
    let mut text = format!("Examples:\n{}\n\n{}", help.examples, exit_codes(help.kind));
    let variables = match help.kind {
        Kind::Fetching => FETCHING_VARIABLES,
        Kind::Sealing => SEALING_VARIABLES,
        Kind::Other => return text + COMMON_VARIABLES,
    };
    text += COMMON_VARIABLES;
    text += variables;
    text
}

fn exit_codes(kind: Kind) -> String {
    let mut text = "Exit codes:
  0    every task succeeded
  1    a task failed
  2    nothing was started: wrong usage
"
    .to_owned();
    if kind == Kind::Sealing {
        text += "  3    no identity matched, or a wrong passphrase
  4    a file is damaged or was tampered with
";
    } else if kind == Kind::Fetching {
        text += "  4    the content doesn't match its checksum
";
    }
    text + "  5    no space, quota or file-size limit
  130  interrupted

"
}

const COMMON_VARIABLES: &str = "Variables:
  NO_COLOR                  messages without colour
";
const FETCHING_VARIABLES: &str = "  http_proxy, https_proxy, all_proxy, no_proxy   proxies, as in curl
  NETRC                     the file of --netrc
  HAUL_JOBS, HAUL_PER_HOST, HAUL_PROXY, HAUL_NOPROXY   defaults (haul help configuration)
  HAUL_PASSPHRASE_FILE      a file with the passphrase
";
const SEALING_VARIABLES: &str =
    "  HAUL_RECIPIENT, HAUL_RECIPIENTS_FILE, HAUL_IDENTITY   defaults (haul help configuration)
  HAUL_PASSPHRASE_FILE      a file with the passphrase
  HAUL_NEW_PASSPHRASE_FILE  a file with the new passphrase of rekey
";

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(command: &str, long: bool) -> String {
        let mut root = super::command().term_width(80);
        root.build();
        let found = root.find_subcommand_mut(command).unwrap();
        let help = if long { found.render_long_help() } else { found.render_help() };
        help.to_string()
    }

    #[test]
    fn short_help_fits_a_screen_and_long_help_has_all() {
        for Help { command, short, groups, .. } in &HELPS {
            let (text, all) = (rendered(command, false), rendered(command, true));
            assert!(text.lines().count() <= 40, "{command}: {}\n{text}", text.lines().count());
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{command}: {text}");
            for part in ["Examples:", "Exit codes:", "Variables:"] {
                assert!(all.contains(part), "{command}: {part}");
            }
            let root = super::command();
            let known = root.find_subcommand(command).unwrap();
            let has = |id: &str| known.get_arguments().any(|arg| arg.get_id() == id);
            assert!(short.iter().all(|(id, _)| has(id)), "{command}");
            // Every option of a command with groups has its group.
            let is_grouped = |id: &str| groups.is_empty() || groups.iter().any(|(_, ids)| ids.contains(&id));
            for arg in known.get_arguments().filter(|arg| !arg.is_positional() && arg.get_id() != "help") {
                assert!(
                    is_grouped(arg.get_id().as_str()) || *command == "xor",
                    "{command}: {}",
                    arg.get_id()
                );
            }
        }
        assert!(super::command().term_width(80).render_help().to_string().lines().count() <= 40);
    }
}
