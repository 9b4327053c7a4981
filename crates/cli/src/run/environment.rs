//! The environment of the process, gathered once at the start.
//!
//! Owns: variables, settings, whether stdout and stderr are terminals, the number of cores, the umask.
//! Does not own: what any of them means (the plans decide).

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::report::voice::Colour;
use crate::settings::values::Settings;

/// Everything that plans need to know about the process.
#[derive(Debug)]
pub(crate) struct Environment {
    variables: HashMap<OsString, OsString>,
    /// What applies where no option says otherwise. None until they are loaded.
    pub(crate) settings: Settings,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) stderr_is_terminal: bool,
    pub(crate) cores: NonZeroUsize,
    /// Permission bits that new files and directories don't get.
    pub(crate) umask: u32,
    /// Permission bits of a new file: 0666 less the umask.
    pub(crate) new_file_mode: u32,
}

impl Environment {
    /// Gathers the environment. Must be called before any thread is started: reading the umask changes it for a moment.
    pub(crate) fn gather() -> Self {
        let umask = rustix::process::umask(rustix::fs::Mode::empty());
        rustix::process::umask(umask);
        Self {
            variables: std::env::vars_os().collect(),
            settings: Settings::default(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            cores: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            umask: umask.as_raw_mode(),
            new_file_mode: 0o666 & !umask.as_raw_mode(),
        }
    }

    /// Whether messages on stderr are coloured: only a terminal that can show colour gets it.
    /// Source: no-color.org.
    pub(crate) fn colour(&self) -> Colour {
        let is_unwanted = self.variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let can_show = self.variable("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        if self.stderr_is_terminal && can_show && !is_unwanted { Colour::On } else { Colour::Off }
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The time without progress after which a worker is reported. Only for tests, which don't want to wait a minute:
    /// release programs have no such variable.
    pub(crate) fn stalled_after(&self) -> Option<Duration> {
        let seconds = self.text("HAUL_TEST_STALLED_AFTER").filter(|_| cfg!(debug_assertions))?;
        seconds.parse().map(Duration::from_secs).ok()
    }

    /// The variables that are text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().filter_map(|(name, value)| name.to_str().zip(value.to_str()))
    }

    /// The value of a variable, if it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.variable(name)?.to_str()
    }
}

#[cfg(test)]
impl Environment {
    /// An environment with these variables, no terminal and two cores.
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        Self {
            variables: variables.iter().map(owned).collect(),
            settings: Settings::default(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            cores: NonZeroUsize::new(2).unwrap(),
            umask: 0o022,
            new_file_mode: 0o644,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_wants_colour_gets_it() {
        let colour = |variables: &[(&str, &str)], is_terminal| {
            let mut environment = Environment::of(variables);
            environment.stderr_is_terminal = is_terminal;
            environment.colour()
        };
        assert_eq!(colour(&[("TERM", "xterm")], true), Colour::On);
        assert_eq!(colour(&[("TERM", "xterm"), ("NO_COLOR", "")], true), Colour::On);
        for (variables, is_terminal) in [
            (&[("TERM", "xterm")][..], false),
            (&[("TERM", "dumb")], true),
            (&[], true),
            (&[("TERM", "xterm"), ("NO_COLOR", "1")], true),
        ] {
            assert_eq!(colour(variables, is_terminal), Colour::Off, "{variables:?}");
        }
    }
}
