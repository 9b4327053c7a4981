//! The forms of values, which are the same in the file and in variables.
//!
//! Owns: numbers and their bounds, `~` in names of files, secrets that stand in the wrong place.
//! Does not own: where a value comes from.

use std::path::{Path, PathBuf};

use crate::report::redaction::{key_of, login_of};

/// The most transfers at a time, in all and from one host.
pub(super) const TRANSFERS_MAX: u16 = 4_096;

/// Why a value can't be used: what follows the name of the setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadValue {
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

impl BadValue {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
}

/// A number of transfers.
pub(super) fn transfers(text: &str) -> Result<u16, BadValue> {
    let number = text.parse().ok().filter(|number| (1..=TRANSFERS_MAX).contains(number));
    number.ok_or_else(|| BadValue::new(format!("must be a number from 1 to {TRANSFERS_MAX}")))
}

/// A recipient. Its grammar is checked where it is used.
pub(super) fn recipient(text: &str) -> Result<String, BadValue> {
    if is_key(text) {
        return Err(secret_key("put it into a file, and name the file with identity"));
    }
    Ok(text.trim().to_owned())
}

/// The name of a file: `~/` is `home`, and other names that aren't absolute lie in `base`.
pub(super) fn file(text: &str, base: &Path, home: Option<&Path>) -> Result<PathBuf, BadValue> {
    if is_key(text) {
        return Err(secret_key("put it into a file, and name the file here"));
    }
    match text.strip_prefix("~/") {
        Some(rest) => match home {
            Some(home) => Ok(home.join(rest)),
            None => Err(BadValue::new("begins with ~, and HOME isn't set")),
        },
        None if text == "-" => Err(BadValue::new("can't be stdin")),
        None => Ok(base.join(text)),
    }
}

/// A proxy without a login.
pub(super) fn proxy(text: &str) -> Result<String, BadValue> {
    if login_of(text).is_some() {
        let hint = Some("give the login in http_proxy and https_proxy, or with --proxy");
        return Err(BadValue { message: "holds a login, and settings hold no secrets".to_owned(), hint });
    }
    Ok(text.to_owned())
}

fn is_key(text: &str) -> bool {
    key_of(text).is_some()
}

fn secret_key(hint: &'static str) -> BadValue {
    BadValue { message: "holds a secret key, and settings hold no secrets".to_owned(), hint: Some(hint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bounds() {
        assert_eq!((transfers("1"), transfers("4096")), (Ok(1), Ok(4_096)));
        for text in ["0", "4097", "-1", "", "x", "1.5", "70000"] {
            assert!(transfers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_files_are_found_from_home_and_from_the_base() {
        let (base, home) = (Path::new("/etc/haul"), Path::new("/users/ada"));
        for (text, path) in
            [("key.txt", "/etc/haul/key.txt"), ("/k", "/k"), ("~/k", "/users/ada/k"), ("~k", "/etc/haul/~k")]
        {
            assert_eq!(file(text, base, Some(home)), Ok(PathBuf::from(path)), "{text}");
        }
        assert!(file("~/k", base, None).is_err());
        assert!(file("-", base, Some(home)).is_err());
    }

    #[test]
    fn secrets_are_refused_without_being_repeated() {
        let key = "AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3";
        let errors = [
            recipient(key).unwrap_err(),
            file(key, Path::new("/"), None).unwrap_err(),
            proxy("http://me:hush@proxy:1").unwrap_err(),
        ];
        for error in errors {
            assert!(error.message.ends_with("settings hold no secrets"), "{error:?}");
            assert!(!error.message.contains("hush") && !error.message.contains("QQPZ"), "{error:?}");
        }
        assert_eq!(proxy("http://proxy:1"), Ok("http://proxy:1".to_owned()));
    }
}
