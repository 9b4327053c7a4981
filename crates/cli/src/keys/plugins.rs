//! Plugins of recipients and identities: where they are found, and the user interface that they use.
//!
//! Owns: the search path, questions and messages of plugins, which plugins must exist before a run starts.
//! Does not own: sessions with plugins ([`haul_seal::Plugins`]), reading the terminal ([`super::prompt`]).

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use haul_io::Cancel;
use haul_seal::{Identity, PluginLimits, PluginUi, Plugins, Question, Recipient};
use zeroize::Zeroizing;

use super::prompt::{Echo, ask, is_interrupted};
use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::environment::Environment;

/// The directories in which plugins are searched: those of `PATH`.
#[derive(Clone, Debug)]
pub(crate) struct PluginPath(OsString);

impl PluginPath {
    pub(crate) fn resolve(environment: &Environment) -> Self {
        Self(environment.variable("PATH").unwrap_or_default().to_owned())
    }

    /// The plugins there, which ask their questions on the terminal.
    pub(crate) fn plugins(&self, voice: &Voice) -> Arc<Plugins> {
        Arc::new(Plugins::new(self.0.clone(), TerminalUi { voice: voice.clone() }, PluginLimits::default()))
    }
}

/// Checks that the plugin of every recipient exists.
pub(super) fn check_recipients(recipients: &[Recipient], plugins: &Plugins) -> Result<(), Problem> {
    recipients.iter().filter_map(Recipient::plugin).try_for_each(|program| find(plugins, program).map(drop))
}

/// Checks that at least one identity needs no plugin or has its plugin. The files decide whether the others are needed.
pub(super) fn check_identities(identities: &[Identity], plugins: &Plugins) -> Result<(), Problem> {
    let mut missing = None;
    for identity in identities {
        let Identity::Plugin(identity) = identity else { return Ok(()) };
        match find(plugins, identity.program()) {
            Ok(_) => return Ok(()),
            Err(problem) => missing = Some(problem),
        }
    }
    missing.map_or(Ok(()), Err)
}

fn find(plugins: &Plugins, program: &str) -> Result<PathBuf, Problem> {
    plugins.find(program).ok_or_else(|| {
        let problem = Problem::usage(format!("there is no program {program}"));
        problem.hint(format!("install the plugin {program} in a directory of PATH"))
    })
}

/// The user interface of plugins: the terminal of this process.
struct TerminalUi {
    voice: Voice,
}

impl PluginUi for TerminalUi {
    fn answer(&self, program: &str, question: &Question, cancel: &Cancel) -> Option<Zeroizing<String>> {
        let asks = |text: &str| format!("{program} asks: {}", quoted(text));
        match question {
            Question::Message(text) => {
                self.voice.notice(format!("{program} says: {}", quoted(text)));
                Some(Zeroizing::default())
            }
            Question::Public(text) => self.ask(&format!("{}: ", asks(text)), Echo::On, cancel),
            Question::Secret(text) => self.ask(&format!("{}: ", asks(text)), Echo::Off, cancel),
            Question::Confirm { message, yes, no } => {
                let no = no.as_ref().map_or("or n".to_owned(), |no| format!("or n for {}", quoted(no)));
                let line = format!("{} (y for {}, {no}): ", asks(message), quoted(yes));
                let answer = self.ask(&line, Echo::On, cancel)?;
                match answer.trim() {
                    "y" | "yes" => Some("yes".to_owned().into()),
                    "n" | "no" => Some("no".to_owned().into()),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

impl TerminalUi {
    fn ask(&self, line: &str, echo: Echo, cancel: &Cancel) -> Option<Zeroizing<String>> {
        let answer = self.voice.without_progress(|| ask(&format!("haul: {line}"), echo, Some(cancel)));
        match answer {
            Ok(text) => Some(text),
            Err(error) if is_interrupted(&error) => None,
            Err(error) => {
                let reason = haul_io::reason(&error);
                self.voice.warning(format!("cannot pass on a plugin's question: {reason}"));
                None
            }
        }
    }
}
