//! The content of the configuration file.
//!
//! Owns: its keys, what is said about those that aren't known.
//! Does not own: reading the file ([`super::file`]), the grammar of TOML.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::forms::{self, BadValue};
use super::values::{Origin, Setting, Settings};
use crate::report::exit::Problem;
use crate::report::redaction::key_of;
use crate::report::text::quoted;
use crate::run::environment::Environment;

const KEYS: [&str; 7] = ["recipient", "recipients-file", "identity", "jobs", "per-host", "proxy", "noproxy"];
/// Parts of keys under which people keep secrets.
const SECRETS: [&str; 8] = ["pass", "token", "secret", "bearer", "user", "login", "cookie", "header"];
/// How similar a key must be to be suggested, as clap has it for options.
const SIMILARITY_MIN: f64 = 0.7;

/// The settings in `text`, which was read from `path`.
///
/// # Errors
/// If it isn't TOML, or has a key or a value that isn't known.
pub(super) fn parse(text: &str, path: &Path, environment: &Environment) -> Result<Settings, Problem> {
    let at = |offset: usize| Place { path, line: line_of(text, offset) };
    // Wherever it stands, in a comment too: other programs back this file up and show it.
    if let Some(secret) = key_of(text) {
        return Err(at(secret.start)
            .problem("a secret key doesn't belong into this file")
            .hint("put it into a file of its own, and name that with identity"));
    }
    let table = DeTable::parse(text).map_err(|error| {
        // The message may quote the text, but not this one.
        at(error.span().map_or(0, |span| span.start)).problem(error.message())
    })?;
    let home = environment.variable("HOME").map(Path::new);
    let base = path.parent().unwrap_or(path);
    let file = |text: &str| forms::file(text, base, home);
    let mut settings = Settings::default();
    for (key, value) in table.get_ref() {
        let place = at(key.span().start);
        match &**key.get_ref() {
            "recipient" => settings.recipient = place.list("recipient", value, forms::recipient)?,
            "recipients-file" => settings.recipients_file = place.list("recipients-file", value, file)?,
            "identity" => settings.identity = place.list("identity", value, file)?,
            "jobs" => settings.jobs = place.number("jobs", value)?,
            "per-host" => settings.per_host = place.number("per-host", value)?,
            "proxy" => settings.proxy = place.one("proxy", value, forms::proxy)?,
            "noproxy" => settings.noproxy = place.one("noproxy", value, |text| Ok(text.to_owned()))?,
            unknown => return Err(place.unknown(unknown)),
        }
    }
    Ok(settings)
}

/// The line, counted from 1, in which the byte at `offset` stands.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// A line of the file.
struct Place<'a> {
    path: &'a Path,
    line: usize,
}

