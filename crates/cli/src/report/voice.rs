//! The only writer of messages: every message and every line of data goes through [`Voice`].
//!
//! Owns: stdout for data, stderr for messages, `-q` and `-v`, how panics are worded.
//! Does not own: the content of messages, quoting ([`super::text`]).

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::exit::{Exit, Problem};
use super::progress::{Progress, ProgressForm, Screen};
use super::redaction::{redacted, without_keys};
use super::text::{harmless, harmless_json};

/// The number of `-v` less the number of `-q`.
pub(crate) type Verbosity = i8;

/// Whether messages are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Off,
    On,
}

/// The writer of messages and data. Clones share the progress.
#[derive(Clone)]
pub(crate) struct Voice {
    verbosity: Verbosity,
    colour: Colour,
    /// The progress, which is erased before a message is written.
    screen: Arc<Mutex<Option<Screen>>>,
    /// The first error of writing data.
    data_error: Arc<Mutex<Option<std::io::Error>>>,
}

impl Voice {
    pub(crate) fn new(verbosity: Verbosity, colour: Colour) -> Self {
        Self { verbosity, colour, screen: Arc::default(), data_error: Arc::default() }
    }

    /// Prints a failure, unless `-qq`.
    pub(crate) fn error(&self, message: impl Display) {
        if self.verbosity > -2 {
            self.print(Kind::Error, &format!("{message}"));
        }
    }

    /// Prints advice for the preceding error, unless `-q`.
    pub(crate) fn hint(&self, message: impl Display) {
        if self.verbosity > -1 {
            self.print(Kind::Hint, &format!("{message}"));
        }
    }

    /// Prints a problem that is not a failure, unless `-q`.
    pub(crate) fn warning(&self, message: impl Display) {
        if self.verbosity > -1 {
            self.print(Kind::Warning, &format!("{message}"));
        }
    }

    /// Prints a request for the user to act (touch a hardware key), unless `-qq`.
    pub(crate) fn notice(&self, message: impl Display) {
        if self.verbosity > -2 {
            self.print(Kind::Plain, &format!("{message}"));
        }
    }

    /// Hides the progress while `work` uses the terminal. Messages are still printed: holding them back would
    /// block the run.
    pub(crate) fn without_progress<T>(&self, work: impl FnOnce() -> T) -> T {
        let hide = |is_hidden| {
            if let Some(screen) = &mut *self.screen() {
                screen.erase();
                screen.is_hidden = is_hidden;
            }
        };
        hide(true);
        let done = work();
        hide(false);
        done
    }

    /// Prints an outcome, unless `-q`.
    pub(crate) fn note(&self, message: impl Display) {
        if self.verbosity > -1 {
            self.print(Kind::Plain, &format!("{message}"));
        }
    }

    /// Whether [`Voice::detail`] prints.
    pub(crate) fn tells_details(&self) -> bool {
        self.verbosity > 0
    }

    /// Whether the steps of each task are printed, as details.
    pub(crate) fn tells_steps(&self) -> bool {
        self.verbosity > 1
    }

    /// Prints a task's line, with `-v`.
    pub(crate) fn detail(&self, message: impl Display) {
        if self.verbosity > 0 {
            self.print(Kind::Plain, &format!("{message}"));
        }
    }

    /// Prints text that was requested but is not data, such as `--stats`.
    pub(crate) fn talk(&self, text: &str) {
        text.lines().for_each(|line| self.print(Kind::Bare, line));
    }

    /// Prints the problem and its hint.
    pub(crate) fn problem(&self, problem: &Problem) {
        self.error(&problem.message);
        if let Some(hint) = &problem.hint {
            self.hint(hint);
        }
    }

    /// Prints data on stdout, in lines. Returns whether it could be written.
    pub(crate) fn data(&self, lines: impl Display) -> bool {
        let lines = lines.to_string();
        self.write_data(harmless_json(&without_keys(&lines)).as_bytes())
    }

