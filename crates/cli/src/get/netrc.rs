//! Netrc files: `machine NAME login NAME password WORD`.
//!
//! Owns: their grammar, finding the login for a host.
//! Does not own: what a login is used for.
//!
//! Source: netrc(5); quoted words as in curl.

use std::path::Path;

use haul_io::reason;

use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::run::short_file::read_text;

/// The longest netrc file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Logins, in the order of the file.
#[derive(Default)]
pub(super) struct Netrc(Vec<Entry>);

#[derive(Default)]
struct Entry {
    /// `None` for the default entry, which matches all hosts.
    machine: Option<String>,
    login: Login,
}

/// A name and a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) name: String,
    pub(super) password: String,
}

impl Netrc {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let text = read_text(path, FILE_BYTES_MAX);
        let text = text.map_err(|error| {
            Problem::usage(format!("cannot read logins {}: {}", quoted(path), reason(&error)))
        })?;
        // The message doesn't quote the word in error: it may be a password.
        Self::parse(&text).ok_or_else(|| Problem::usage(format!("{} isn't a netrc file", quoted(path))))
    }

    /// The login of the first entry that matches `host`.
    pub(super) fn login(&self, host: &str) -> Option<&Login> {
        let is_for = |entry: &&Entry| {
            entry.machine.as_deref().is_none_or(|machine| machine.eq_ignore_ascii_case(host))
        };
        self.0.iter().find(is_for).map(|entry| &entry.login)
    }

    /// The login of the first entry that names `host`.
    pub(super) fn named(&self, host: &str) -> Option<&Login> {
        let names = |entry: &&Entry| {
            entry.machine.as_deref().is_some_and(|machine| machine.eq_ignore_ascii_case(host))
        };
        self.0.iter().find(names).map(|entry| &entry.login)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut words = Words { rest: text };
        while let Some(word) = words.next()? {
            match word.as_str() {
                "machine" => {
                    entries.push(Entry { machine: Some(words.next()??), login: Login::default() });
                }
                "default" => entries.push(Entry::default()),
                "login" => entries.last_mut()?.login.name = words.next()??,
                "password" => entries.last_mut()?.login.password = words.next()??,
                "account" => _ = words.next()??,
                "macdef" => words.skip_macro(),
                _ => return None,
            }
        }
        Some(Self(entries))
    }
}

/// Splits a file into words.
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    /// The next word. The inner `None` stands for the end, the outer for an unterminated quote.
    #[expect(clippy::option_option, reason = "the end is not an error")]
    fn next(&mut self) -> Option<Option<String>> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.chars().next() {
                None => return Some(None),
                Some('#') => self.skip_line(),
                Some('"') => return self.quoted().map(Some),
                Some(_) => {
                    let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
                    let (word, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    return Some(Some(word.to_owned()));
                }
            }
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let mut word = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(word);
                }
                '\\' => word.push(match characters.next()?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                }),
                other => word.push(other),
            }
        }
        None
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
    }

    /// Skips a macro, which extends to the next empty line.
    fn skip_macro(&mut self) {
        self.rest = self.rest.split_once("\n\n").map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_found_by_their_host() {
        let text = "# mine\nmachine a.example login ada password \"s p\\\"a\\\\ce#\"\n\
                    machine b.example\n\tlogin bob\n\taccount x\n\tpassword p#q # not this\nmacdef init\ncd /\nmachine c\n\n\
                    machine a.example login second password no\ndefault login anonymous password guest";
        let netrc = Netrc::parse(text).unwrap();
        let login = |host| netrc.login(host).map(|login| (login.name.as_str(), login.password.as_str()));
        assert_eq!(login("a.example"), Some(("ada", "s p\"a\\ce#")));
        assert_eq!(login("A.Example"), Some(("ada", "s p\"a\\ce#")));
        assert_eq!(login("b.example"), Some(("bob", "p#q")));
        assert_eq!(login("c"), Some(("anonymous", "guest")), "a macro holds no logins");
        assert!(netrc.named("c").is_none() && netrc.named("b.example").is_some());
        assert_eq!(login("sub.a.example"), Some(("anonymous", "guest")));
        assert!(Netrc::parse("machine a login x").unwrap().login("b").is_none());
        assert!(Netrc::parse("").unwrap().login("b").is_none());
    }

    #[test]
    fn malformed_files_are_refused() {
        for text in ["login x", "machine", "machine a login", "machine a user x", "machine a password \"x"] {
            assert!(Netrc::parse(text).is_none(), "{text}");
        }
    }
}
