//! The one voice: everything the program says goes through here.
//!
//! Owns: stdout for data, stderr for talk, quoting of foreign strings, quiet and verbose.
//! Does not own: what is said.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::exit::{Exit, Problem};

/// How much is said: 0 as usual, below it less, above it more.
pub(crate) type Verbosity = i8;

/// Clones speak with one voice.
#[derive(Clone)]
pub(crate) struct Voice {
    verbosity: Verbosity,
    /// The progress line that messages must not run into.
    line: Arc<Mutex<Option<ProgressBar>>>,
}

impl Voice {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Self { verbosity, line: Arc::default() }
    }

    /// A failure. Said unless `-qq`.
    pub(crate) fn error(&self, message: impl Display) {
        if self.verbosity > -2 {
            self.say(&format!("haul: error: {message}"));
        }
    }

    /// What may help against the error before it. Said unless `-q`.
    pub(crate) fn hint(&self, message: impl Display) {
        if self.verbosity > -1 {
            self.say(&format!("haul: hint: {message}"));
        }
    }

    /// Something the user should know though nothing failed. Said unless `-q`.
    pub(crate) fn warning(&self, message: impl Display) {
        if self.verbosity > -1 {
            self.say(&format!("haul: warning: {message}"));
        }
    }

    /// What somebody waits for the user to heed. Said unless `-qq`.
    pub(crate) fn notice(&self, message: impl Display) {
        if self.verbosity > -2 {
            self.say(&format!("haul: {message}"));
        }
    }

    /// Keeps the progress line away while `work` uses the terminal. Messages aren't held back: they would hold back the run.
    pub(crate) fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let show = |target: fn() -> ProgressDrawTarget| {
            line.iter().for_each(|line| line.set_draw_target(target()));
        };
        show(ProgressDrawTarget::hidden);
        if line.is_some() {
            // Hidden, it leaves behind what it drew.
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
        let done = work();
        show(ProgressDrawTarget::stderr);
        done
    }

    /// The outcome in a line. Said unless `-q`.
    pub(crate) fn note(&self, message: impl Display) {
        if self.verbosity > -1 {
            self.say(&format!("haul: {message}"));
        }
    }

    /// A line for each task: with `-v`.
    pub(crate) fn detail(&self, message: impl Display) {
        if self.verbosity > 0 {
            self.say(&format!("haul: {message}"));
        }
    }

    /// Text that was asked for and isn't data, such as `--stats`.
    pub(crate) fn talk(&self, text: &str) {
        self.say(text.trim_end_matches('\n'));
    }

    pub(crate) fn problem(&self, problem: &Problem) {
        self.error(&problem.message);
        if let Some(hint) = &problem.hint {
            self.hint(hint);
        }
    }

    /// A line of data on stdout. Whether somebody still reads it.
    pub(crate) fn data(&self, line: impl Display) -> bool {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_ok()
    }

    /// Shows `line` until [`Voice::end_progress`].
    pub(crate) fn begin_progress(&self, line: ProgressBar) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    pub(crate) fn end_progress(&self) {
        if let Some(line) = self.line.lock().unwrap_or_else(PoisonError::into_inner).take() {
            line.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        match &*self.line.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(line) => line.suspend(|| write_talk(text)),
            None => write_talk(text),
        }
    }
}

fn write_talk(text: &str) {
    // Nobody may be listening; that is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether talk is read by a person.
pub(crate) fn is_on_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Says what is wrong with what was typed, or prints the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> Exit {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return Exit::Success;
    }
    let voice = Voice::new(0);
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        voice.problem(&Problem::usage("no command").hint("\"haul help\" lists the commands"));
        return Exit::Usage;
    }
    let text = error.render().to_string();
    let paragraph = text.strip_prefix("error: ").unwrap_or(&text).lines().take_while(|line| !line.is_empty());
    voice.error(paragraph.map(str::trim).collect::<Vec<_>>().join(" "));
    let mut tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).peekable();
    if tips.peek().is_none() {
        voice.hint("see \"haul help\", or --help behind the command");
    }
    tips.for_each(|tip| voice.hint(tip));
    Exit::Usage
}

/// Panics are errors of the program: they are told in its voice. Tasks that panic are reported as failed besides.
pub(crate) fn route_panics() {
    std::panic::set_hook(Box::new(|panic| {
        write_talk(&format!("haul: error: internal error: {panic}"));
    }));
}

/// A foreign string in double quotes, with everything escaped that could play tricks on a terminal.
pub(crate) fn quoted(text: &(impl AsRef<OsStr> + ?Sized)) -> String {
    let lossy: Cow<'_, str> = text.as_ref().to_string_lossy();
    let mut quoted = String::with_capacity(lossy.len() + 2);
    quoted.push('"');
    for character in lossy.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() || is_invisible(character) => {
                quoted.extend(character.escape_unicode())
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that reorder or hide text (Unicode's bidirectional and zero-width controls).
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `bytes` with a unit, in three or four characters.
pub(crate) fn human_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if value < 1_000.0 {
            break;
        }
        value /= 1_024.0;
        unit = next;
    }
    let decimals = if unit == "B" || value >= 99.95 { 0 } else { 1 };
    format!("{value:.decimals$} {unit}")
}

/// `count` of something, in the singular or the plural.
pub(crate) fn counted(count: u64, singular: &str, plural: &str) -> String {
    format!("{count} {}", if count == 1 { singular } else { plural })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_strings_play_no_tricks() {
        assert_eq!(quoted("a b"), r#""a b""#);
        assert_eq!(quoted("a\"\\"), r#""a\"\\""#);
        assert_eq!(quoted("\x1b[31m\n\u{202e}"), r#""\u{1b}[31m\u{a}\u{202e}""#);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1.0 KiB"), (1 << 20, "1.0 MiB"), (200 << 30, "200 GiB")]
        {
            assert_eq!(human_bytes(bytes), text);
        }
    }
}