    /// Prints a secret key on stdout, which is what the user asked for. Returns whether it could be written.
    pub(crate) fn secret_key(&self, lines: &[u8]) -> bool {
        self.write_data(lines)
    }

    fn write_data(&self, lines: &[u8]) -> bool {
        let mut screen = self.screen();
        screen.iter_mut().for_each(Screen::erase_for_data);
        let mut stdout = std::io::stdout().lock();
        let written = haul_io::check_stdout().and_then(|()| stdout.write_all(lines));
        match written.and_then(|()| stdout.write_all(b"\n")).and_then(|()| stdout.flush()) {
            Ok(()) => true,
            // The reader has what it wanted.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => false,
            Err(error) => {
                self.data_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                false
            }
        }
    }

    /// Reports data that stdout didn't take, or won't have stored when it is closed. Returns the exit code for it.
    /// `exit` is that of the run so far, which may have reported the latter.
    pub(crate) fn end_data(&self, exit: Exit) -> Exit {
        let refused = self.data_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        let not_stored =
            || (exit == Exit::Success).then(|| haul_io::flush(std::io::stdout()).err()).flatten();
        let Some(error) = refused.or_else(not_stored) else { return Exit::Success };
        self.error(format!("cannot write to stdout: {}", haul_io::reason(&error)));
        Exit::of_write(&error)
    }

    /// Shows `progress` until [`Voice::end_progress`].
    pub(crate) fn begin_progress(&self, progress: &Progress, form: ProgressForm) {
        if form != ProgressForm::Hidden {
            Screen::show(&self.screen, progress, form, self.verbosity > 0);
        }
    }

    pub(crate) fn end_progress(&self) {
        if let Some(mut screen) = self.screen().take() {
            screen.finish();
        }
    }

    fn screen(&self) -> MutexGuard<'_, Option<Screen>> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, kind: Kind, text: &str) {
        // Held while the message is written, so that nothing is drawn into it.
        let mut screen = self.screen();
        screen.iter_mut().for_each(Screen::erase);
        write_message(kind, text, self.colour);
    }
}

/// The kind of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Error,
    Warning,
    Hint,
    Plain,
    /// Without the name of the program.
    Bare,
}

impl Kind {
    /// What precedes the message.
    fn prefix(self, colour: Colour) -> Cow<'static, str> {
        let (word, sgr) = match self {
            Self::Error => ("error", "1;31"),
            Self::Warning => ("warning", "33"),
            Self::Hint => ("hint", "33"),
            Self::Plain => return "haul: ".into(),
            Self::Bare => return "".into(),
        };
        match colour {
            Colour::On => format!("haul: \x1b[{sgr}m{word}\x1b[0m: ").into(),
            Colour::Off => format!("haul: {word}: ").into(),
        }
    }
}

/// The form of one line for the user. Every message and every question passes here: none shows a secret key, the login
/// of a URL, or characters that manipulate a terminal.
pub(crate) fn presentable(line: &str) -> String {
    harmless(&redacted(&without_keys(line))).into_owned()
}

fn write_message(kind: Kind, text: &str, colour: Colour) {
    // A closed stderr does not end the run.
    let _ = writeln!(std::io::stderr(), "{}{}", kind.prefix(colour), presentable(text));
}

/// Prints panics as internal errors. A task that panics is also reported as failed.
pub(crate) fn route_panics(colour: Colour) {
    std::panic::set_hook(Box::new(move |panic| {
        let panic = panic.to_string().lines().collect::<Vec<_>>().join(" ");
        write_message(Kind::Error, &format!("internal error: {panic}"), colour);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_red_and_hints_yellow_where_colour_is_wanted() {
        assert_eq!(Kind::Error.prefix(Colour::On), "haul: \x1b[1;31merror\x1b[0m: ");
        assert_eq!(Kind::Hint.prefix(Colour::On), "haul: \x1b[33mhint\x1b[0m: ");
        assert_eq!(Kind::Error.prefix(Colour::Off), "haul: error: ");
        assert_eq!(Kind::Plain.prefix(Colour::On), "haul: ");
    }
}
