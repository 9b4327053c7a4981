//! Passphrases, from wherever they may come: never from the command line or the text of a variable.
//!
//! Owns: the file descriptor and the file that scripts name, asking on the terminal.
//! Does not own: what a passphrase is for.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use haul_io::reason;
use haul_seal::Passphrase;

use crate::args::PassphraseArgs;
use crate::exit::Problem;
use crate::voice::quoted;

/// The longest passphrase that is read, in bytes.
const BYTES_MAX: u64 = 64 * 1024;

/// How often a passphrase is asked for: to seal, twice, as a slip would lose the data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Once,
    Twice,
}

/// The one that files are sealed with or opened with, if the arguments say so.
pub(crate) fn for_files(args: &PassphraseArgs, asked: Asked) -> Result<Option<Passphrase>, Problem> {
    if !args.passphrase && args.passphrase_fd.is_none() {
        return Ok(None);
    }
    match scripted(args)? {
        Some(passphrase) => Ok(Some(passphrase)),
        None => prompt("Passphrase", asked).map(Some),
    }
}

/// The one that a script provides.
pub(crate) fn scripted(args: &PassphraseArgs) -> Result<Option<Passphrase>, Problem> {
    if let Some(number) = args.passphrase_fd {
        return first_line(Path::new(&format!("/dev/fd/{number}"))).map(Some);
    }
    std::env::var_os("HAUL_PASSPHRASE_FILE").map(|path| first_line(Path::new(&path))).transpose()
}

/// Asks on the terminal for `what`.
pub(crate) fn prompt(what: &str, asked: Asked) -> Result<Passphrase, Problem> {
    let ask = |question: String| {
        rpassword::prompt_password(question).map_err(|error| {
            let problem = Problem::usage(format!("cannot ask for the passphrase: {error}"));
            problem.hint("without a terminal, use --passphrase-fd or HAUL_PASSPHRASE_FILE")
        })
    };
    let text = ask(format!("{what}: "))?;
    if asked == Asked::Twice && ask(format!("{what} again: "))? != text {
        return Err(Problem::usage("the passphrases differ"));
    }
    checked(text)
}

fn first_line(path: &Path) -> Result<Passphrase, Problem> {
    let unreadable = |error| {
        Problem::usage(format!("cannot read the passphrase from {}: {}", quoted(path), reason(&error)))
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    let count = file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if count as u64 > BYTES_MAX {
        return Err(unreadable(std::io::Error::other(format!("longer than {BYTES_MAX} bytes"))));
    }
    text.truncate(text.find('\n').unwrap_or(text.len()));
    text.truncate(text.trim_end_matches('\r').len());
    checked(text)
}

fn checked(text: String) -> Result<Passphrase, Problem> {
    if text.is_empty() {
        return Err(Problem::usage("the passphrase is empty"));
    }
    Ok(Passphrase::new(text.into()))
}
