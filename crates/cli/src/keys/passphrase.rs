//! Passphrases: from a file descriptor, from a file, or typed on the terminal. Never from the command line or from the
//! text of a variable, which other processes can read.
//!
//! Owns: reading and asking for them.
//! Does not own: what a passphrase protects.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use haul_io::reason;
use haul_seal::Passphrase;
use zeroize::Zeroizing;

use super::prompt::{self, Echo};
use crate::args::{PassphraseArgs, RekeyArgs};
use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::run::device;
use crate::run::environment::Environment;
use crate::run::random::system_random;
use crate::run::short_file::read_secret;

/// The longest passphrase file, in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 64 * 1024;
/// The variable with the name of a passphrase file.
pub(crate) const FILE_VARIABLE: &str = "HAUL_PASSPHRASE_FILE";
/// The same for the passphrase that replaces another.
const NEW_FILE_VARIABLE: &str = "HAUL_NEW_PASSPHRASE_FILE";

/// How often the user types a passphrase. A typing error while sealing would lose the data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Prompts {
    Once,
    Twice,
}

/// Where a passphrase comes from, if one is asked for.
#[derive(Debug)]
pub(super) struct PassphraseSource {
    /// `-p`: the data is under a passphrase.
    pub(super) prompt: bool,
    fd: Option<u32>,
    /// The line that `fd` gave. It can be read only once.
    read_from_fd: OnceLock<Passphrase>,
    file: Option<PathBuf>,
    /// Its name in questions.
    label: &'static str,
}

impl PassphraseSource {
    pub(super) fn resolve(args: &PassphraseArgs, environment: &Environment) -> Self {
        Self {
            prompt: args.passphrase,
            fd: args.passphrase_fd,
            read_from_fd: OnceLock::new(),
            file: environment.variable(FILE_VARIABLE).map(PathBuf::from),
            label: "Passphrase",
        }
    }

    /// The passphrase that replaces another.
    pub(super) fn resolve_new(args: &RekeyArgs, environment: &Environment) -> Self {
        Self {
            prompt: args.new_passphrase,
            fd: args.new_passphrase_fd,
            read_from_fd: OnceLock::new(),
            file: environment.variable(NEW_FILE_VARIABLE).map(PathBuf::from),
            label: "New passphrase",
        }
    }

    /// The file that holds the passphrase, if there is one.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let descriptor = self.fd.map(|number| PathBuf::from(format!("/dev/fd/{number}")));
        descriptor.or_else(|| self.file.clone())
    }

    /// Whether an option asks for a passphrase. The variable alone doesn't.
    pub(super) fn is_asked_for(&self) -> bool {
        self.prompt || self.fd.is_some()
    }

    /// Reads the passphrase for the data, if an option asks for one.
    pub(super) fn read(&self, prompts: Prompts) -> Result<Option<Passphrase>, Problem> {
        if !self.is_asked_for() {
            return Ok(None);
        }
        match self.read_scripted()? {
            Some(passphrase) => Ok(Some(passphrase)),
            None => prompt(self.label, prompts).map(Some),
        }
    }

    /// Reads the passphrase from the descriptor or the file, if there is one.
    pub(super) fn read_scripted(&self) -> Result<Option<Passphrase>, Problem> {
        if let Some(number) = self.fd {
            if let Some(passphrase) = self.read_from_fd.get() {
                return Ok(Some(passphrase.clone()));
            }
            let passphrase = read_line_of(number)?;
            return Ok(Some(self.read_from_fd.get_or_init(|| passphrase).clone()));
        }
        self.file.as_deref().map(read_first_line).transpose()
    }
}

/// Asks on the terminal for the passphrase that `label` names. A passphrase to seal with is generated if the user
/// types none.
pub(super) fn prompt(label: &str, prompts: Prompts) -> Result<Passphrase, Problem> {
    let ask = |question: String| prompt::ask(&question, Echo::Off, None).map_err(|error| unanswered(&error));
    if prompts == Prompts::Once {
        return passphrase(ask(format!("{label}: "))?);
    }
    let text = ask(format!("{label} (empty to generate one): "))?;
    if text.is_empty() {
        let text = generate(&mut system_random());
        prompt::show(&format!("haul: the generated passphrase is {}", *text))
            .map_err(|error| unanswered(&error))?;
        return passphrase(text);
    }
    if ask(format!("{label} again: "))? != text {
        return Err(Problem::usage("the passphrases differ"));
    }
    passphrase(text)
}

fn unanswered(error: &io::Error) -> Problem {
    prompt::unanswered("passphrase", error, "without a terminal, use --passphrase-fd or HAUL_PASSPHRASE_FILE")
}

/// A passphrase of 125 random bits, in groups of letters and digits that are hard to confuse.
fn generate(random: &mut dyn FnMut(&mut [u8])) -> Zeroizing<String> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    const GROUPS: usize = 5;
    const GROUP_CHARACTERS: usize = 5;
    let mut bytes = Zeroizing::new([0; GROUPS * GROUP_CHARACTERS]);
    random(&mut *bytes);
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() + GROUPS));
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % GROUP_CHARACTERS == 0 {
            text.push('-');
        }
        // 32 divides 256, so all characters are equally likely.
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    text
}

/// Reads one line from the open descriptor `number`, from where it stands, and nothing after it.
fn read_line_of(number: u32) -> Result<Passphrase, Problem> {
    let failed = |error: io::Error| {
        Problem::usage(format!("cannot read the passphrase from descriptor {number}: {}", reason(&error)))
    };
    let mut source = device::duplicate(number).map_err(failed)?;
    // Reserved at once: growing the text would leave copies of the secret behind.
    let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX as usize));
    let mut byte = [0; 1];
    while source.read(&mut byte).map_err(failed)? == 1 && byte != *b"\n" {
        if line.len() as u64 == PASSPHRASE_BYTES_MAX {
            return Err(failed(io::Error::other(format!("longer than {PASSPHRASE_BYTES_MAX} bytes"))));
        }
        line.push(byte[0]);
    }
    let text = std::str::from_utf8(&line).map_err(|error| failed(io::Error::other(error)))?;
    passphrase(text.trim_end_matches('\r').to_owned().into())
}

fn read_first_line(path: &Path) -> Result<Passphrase, Problem> {
    let failed = |error: io::Error| {
        Problem::usage(format!("cannot read the passphrase from {}: {}", quoted(path), reason(&error)))
    };
    let bytes = read_secret(path, PASSPHRASE_BYTES_MAX).map_err(failed)?;
    let text = haul_seal::text_of(&bytes).map_err(|error| failed(io::Error::other(error)))?;
    let line = text.split('\n').next().unwrap_or_default();
    passphrase(line.trim_end_matches('\r').to_owned().into())
}

fn passphrase(text: Zeroizing<String>) -> Result<Passphrase, Problem> {
    if text.is_empty() {
        return Err(Problem::usage("the passphrase is empty"));
    }
    Ok(Passphrase::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passphrases_are_random_letters_and_digits() {
        let mut next = 0_u8;
        let text = generate(&mut |out| {
            out.iter_mut().for_each(|byte| (*byte, next) = (next, next.wrapping_add(37)))
        });
        assert_eq!(text.len(), 29);
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [5; 5]);
        assert_ne!(*generate(&mut system_random()), *generate(&mut system_random()));
    }
}
