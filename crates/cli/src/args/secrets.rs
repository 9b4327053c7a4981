//! Secrets on the command line: passwords, tokens and logins in URLs.
//!
//! Owns: which parts of which arguments are secret.
//! Does not own: hiding them from other users ([`crate::run::arguments`]), using them.

use super::GetArgs;
use crate::report::redaction::login_of;
use crate::run::arguments::Secret;

impl GetArgs {
    /// The secrets of the options and URLs.
    pub(crate) fn secrets(&self) -> Vec<Secret<'_>> {
        let password = |user: &'_ String| user.find(':').map(|colon| colon + 1..user.len());
        let users = self.requests.user.iter().filter_map(|user| Some(Secret::of(user, password(user)?)));
        // Any field may hold a token: only names are shown.
        let fields = self.requests.header.iter().filter_map(|field| Some((field, field.find(':')? + 1)));
        let fields = fields.map(|(field, start)| Secret::of(field, start..field.len()));
        let urls = self.urls.iter().chain(&self.network.proxy);
        let urls = urls.filter_map(|url| Some(Secret::of(url, login_of(url)?)));
        users.chain(fields).chain(urls).collect()
    }
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
}
