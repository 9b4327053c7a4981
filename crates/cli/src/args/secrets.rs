//! Secrets on the command line: passwords, tokens, logins in URLs, and keys in the wrong place.
//!
//! Owns: which parts of which arguments are secret.
//! Does not own: hiding them from other users ([`crate::run::arguments`]), using them.

use std::path::PathBuf;

use super::GetArgs;
use crate::fleet::args::FleetArgs;
use crate::report::redaction::{key_of, login_of};
use crate::run::arguments::Secret;

impl GetArgs {
    /// The secrets of the options and URLs.
    pub(crate) fn secrets(&self) -> Vec<Secret<'_>> {
        let password = |user: &'_ String| user.find(':').map(|colon| colon + 1..user.len());
        let users = self.requests.user.iter().filter_map(|user| Some(Secret::of(user, password(user)?)));
        // Any field may hold a token: only names are shown.
        let fields = self.requests.header.iter().filter_map(|field| Some((field, field.find(':')? + 1)));
        let fields = fields.map(|(field, start)| Secret::of(field, start..field.len()));
        let urls = self.urls.iter().chain(&self.network.proxy).chain(&self.fleet);
        let urls = urls.filter_map(|url| Some(Secret::of(url, login_of(url)?)));
        let keys = self.sealing.recipient.iter().map(String::as_str);
        let keys =
            misplaced_keys(keys.chain(texts_of(&[&self.sealing.recipients_file, &self.sealing.identity])));
        users.chain(fields).chain(urls).chain(keys).collect()
    }
}

impl FleetArgs {
    /// The login of the address.
    pub(crate) fn secrets(&self) -> Vec<Secret<'_>> {
        let address = &self.command.target().address;
        login_of(address).map(|login| Secret::of(address, login)).into_iter().collect()
    }
}

/// The paths that are text.
pub(super) fn texts_of<'a>(lists: &[&'a Vec<PathBuf>]) -> impl Iterator<Item = &'a str> + use<'a> {
    let paths: Vec<&PathBuf> = lists.iter().flat_map(|list| list.iter()).collect();
    paths.into_iter().filter_map(|path| path.to_str())
}

/// The secret keys that a user wrote where a recipient or the name of a file belongs.
pub(super) fn misplaced_keys<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Secret<'a>> {
    texts.filter_map(|text| Some(Secret::of(text, key_of(text)?))).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::{Args, Command};

    #[test]
    fn passwords_fields_and_logins_are_secret() {
        let words = "haul get -u me:hush1 -H Accept:hush2 --proxy http://me:hush3@h:1 -H x http://h/a@b \
                     http://hush4@h/ u:hush5@h/a";
        let Command::Get(args) = Args::try_parse_from(words.split_whitespace()).unwrap().command else {
            panic!()
        };
        let hidden: Vec<_> =
            args.secrets().iter().map(|secret| &secret.argument[secret.range.clone()]).collect();
        assert_eq!(hidden, ["hush1", "hush2", "http://hush4@h/".get(7..12).unwrap(), "u:hush5", "me:hush3"]);
    }

    #[test]
    fn keys_in_the_wrong_place_are_secret() {
        let words = "haul seal -r age-secret-key-1hush1 -i key.txt -R AGE-PLUGIN-X-1HUSH22 AGE-SECRET-KEY-1HUSH3 letter";
        let command = Args::try_parse_from(words.split_whitespace()).unwrap().command;
        let secrets = command.secrets();
        let hidden: Vec<_> = secrets.iter().map(|secret| &secret.argument[secret.range.clone()]).collect();
        assert_eq!(hidden, ["1hush1", "HUSH22", "1HUSH3"]);
    }
}
