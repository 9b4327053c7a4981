//! Errors of the command line, in the form of our own messages.
//!
//! Owns: turning clap's errors into a message and a hint, printing help that was requested.
//! Does not own: the grammar and the words of other programs ([`crate::args`]).

use std::io::{ErrorKind, Write};

use clap::error::{ContextKind, ContextValue, ErrorKind as UsageError};

use super::exit::{Exit, Problem};
use super::voice::Voice;
use crate::args::words::foreign;

/// Prints clap's error, or the help that was requested. `command` is the word of the command line that names it.
pub(crate) fn report(error: &clap::Error, command: Option<&str>, voice: &Voice) -> Exit {
    if matches!(error.kind(), UsageError::DisplayHelp | UsageError::DisplayVersion) {
        return help(error, voice);
    }
    voice.problem(&problem(error, command));
    Exit::Usage
}

/// Prints help on stdout.
fn help(error: &clap::Error, voice: &Voice) -> Exit {
    match error.print().and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            voice.error(format!("cannot write to stdout: {}", haul_io::reason(&error)));
            Exit::of_write(&error)
        }
        _ => Exit::Success,
    }
}

fn problem(error: &clap::Error, command: Option<&str>) -> Problem {
    let given = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        UsageError::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Problem::usage("no command").hint("\"haul help\" lists the commands");
        }
        UsageError::InvalidSubcommand => {
            let word = given(ContextKind::InvalidSubcommand).unwrap_or_default();
            if let Some(hint) = foreign::command(word) {
                return Problem::usage(format!("\"{word}\" isn't a command")).hint(hint);
            }
        }
        UsageError::UnknownArgument => {
            let option = given(ContextKind::InvalidArg).unwrap_or_default();
            if let Some(hint) = foreign::option(command, option) {
                let command = command.unwrap_or_default();
                return Problem::usage(format!("\"haul {command}\" has no option {option}")).hint(hint);
            }
        }
        _ => {}
    }
    let text = error.render().to_string();
    let paragraph = text.strip_prefix("error: ").unwrap_or(&text).lines().take_while(|line| !line.is_empty());
    let message = paragraph.map(str::trim).collect::<Vec<_>>().join(" ");
    // That a word could be a value is true and never what was meant: clap gives that advice if it knows nothing better.
    let mut tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let tip = tips.find(|tip| !tip.starts_with("to pass "));
    let command = command.filter(|_| error.kind() != UsageError::InvalidSubcommand);
    let help = command.map_or("\"haul help\" lists the commands".to_owned(), |command| {
        format!("\"haul {command} --help\" explains its options")
    });
    Problem::usage(message).hint(tip.map_or(help, str::to_owned))
}
