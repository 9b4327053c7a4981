//! The session in which a plugin unwraps the keys of many files.
//!
//! Owns: the state machine `identity-v1`.
//! Does not own: the pipe, the user, the check of a key against its header's MAC.
//!
//! Spec: C2SP age-plugin.md, "Unwrapping with `identity-v1`".

use zeroize::{Zeroize, Zeroizing};

use super::fault::PluginFault;
use super::ipc::{Turn, common_turn, error_text, index, ok, push_command, push_done};
use crate::file_key::FileKey;
use crate::header::stanza::Stanza;
use crate::header::text::Header;
use crate::keys::plugin::PluginIdentity;

/// A session in which a plugin tries its identities on the headers of files.
pub struct Unwrapping {
    /// One per file.
    file_keys: Vec<Option<FileKey>>,
    /// The plugin's error about a stanza, one per file.
    errors: Vec<Option<String>>,
    /// The plugin's error about an identity or itself.
    general: Option<String>,
}

/// The result for each header, in order: its file key, none if no identity matches, or the plugin's error.
pub type Unwrapped = Vec<Result<Option<FileKey>, PluginFault>>;

impl Unwrapping {
    /// The argument to start the plugin with.
    pub const ARGUMENT: &str = "--age-plugin=identity-v1";

    /// Starts a session about `headers` and returns the bytes to send first. All `identities` must belong to the
    /// plugin.
    pub fn new(identities: &[&PluginIdentity], headers: &[&Header]) -> (Self, Zeroizing<Vec<u8>>) {
        let mut out = Zeroizing::new(Vec::new());
        for identity in identities {
            push_command(&["add-identity", identity.secret_text()], &[], &mut out);
        }
        for (file, header) in headers.iter().enumerate() {
            let file = file.to_string();
            for stanza in header.stanzas() {
                let mut words = vec!["recipient-stanza", &file];
                words.extend(stanza.arguments.iter().map(String::as_str));
                push_command(&words, &stanza.body, &mut out);
            }
        }
        push_done(&mut out);
        let file_keys = headers.iter().map(|_| None).collect();
        (Self { file_keys, errors: vec![None; headers.len()], general: None }, out)
    }

    /// Processes a stanza from the plugin and returns what to do next.
    ///
    /// # Errors
    /// If the plugin breaks the protocol. The session is over then.
    pub fn receive(&mut self, stanza: Stanza) -> Result<Turn, PluginFault> {
        match stanza.tag() {
            "file-key" => self.take(stanza)?,
            "error" => self.take_error(&stanza)?,
            _ => return Ok(common_turn(&stanza)),
        }
        Ok(ok())
    }

    /// The results, once the session has ended.
    pub fn finish(self) -> Unwrapped {
        let general = self.general;
        let files = self.file_keys.into_iter().zip(self.errors);
        files
            .map(|(file_key, error)| match (file_key, error.or_else(|| general.clone())) {
                (Some(file_key), _) => Ok(Some(file_key)),
                (None, Some(text)) => Err(PluginFault::Reported(text)),
                (None, None) => Ok(None),
            })
            .collect()
    }

    fn take(&mut self, mut stanza: Stanza) -> Result<(), PluginFault> {
        let [_, file] = stanza.arguments.as_slice() else { return Err(PluginFault::Malformed) };
        let slot = self.file_keys.get_mut(index(file)?).ok_or(PluginFault::UnknownFile)?;
        let key = stanza.body.as_slice().try_into().map(FileKey).map_err(|_| PluginFault::BadFileKey);
        stanza.body.zeroize();
        if slot.replace(key?).is_some() {
            return Err(PluginFault::BadFileKey);
        }
        Ok(())
    }

    fn take_error(&mut self, stanza: &Stanza) -> Result<(), PluginFault> {
        let text = error_text(stanza);
        match stanza.arguments.as_slice() {
            [_, kind, file, _] if kind == "stanza" => {
                let slot = self.errors.get_mut(index(file)?).ok_or(PluginFault::UnknownFile)?;
                slot.get_or_insert(text);
            }
            _ => drop(self.general.get_or_insert(text)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "age-encryption.org/v1\n-> x 1\nAQ\n-> y\n\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

    /// Checks the results for three files; a key is given by its first byte.
    #[track_caller]
    fn check(sent: &[(&str, &[u8])], expected: Result<[Result<Option<u8>, &str>; 3], PluginFault>) {
        let text = crate::encoding::to_bech32("age-plugin-test-", b"mine").to_uppercase();
        let identity: PluginIdentity = text.parse().unwrap();
        assert_eq!(identity.program(), "age-plugin-test");
        let crate::Parsed::Complete { header, .. } = Header::parse(HEADER.as_bytes()).unwrap() else {
            panic!()
        };
        let (mut unwrapping, first) = Unwrapping::new(&[&identity], &[&header; 3]);
        let stanzas =
            |file: usize| format!("-> recipient-stanza {file} x 1\nAQ\n-> recipient-stanza {file} y\n\n");
        let stanzas: String = (0..3).map(stanzas).collect();
        assert_eq!(*first, format!("-> add-identity {text}\n\n{stanzas}-> done\n\n").as_bytes());
        let result = sent.iter().try_for_each(|(words, body)| {
            let arguments = words.split(' ').map(str::to_owned).collect();
            unwrapping.receive(Stanza { arguments, body: body.to_vec() }).map(drop)
        });
        let got = result.map(|()| {
            let results = unwrapping.finish().into_iter().map(|file| file.map(|key| key.map(|key| key.0[0])));
            results.collect::<Vec<_>>()
        });
        let expected = expected.map(|files| {
            files.map(|file| file.map_err(|text| PluginFault::Reported(text.to_owned()))).to_vec()
        });
        assert_eq!(got, expected);
    }

    #[test]
    fn keys_and_errors_belong_to_files() {
        check(
            &[("file-key 2", &[2; 16]), ("file-key 0", &[7; 16]), ("done", b"")],
            Ok([Ok(Some(7)), Ok(None), Ok(Some(2))]),
        );
        check(
            &[("error stanza 1 0", b"bad tag"), ("file-key 0", &[7; 16])],
            Ok([Ok(Some(7)), Err("bad tag"), Ok(None)]),
        );
        check(
            &[("error identity 0", b"no card"), ("file-key 1", &[7; 16])],
            Ok([Err("no card"), Ok(Some(7)), Err("no card")]),
        );
        check(&[("error internal", b"")], Ok([Err("an error of kind internal"); 3]));
    }

    #[test]
    fn breaches_of_the_protocol_are_refused() {
        check(&[("file-key 3", &[7; 16])], Err(PluginFault::UnknownFile));
        check(&[("error stanza 3 0", b"x")], Err(PluginFault::UnknownFile));
        check(&[("file-key 0", &[7; 15])], Err(PluginFault::BadFileKey));
        check(&[("file-key 0", &[7; 16]), ("file-key 0", &[7; 16])], Err(PluginFault::BadFileKey));
        check(&[("file-key", &[7; 16])], Err(PluginFault::Malformed));
        check(&[("file-key x", &[7; 16])], Err(PluginFault::Malformed));
    }
}
