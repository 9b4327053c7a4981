//! The variables `HAUL_…` that hold settings.
//!
//! Owns: their names, how one variable holds several values.
//! Does not own: variables with names of passphrase files, which the options read.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::forms::{self, BadValue};
use super::values::{Origin, Setting, Settings};
use crate::report::exit::Problem;
use crate::run::environment::Environment;

const RECIPIENT: &str = "HAUL_RECIPIENT";
const RECIPIENTS_FILE: &str = "HAUL_RECIPIENTS_FILE";
const IDENTITY: &str = "HAUL_IDENTITY";
const JOBS: &str = "HAUL_JOBS";
const PER_HOST: &str = "HAUL_PER_HOST";
const PROXY: &str = "HAUL_PROXY";
const NOPROXY: &str = "HAUL_NOPROXY";

/// The settings of the variables. An empty variable counts as unset.
///
/// # Errors
/// If a value isn't one that the setting can have.
pub(super) fn read(environment: &Environment) -> Result<Settings, Problem> {
    let one = |name| text(environment, name);
    Ok(Settings {
        // SSH keys contain spaces.
        recipient: set(RECIPIENT, one(RECIPIENT)?, |text| text.split(',').map(forms::recipient).collect())?,
        recipients_file: paths(environment, RECIPIENTS_FILE)?,
        identity: paths(environment, IDENTITY)?,
        jobs: set(JOBS, one(JOBS)?, forms::transfers)?,
        per_host: set(PER_HOST, one(PER_HOST)?, forms::transfers)?,
        proxy: set(PROXY, one(PROXY)?, forms::proxy)?,
        noproxy: set(NOPROXY, one(NOPROXY)?, |text| Ok(text.to_owned()))?,
    })
}

/// Names of files, separated by colons as in `PATH`. The shell has replaced `~` and the names are relative to the
/// working directory, as on the command line.
fn paths(environment: &Environment, name: &'static str) -> Result<Option<Setting<Vec<PathBuf>>>, Problem> {
    set(name, value(environment, name), |value| {
        let names = value.as_bytes().split(|byte| *byte == b':').filter(|name| !name.is_empty());
        names.map(|name| path(OsStr::from_bytes(name))).collect()
    })
}

fn path(name: &OsStr) -> Result<PathBuf, BadValue> {
    match name.to_str() {
        Some(text) if !text.starts_with("~/") => forms::file(text, "".as_ref(), None),
        _ => Ok(name.into()),
    }
}

fn value<'a>(environment: &'a Environment, name: &str) -> Option<&'a OsStr> {
    environment.variable(name).filter(|value| !value.is_empty())
}

fn text<'a>(environment: &'a Environment, name: &str) -> Result<Option<&'a str>, Problem> {
    let text =
        value(environment, name).map(|value| value.to_str().ok_or_else(|| BadValue::new("isn't UTF-8")));
    text.transpose().map_err(|error| problem(name, error))
}

fn set<V, T>(
    name: &'static str,
    value: Option<V>,
    parse: impl FnOnce(V) -> Result<T, BadValue>,
) -> Result<Option<Setting<T>>, Problem> {
    let parsed = value.map(parse).transpose().map_err(|error| problem(name, error))?;
    Ok(parsed.map(|value| Setting { value, origin: Origin::Variable(name) }))
}

/// The message doesn't quote the value, which may be a secret.
fn problem(name: &str, error: BadValue) -> Problem {
    let problem = Problem::usage(format!("the variable {name} {}", error.message));
    match error.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_hold_settings() {
        let environment = Environment::of(&[
            (RECIPIENT, "age1a, ssh-ed25519 AAAA ada"),
            (IDENTITY, "key.txt:/k"),
            (JOBS, "7"),
            (PER_HOST, ""),
            (PROXY, "p:1"),
        ]);
        let found = read(&environment).unwrap();
        let recipients = found.recipient.unwrap();
        assert_eq!(recipients.value, ["age1a", "ssh-ed25519 AAAA ada"]);
        assert_eq!(recipients.origin, Origin::Variable(RECIPIENT));
        assert_eq!(found.identity.unwrap().value, [PathBuf::from("key.txt"), PathBuf::from("/k")]);
        assert_eq!((found.jobs.unwrap().value, found.per_host), (7, None));
        assert_eq!(found.proxy.unwrap().value, "p:1");
        assert!(found.recipients_file.is_none() && found.noproxy.is_none());
    }

    #[test]
    fn values_that_cannot_be_are_named_by_their_variable() {
        for (name, value, message) in [
            (JOBS, "many", "the variable HAUL_JOBS must be a number from 1 to 4096"),
            (PROXY, "u:hush@p", "the variable HAUL_PROXY holds a login, and settings hold no secrets"),
            (
                IDENTITY,
                "k:AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3",
                "the variable HAUL_IDENTITY holds a secret key, and settings hold no secrets",
            ),
        ] {
            assert_eq!(read(&Environment::of(&[(name, value)])).unwrap_err().message, message);
        }
    }
}
