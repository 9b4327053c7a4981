//! Sealing as a format of files, for jobs that receive content and store it: see [`haul_io::ChunkedFormat`].
//!
//! Owns: one header and one file key for each file, opening what earlier runs sealed.
//! Does not own: receiving and storing, the format itself ([`haul_age_format`]).

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use haul_age_format::{
    ArmorEncoder, CHUNK_BYTES, FileKey, Header, Identity, Layout, NONCE_BYTES, Parsed, PayloadKey, Recipient,
    SealError, SealedHeader, Stanza, TAG_BYTES, check_recipients, open_header, seal_header, seal_header_with,
};
use haul_io::{Armor, Cancel, ChunkedFile, ChunkedFormat, Damaged, suffixed};

use crate::error::Error;
use crate::plugin::Plugins;
use crate::stream::{StreamOptions, Streamed, seal_stream};
use crate::task::Refusal;
use crate::walk::{TREE_IDENTITY_NAME, is_identity_name};

/// The age format, with recipients to seal to and identities to read what earlier runs sealed.
///
/// Each file gets a file key of its own. Content leaves as ciphertext only; the keys stay in memory.
///
/// As `Config::format` of the crate `haul-fetch`, it seals whatever that downloads, and files are named `NAME.age`:
///
/// ```
/// use haul_seal::{SealedFormat, X25519Identity};
///
/// # fn main() -> Result<(), haul_seal::SealError> {
/// let ada = X25519Identity::generate();
/// let format = SealedFormat::new(vec![ada.to_recipient().into()])?.identities(vec![ada.into()]);
/// // let client = Client::new(Config { format: Some(Arc::new(format)), ..Config::default() })?;
/// # drop(format);
/// # Ok(())
/// # }
/// ```
pub struct SealedFormat {
    recipients: Vec<Recipient>,
    identities: Vec<Identity>,
    armored: bool,
    /// File keys that plugins have wrapped for files to come.
    plugins: Option<PluginKeys>,
}

/// File keys wrapped by plugins, a batch at a time, so that a plugin is asked for many files at once.
struct PluginKeys {
    plugins: Arc<Plugins>,
    cancel: Cancel,
    ready: Mutex<Ready>,
}

struct Ready {
    keys: Vec<(FileKey, Vec<Stanza>)>,
    /// The size of the next batch.
    next: usize,
}

/// What the names of sealed files end in.
const SUFFIX: &str = ".age";
/// The most file keys that a plugin is asked for at once.
const BATCH_KEYS_MAX: usize = 64;

/// A file that is being sealed, or one that was sealed and is read.
struct SealedContent {
    head: Vec<u8>,
    key: PayloadKey,
    armored: bool,
}

/// The armor of a file.
struct ArmorText(ArmorEncoder);

impl SealedFormat {
    /// The format with `recipients`, whose files are named `NAME.age`.
    ///
    /// # Errors
    /// If there are no recipients, or they can't be combined.
    pub fn new(recipients: Vec<Recipient>) -> Result<Self, SealError> {
        check_recipients(&recipients)?;
        Ok(Self { recipients, identities: Vec::new(), armored: false, plugins: None })
    }

    /// Asks `plugins` to wrap file keys, if a recipient needs that, until `cancel` is triggered. The file that begins
    /// when no wrapped key is left waits for the plugin.
    pub fn asking(self, plugins: Arc<Plugins>, cancel: Cancel) -> Self {
        let is_needed = self.recipients.iter().any(|recipient| recipient.plugin().is_some());
        let ready = Mutex::new(Ready { keys: Vec::new(), next: 1 });
        Self { plugins: is_needed.then_some(PluginKeys { plugins, cancel, ready }), ..self }
    }

    /// Seals a stream to the recipients.
    pub(crate) fn seal_stream(
        &self,
        source: impl Read + Send,
        sink: impl Write + Send,
        cancel: &Cancel,
    ) -> Result<Streamed, Error> {
        let plugins = self.plugins.as_ref().map(|keys| keys.plugins.clone());
        let options = StreamOptions { plugins, ..StreamOptions::new(cancel.clone()) };
        seal_stream(source, sink, &self.recipients, &options)
    }

    pub(crate) fn header(&self, random: &mut dyn FnMut(&mut [u8])) -> io::Result<SealedHeader> {
        let sealed = match &self.plugins {
            None => seal_header(&self.recipients, random),
            Some(plugins) => {
                let (file_key, stanzas) = plugins.key(&self.recipients, random)?;
                seal_header_with(&self.recipients, &stanzas, &file_key, random)
            }
        };
        sealed.map_err(|error| match error {
            SealError::NoMemory => io::Error::from(ErrorKind::OutOfMemory),
            error => io::Error::other(error),
        })
    }

    /// Sets the identities that open what earlier runs sealed, so that a partial file is continued and a complete one
    /// compared by its content. Defaults to none.
    pub fn identities(self, identities: Vec<Identity>) -> Self {
        Self { identities, ..self }
    }

