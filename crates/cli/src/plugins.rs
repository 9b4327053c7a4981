//! Plugins of recipients and identities, for this program: where they are, and the person at the terminal.
//!
//! Owns: the search path, what is said and asked in the name of plugins, what is checked before anything starts.
//! Does not own: sessions with plugins ([`haul_seal::Plugins`]), reading the terminal (its module `prompt`).

mod prompt;

use std::path::PathBuf;
use std::sync::Arc;

use haul_engine::Source;
use haul_io::Cancel;
use haul_seal::{
    Identity, KeyRequest, KeySource, PluginLimits, PluginUi, Plugins, Question, Recipient, Task,
};
use zeroize::Zeroizing;

use self::prompt::{Echo, ask};
use crate::exit::Problem;
use crate::voice::{Voice, quoted};

/// The plugins in the directories of `PATH`.
pub(crate) fn at_hand(voice: &Voice) -> Arc<Plugins> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    Arc::new(Plugins::new(search_path, AtTerminal { voice: voice.clone() }, PluginLimits::default()))
}

/// `tasks` with what plugins are to say of them.
pub(crate) fn source<S>(tasks: S, keying: KeyRequest, voice: &Voice) -> Result<KeySource<S>, Problem>
where
    S: Source<Task> + 'static,
{
    Ok(KeySource::new(tasks, keying, at_hand(voice))?)
}

/// That every plugin is there without which nothing can be sealed.
pub(crate) fn check_recipients(recipients: &[Recipient], voice: &Voice) -> Result<(), Problem> {
    let plugins = at_hand(voice);
    recipients.iter().filter_map(Recipient::plugin).try_for_each(|program| found(&plugins, program).map(drop))
}

/// That there is a plugin, or an identity that needs none. Where some are missing, the files will tell whether they are needed.
pub(crate) fn check_identities(identities: &[Identity], voice: &Voice) -> Result<(), Problem> {
    let plugins = at_hand(voice);
    let mut missing = None;
    for identity in identities {
        let Identity::Plugin(identity) = identity else { return Ok(()) };
        match found(&plugins, identity.program()) {
            Ok(_) => return Ok(()),
            Err(problem) => missing = Some(problem),
        }
    }
    missing.map_or(Ok(()), Err)
}

fn found(plugins: &Plugins, program: &str) -> Result<PathBuf, Problem> {
    plugins.find(program).ok_or_else(|| {
        let problem = Problem::usage(format!("there is no program {program}"));
        problem.hint(format!("install the plugin {program} in a directory of PATH"))
    })
}

/// The person who started this program.
struct AtTerminal {
    voice: Voice,
}

impl PluginUi for AtTerminal {
    fn answer(&self, program: &str, question: &Question, cancel: &Cancel) -> Option<Zeroizing<String>> {
        let asked = |text: &str| format!("{program} asks: {}", quoted(text));
        match question {
            Question::Message(text) => {
                self.voice.notice(format!("{program} says: {}", quoted(text)));
                Some(Zeroizing::default())
            }
            Question::Public(text) => self.ask(&format!("{}: ", asked(text)), Echo::On, cancel),
            Question::Secret(text) => self.ask(&format!("{}: ", asked(text)), Echo::Off, cancel),
            Question::Confirm { message, yes, no } => {
                let no = no.as_ref().map_or("or n".to_owned(), |no| format!("or n for {}", quoted(no)));
                let line = format!("{} (y for {}, {no}): ", asked(message), quoted(yes));
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

impl AtTerminal {
    fn ask(&self, line: &str, echo: Echo, cancel: &Cancel) -> Option<Zeroizing<String>> {
        let answer = self.voice.aside(|| ask(&format!("haul: {line}"), echo, cancel));
        match answer {
            Ok(text) => Some(text),
            Err(error) if haul_io::is_cancelled(&error) => None,
            Err(error) => {
                self.voice.warning(format!("a plugin asks in vain: {}", haul_io::reason(&error)));
                None
            }
        }
    }
}
