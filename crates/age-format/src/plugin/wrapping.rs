//! The session in which a plugin wraps the keys of many files.
//!
//! Owns: the state machine `recipient-v1`, with the extension for labels.
//! Does not own: the pipe, the user, the header that the stanzas become part of.
//!
//! Spec: C2SP age-plugin.md, "Wrapping with `recipient-v1`"; `extension-labels` as age and rage implement it.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::fault::PluginFault;
use super::ipc::{Turn, common_turn, error_text, index, ok, push_command, push_done};
use crate::file_key::FileKey;
use crate::header::stanza::Stanza;
use crate::keys::passphrase;
use crate::keys::recipient::Recipient;

/// A session in which a plugin wraps file keys for all its recipients, given as recipients or identities.
pub struct Wrapping {
    recipient_count: usize,
    /// One list per file.
    stanzas: Vec<Vec<Stanza>>,
    labels: Option<BTreeSet<String>>,
    error: Option<String>,
}

/// The result of a session.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// One or more stanzas for each file key, in order.
    pub stanzas: Vec<Vec<Stanza>>,
    /// The labels that all recipients of a file must share.
    pub labels: BTreeSet<String>,
}

impl Wrapping {
    /// The argument to start the plugin with.
    pub const ARGUMENT: &str = "--age-plugin=recipient-v1";

    /// Starts a session about `file_keys` and returns the bytes to send first. All `recipients` must belong to the
    /// plugin.
    ///
    /// # Panics
    /// If a recipient belongs to no plugin.
    pub fn new(recipients: &[&Recipient], file_keys: &[FileKey]) -> (Self, Zeroizing<Vec<u8>>) {
        let mut out = Zeroizing::new(Vec::new());
        for recipient in recipients {
            let command = match recipient {
                Recipient::Plugin(_) => "add-recipient",
                Recipient::PluginIdentity(_) => "add-identity",
                _ => panic!("not a plugin's recipient"),
            };
            push_command(&[command, &recipient.to_secret_text()], &[], &mut out);
        }
        push_command(&["extension-labels"], &[], &mut out);
        for file_key in file_keys {
            push_command(&["wrap-file-key"], &file_key.0, &mut out);
        }
        push_done(&mut out);
        let stanzas = vec![Vec::new(); file_keys.len()];
        (Self { recipient_count: recipients.len(), stanzas, labels: None, error: None }, out)
    }

    /// Processes a stanza from the plugin and returns what to do next.
    ///
    /// # Errors
    /// If the plugin breaks the protocol. The session is over then.
    pub fn receive(&mut self, stanza: Stanza) -> Result<Turn, PluginFault> {
        match stanza.tag() {
            "recipient-stanza" => self.take(stanza)?,
            "labels" => self.take_labels(&stanza)?,
            "error" => drop(self.error.get_or_insert_with(|| error_text(&stanza))),
            _ => return Ok(common_turn(&stanza)),
        }
        Ok(ok())
    }

    /// The result, once the session has ended.
    ///
    /// # Errors
    /// If the plugin reported an error, or left a file without a stanza.
    pub fn finish(self) -> Result<Wrapped, PluginFault> {
        let is_empty = |stanzas: &Vec<Stanza>| stanzas.is_empty();
        match self.error {
            Some(_) if !self.stanzas.iter().all(is_empty) => Err(PluginFault::StanzasAndErrors),
            Some(text) => Err(PluginFault::Reported(text)),
            None if self.stanzas.iter().any(is_empty) => Err(PluginFault::WrongCount),
            None => Ok(Wrapped { stanzas: self.stanzas, labels: self.labels.unwrap_or_default() }),
        }
    }

    fn take(&mut self, mut stanza: Stanza) -> Result<(), PluginFault> {
        if stanza.arguments.len() < 3 || stanza.arguments[2] == passphrase::TAG {
            return Err(PluginFault::Malformed);
        }
        let file = index(&stanza.arguments[1])?;
        let stanzas = self.stanzas.get_mut(file).ok_or(PluginFault::UnknownFile)?;
        if stanzas.len() == self.recipient_count {
            return Err(PluginFault::WrongCount);
        }
        stanza.arguments.drain(..2);
        stanzas.push(stanza);
        Ok(())
    }

    fn take_labels(&mut self, stanza: &Stanza) -> Result<(), PluginFault> {
        let labels: BTreeSet<_> = stanza.arguments[1..].iter().cloned().collect();
        let is_sound = labels.len() + 1 == stanza.arguments.len();
        if self.labels.replace(labels).is_some() || !is_sound {
            return Err(PluginFault::Malformed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(words: &str) -> Stanza {
        Stanza { arguments: words.split(' ').map(str::to_owned).collect(), body: b"why".to_vec() }
    }

    #[track_caller]
    fn check(sent: &[&str], expected: Result<(Vec<usize>, &[&str]), PluginFault>) {
        let recipient = crate::encoding::to_bech32("age1test", b"somebody");
        let identity = crate::encoding::to_bech32("age-plugin-test-", b"mine").to_uppercase();
        let recipients = [recipient.parse().unwrap(), Recipient::PluginIdentity(identity.parse().unwrap())];
        let keys = [FileKey([1; 16]), FileKey([2; 16])];
        let (mut wrapping, first) = Wrapping::new(&[&recipients[0], &recipients[1]], &keys);
        let text = format!(
            "-> add-recipient {recipient}\n\n-> add-identity {identity}\n\n-> extension-labels\n\n\
             -> wrap-file-key\nAQEBAQEBAQEBAQEBAQEBAQ\n-> wrap-file-key\nAgICAgICAgICAgICAgICAg\n-> done\n\n"
        );
        assert_eq!(*first, text.as_bytes());
        let result = sent.iter().try_for_each(|words| wrapping.receive(stanza(words)).map(drop));
        let wrapped = result.and_then(|()| wrapping.finish());
        let counts = |wrapped: Wrapped| {
            let counts = wrapped.stanzas.iter().map(Vec::len).collect::<Vec<_>>();
            (counts, wrapped.labels)
        };
        let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(wrapped.map(counts), expected.map(|(counts, names)| (counts, labels(names))), "{sent:?}");
    }

    #[test]
    fn stanzas_come_in_any_order() {
        let all =
            ["recipient-stanza 1 x a", "recipient-stanza 0 x", "recipient-stanza 1 x b", "grease", "done"];
        check(&all, Ok((vec![1, 2], &[])));
        check(
            &["labels b a", "recipient-stanza 0 x", "recipient-stanza 1 x", "done"],
            Ok((vec![1, 1], &["a", "b"])),
        );
    }

    #[test]
    fn breaches_of_the_protocol_are_refused() {
        check(&["recipient-stanza 0 x", "done"], Err(PluginFault::WrongCount));
        check(&["recipient-stanza 0 x"; 3], Err(PluginFault::WrongCount));
        check(&["recipient-stanza 2 x"], Err(PluginFault::UnknownFile));
        for malformed in
            ["recipient-stanza 0", "recipient-stanza -1 x", "recipient-stanza 0 scrypt", "labels a a"]
        {
            check(&[malformed], Err(PluginFault::Malformed));
        }
        check(&["labels a", "labels b"], Err(PluginFault::Malformed));
        check(&["error recipient 0", "done"], Err(PluginFault::Reported("why".to_owned())));
        check(&["recipient-stanza 0 x", "error internal", "done"], Err(PluginFault::StanzasAndErrors));
    }
}