    /// Sets whether files are armored: text, a third longer, written from start to end and never continued by a later
    /// run. Defaults to false.
    pub fn armored(self, armored: bool) -> Self {
        Self { armored, ..self }
    }
}

/// The path of the sealed file for a result called `path`: with `.age` at its end, unless it ends in that already. A
/// name that would pass for the identity of its directory ([`TREE_IDENTITY_NAME`]) gets `_` before it.
pub fn sealed_path(path: &Path) -> PathBuf {
    let path = suffixed(path, SUFFIX);
    if path.file_name().is_some_and(is_identity_name) {
        return path.with_file_name(format!("_{TREE_IDENTITY_NAME}"));
    }
    path
}

impl PluginKeys {
    /// A new file key, wrapped for the plugins' `recipients`.
    fn key(
        &self,
        recipients: &[Recipient],
        random: &mut dyn FnMut(&mut [u8]),
    ) -> io::Result<(FileKey, Vec<Stanza>)> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = ready.keys.pop() {
            return Ok(key);
        }
        let keys: Vec<_> = (0..ready.next).map(|_| FileKey::generate_with(random)).collect();
        let stanzas =
            self.plugins.wrap(recipients, &keys, &self.cancel).map_err(|refusal| match refusal {
                Refusal::Plugin(error) => io::Error::other(error.to_string()),
                Refusal::Recipients(error) => io::Error::other(error.to_string()),
            })?;
        ready.keys = keys.into_iter().zip(stanzas).collect();
        ready.next = (2 * ready.next).min(BATCH_KEYS_MAX);
        Ok(ready.keys.pop().expect("a batch has a key"))
    }
}

impl fmt::Debug for SealedFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SealedFormat").field("armored", &self.armored).finish_non_exhaustive()
    }
}

impl ChunkedFormat for SealedFormat {
    fn suffix(&self) -> &str {
        SUFFIX
    }

    fn stored_path(&self, path: &Path) -> PathBuf {
        sealed_path(path)
    }

    fn begin(&self, random: &mut dyn FnMut(&mut [u8])) -> io::Result<Arc<dyn ChunkedFile>> {
        let header = self.header(random)?;
        let (head, key) = (header.bytes, header.payload_key);
        Ok(Arc::new(SealedContent { head, key, armored: self.armored }))
    }

    fn head_bytes_max(&self) -> usize {
        Header::BYTES_MAX + NONCE_BYTES
    }

    fn head_bytes(&self, start: &[u8]) -> Option<u64> {
        match Header::parse(start) {
            Ok(Parsed::Complete { len, .. }) if start.len() >= len + NONCE_BYTES => {
                Some((len + NONCE_BYTES) as u64)
            }
            _ => None,
        }
    }

    fn reopen(&self, start: &[u8]) -> Option<Arc<dyn ChunkedFile>> {
        let Ok(Parsed::Complete { header, len }) = Header::parse(start) else { return None };
        let head = start.get(..len + NONCE_BYTES)?;
        let nonce = head[len..].try_into().expect("as long as a nonce");
        let key = open_header(&header, nonce, &self.identities).ok()?;
        Some(Arc::new(SealedContent { head: head.to_vec(), key, armored: false }))
    }

    fn content_bytes(&self, head_bytes: u64, stored_bytes: u64) -> Option<u64> {
        Layout::of_sealed(stored_bytes.checked_sub(head_bytes)?).map(Layout::plain_bytes)
    }
}

impl ChunkedFile for SealedContent {
    fn head(&self) -> &[u8] {
        &self.head
    }

    fn chunk_bytes(&self) -> usize {
        CHUNK_BYTES
    }

    fn added_bytes(&self) -> usize {
        TAG_BYTES
    }

    fn encode(&self, index: u64, is_last: bool, content: &[u8], stored: &mut [u8]) {
        self.key.seal_chunk(index, is_last, content, stored);
    }

    fn decode(&self, index: u64, is_last: bool, stored: &[u8], content: &mut [u8]) -> Result<(), Damaged> {
        self.key.open_chunk(index, is_last, stored, content).map_err(|_| Damaged)
    }

    fn armor(&self) -> Option<Box<dyn Armor>> {
        self.armored.then(|| Box::new(ArmorText(ArmorEncoder::default())) as Box<dyn Armor>)
    }
}

impl Armor for ArmorText {
    fn push(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        self.0.push(bytes, text);
    }

    fn finish(self: Box<Self>, text: &mut Vec<u8>) {
        self.0.finish(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_files_have_the_suffix_once_and_never_the_name_of_an_identity() {
        for (path, name) in [
            ("d/x.tar", "d/x.tar.age"),
            ("x.age", "x.age"),
            ("x.AGE", "x.AGE"),
            (".age", ".age.age"),
            ("haul-identity", "_haul-identity.age"),
            ("d/Haul-Identity.age", "d/_haul-identity.age"),
            ("haul-identity/x", "haul-identity/x.age"),
        ] {
            assert_eq!(sealed_path(Path::new(path)), Path::new(name), "{path}");
        }
    }
}