impl Place<'_> {
    fn problem(&self, message: &str) -> Problem {
        Problem::usage(format!("configuration file {}, line {}: {message}", quoted(self.path), self.line))
    }

    fn bad(&self, key: &str, error: BadValue) -> Problem {
        let problem = self.problem(&format!("{key} {}", error.message));
        match error.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    fn setting<T>(&self, value: T) -> Option<Setting<T>> {
        Some(Setting { value, origin: Origin::Line(self.line) })
    }

    /// A text.
    fn one<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        parse: impl Fn(&str) -> Result<T, BadValue>,
    ) -> Result<Option<Setting<T>>, Problem> {
        let DeValue::String(text) = value.get_ref() else {
            return Err(self.bad(key, BadValue::new("must be a text in quotes")));
        };
        parse(text).map(|value| self.setting(value)).map_err(|error| self.bad(key, error))
    }

    /// A text, or several in brackets.
    fn list<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        parse: impl Fn(&str) -> Result<T, BadValue>,
    ) -> Result<Option<Setting<Vec<T>>>, Problem> {
        let texts = match value.get_ref() {
            DeValue::String(text) => Some(vec![&**text]),
            DeValue::Array(values) => values.iter().map(|value| value.get_ref().as_str()).collect(),
            _ => None,
        };
        let wrong = || self.bad(key, BadValue::new("must be a text in quotes, or several in brackets"));
        let values = texts.ok_or_else(wrong)?.into_iter().map(parse).collect::<Result<Vec<T>, _>>();
        values.map(|values| self.setting(values)).map_err(|error| self.bad(key, error))
    }

    /// A number of transfers.
    fn number(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Option<Setting<u16>>, Problem> {
        let digits = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let digits = digits.map(|number| number.as_str()).unwrap_or_default();
        forms::transfers(digits).map(|value| self.setting(value)).map_err(|error| self.bad(key, error))
    }

    fn unknown(&self, key: &str) -> Problem {
        let problem = self.problem(&format!("unknown key {}", quoted(key)));
        let lower = key.to_ascii_lowercase();
        let similar = KEYS.iter().map(|known| (strsim::jaro(known, &lower), known));
        let similar = similar.filter(|(similarity, _)| *similarity >= SIMILARITY_MIN);
        if let Some((_, known)) = similar.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
            return problem.hint(format!("did you mean {known}?"));
        }
        if SECRETS.iter().any(|part| lower.contains(part)) {
            return problem
                .hint("this file holds no secrets; it may name files that hold them, with identity");
        }
        problem.hint(format!("the keys are {}", KEYS.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn parsed(text: &str) -> Result<Settings, Problem> {
        parse(text, Path::new("/x/haul/config.toml"), &Environment::of(&[("HOME", "/users/ada")]))
    }

    #[test]
    fn every_key_is_read_with_its_line() {
        let text = "# defaults\nrecipient = 'age1a'\nrecipients-file = [\"team\",\n\"~/t\"]\nidentity = \"/k\"\n\
                    jobs = 12\nper-host = 1_0\nproxy = \"p:1\"\nnoproxy = \"a,b\"\n";
        let found = parsed(text).unwrap();
        let line = Origin::Line;
        assert_eq!(found.recipient, Some(Setting { value: vec!["age1a".to_owned()], origin: line(2) }));
        let files = ["/x/haul/team", "/users/ada/t"].map(PathBuf::from).to_vec();
        assert_eq!(found.recipients_file, Some(Setting { value: files, origin: line(3) }));
        assert_eq!(found.identity, Some(Setting { value: vec![PathBuf::from("/k")], origin: line(5) }));
        assert_eq!(found.jobs, Some(Setting { value: 12, origin: line(6) }));
        assert_eq!(found.per_host, Some(Setting { value: 10, origin: line(7) }));
        assert_eq!(found.proxy, Some(Setting { value: "p:1".to_owned(), origin: line(8) }));
        assert_eq!(found.noproxy, Some(Setting { value: "a,b".to_owned(), origin: line(9) }));
        assert_eq!(parsed("").unwrap(), Settings::default());
    }

    #[test]
    fn what_cannot_be_is_named_with_its_line() {
        for (text, line, message, hint) in [
            ("\nrecipients = \"a\"", 2, "unknown key \"recipients\"", "did you mean recipient?"),
            ("per_host = 1", 1, "unknown key \"per_host\"", "did you mean per-host?"),
            ("[get]\njobs = 1", 1, "unknown key \"get\"", "the keys are recipient,"),
            ("passphrase = 'x'", 1, "unknown key \"passphrase\"", "this file holds no secrets"),
            ("jobs = 0", 1, "jobs must be a number from 1 to 4096", ""),
            ("jobs = 0x10", 1, "jobs must be a number from 1 to 4096", ""),
            ("jobs = \"5\"", 1, "jobs must be a number from 1 to 4096", ""),
            ("proxy = 5", 1, "proxy must be a text in quotes", ""),
            ("identity = [5]", 1, "identity must be a text in quotes, or several in brackets", ""),
            (
                "\nproxy = \"http://me:hush@p\"",
                2,
                "proxy holds a login, and settings hold no secrets",
                "give the login in",
            ),
            (
                "# AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3",
                1,
                "a secret key doesn't belong into this file",
                "put it into a file of its own",
            ),
        ] {
            let problem = parsed(text).unwrap_err();
            let start = format!("configuration file \"/x/haul/config.toml\", line {line}: {message}");
            assert_eq!(problem.message, start, "{text}");
            assert!(problem.hint.unwrap_or_default().starts_with(hint), "{text}");
        }
        let problem = parsed("jobs = 1\njobs =").unwrap_err();
        assert!(problem.message.contains("line 2: "), "{}", problem.message);
    }
}
