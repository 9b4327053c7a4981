//! Recipients, identities and passphrases, from wherever they are named.
//!
//! Owns: key files, prompting, the environment variable for scripts.
//! Does not own: cryptography.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use haul_io::reason;
use haul_seal::{Identity, KeyTextError, Passphrase, Recipient, X25519Identity};

use crate::args::FileArgs;
use crate::exit::Problem;
use crate::voice::{Voice, quoted};

/// The longest key file, list of recipients or passphrase that is read, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 1 << 20;

/// Whom to seal to.
pub(crate) fn recipients(
    texts: &[String],
    files: &[PathBuf],
    args: &FileArgs,
) -> Result<Vec<Recipient>, Problem> {
    let mut recipients = Vec::new();
    for text in texts {
        let refused = |error: KeyTextError| {
            let problem = Problem::usage(format!("the recipient {} is {error}", quoted(text)));
            if Path::new(text).exists() {
                problem.hint("a file of recipients is given with -R")
            } else {
                problem
            }
        };
        recipients.push(text.parse().map_err(refused)?);
    }
    for path in files {
        recipients.extend(keys_in::<Recipient>(path, "recipients file")?);
    }
    if let Some(passphrase) = passphrase(args, Asked::Twice)? {
        recipients.push(Recipient::Passphrase(passphrase));
    }
    if recipients.is_empty() {
        let problem = Problem::usage("nobody to seal to");
        return Err(problem.hint("name a recipient with -r or -R, or a passphrase with -p"));
    }
    Ok(recipients)
}

/// What to open with.
pub(crate) fn identities(
    files: &[PathBuf],
    args: &FileArgs,
    voice: &Voice,
) -> Result<Vec<Identity>, Problem> {
    let mut identities = Vec::new();
    for path in files {
        warn_if_exposed(path, voice);
        identities.extend(keys_in::<Identity>(path, "identity file")?);
    }
    if let Some(passphrase) = passphrase(args, Asked::Once)? {
        identities.push(Identity::Passphrase(passphrase));
    }
    if identities.is_empty() {
        return Err(Problem::usage("nothing to open with")
            .hint("name an identity file with -i, or a passphrase with -p"));
    }
    Ok(identities)
}

/// The bytes of a file as a key to XOR with.
pub(crate) fn xor_key(path: &Path) -> Result<Vec<u8>, Problem> {
    let refused = |error: std::io::Error| {
        Problem::usage(format!("cannot open key file {}: {}", quoted(path), reason(&error)))
    };
    let mut key = Vec::new();
    let file = File::open(path).map_err(refused)?;
    let count = file.take(KEY_FILE_BYTES_MAX + 1).read_to_end(&mut key).map_err(refused)?;
    if count as u64 > KEY_FILE_BYTES_MAX {
        return Err(Problem::usage(format!(
            "key file {} is longer than {KEY_FILE_BYTES_MAX} bytes",
            quoted(path)
        )));
    }
    Ok(key)
}

/// The X25519 identities in a file, for their recipients.
pub(crate) fn x25519_identities(path: &Path) -> Result<Vec<X25519Identity>, Problem> {
    keys_in(path, "identity file")
}

/// The keys in a file: one a line, blank lines and those that start with `#` ignored.
fn keys_in<K: FromStr<Err = KeyTextError>>(path: &Path, what: &str) -> Result<Vec<K>, Problem> {
    let text = read_short(path).map_err(|error| {
        let problem = Problem::usage(format!("cannot open {what} {}: {}", quoted(path), reason(&error)));
        match error.kind() {
            std::io::ErrorKind::NotFound if what == "identity file" => {
                problem.hint(format!("create one with \"haul keygen -o {}\"", path.display()))
            }
            _ => problem,
        }
    })?;
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let refused = |error: KeyTextError| {
            Problem::usage(format!("{what} {}, line {}: the key is {error}", quoted(path), index + 1))
        };
        keys.push(line.parse().map_err(refused)?);
    }
    if keys.is_empty() {
        return Err(Problem::usage(format!("{what} {} holds no key", quoted(path))));
    }
    Ok(keys)
}

fn read_short(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    let count = file.take(KEY_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if count as u64 > KEY_FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("longer than {KEY_FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn warn_if_exposed(path: &Path, voice: &Voice) {
    if path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o044 != 0) {
        voice.warning(format!("identity file {} can be read by others", quoted(path)));
    }
}

/// How often a passphrase is asked for: to seal, twice, as a slip would lose the data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Once,
    Twice,
}

fn passphrase(args: &FileArgs, asked: Asked) -> Result<Option<Passphrase>, Problem> {
    let text = if let Some(number) = args.passphrase_fd {
        first_line(Path::new(&format!("/dev/fd/{number}")))?
    } else if args.passphrase {
        match std::env::var_os("HAUL_PASSPHRASE_FILE") {
            Some(path) => first_line(Path::new(&path))?,
            None => prompt(asked)?,
        }
    } else {
        return Ok(None);
    };
    if text.is_empty() {
        return Err(Problem::usage("the passphrase is empty"));
    }
    Ok(Some(Passphrase::new(text.into())))
}

fn first_line(path: &Path) -> Result<String, Problem> {
    let unreadable = |error| {
        Problem::usage(format!("cannot read the passphrase from {}: {}", quoted(path), reason(&error)))
    };
    let mut text = read_short(path).map_err(unreadable)?;
    text.truncate(text.find('\n').unwrap_or(text.len()));
    text.truncate(text.trim_end_matches('\r').len());
    Ok(text)
}

fn prompt(asked: Asked) -> Result<String, Problem> {
    let ask = |question: &str| {
        rpassword::prompt_password(question).map_err(|error| {
            let problem = Problem::usage(format!("cannot ask for the passphrase: {error}"));
            problem.hint("without a terminal, use --passphrase-fd or HAUL_PASSPHRASE_FILE")
        })
    };
    let text = ask("Passphrase: ")?;
    if asked == Asked::Twice && ask("Passphrase again: ")? != text {
        return Err(Problem::usage("the passphrases differ"));
    }
    Ok(text)
}
