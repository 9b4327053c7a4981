//! Files of recipients and of identities, as age and ssh-keygen write them.
//!
//! Owns: their grammar, and identity files sealed with a passphrase.
//! Does not own: reading files from disk, prompting for the passphrase.
//!
//! Spec: none; the programs age and age-keygen serve as the model.

use zeroize::Zeroizing;

use crate::armor::{ArmorDecoder, ArmorEncoder, is_armored};
use crate::encoding::{is_utf16, without_mark};
use crate::error::{HeaderError, OpenError, SealError, StreamError};
use crate::file_key::NONCE_BYTES;
use crate::header::text::{Header, Parsed};
use crate::keys::error::{KeyFileError, KeyTextError};
use crate::keys::identity::Identity;
use crate::keys::passphrase::{Passphrase, TAG as SCRYPT_TAG};
use crate::keys::recipient::Recipient;
use crate::keys::ssh::SshIdentity;
use crate::keys::ssh_forms::{is_private_key, is_public_key};
use crate::payload::streaming::{StreamOpener, StreamSealer};
use crate::sealing::{open_header, seal_header};

/// The content of a file of recipients.
#[derive(Debug)]
pub struct RecipientList {
    /// The recipients, in order. Never empty.
    pub recipients: Vec<Recipient>,
    /// The numbers, from 1, of the lines with SSH keys that can't be sealed to, because of their type or size, or
    /// because the build lacks the feature `ssh`.
    pub unsupported: Vec<u64>,
}

/// The text of a file that a person may have written with any editor: UTF-8, without the byte order mark that some
/// editors put at its start.
///
/// # Errors
/// [`KeyFileError::Utf16`] or [`KeyFileError::NotText`] for other encodings.
pub fn text_of(file: &[u8]) -> Result<&str, KeyFileError> {
    if is_utf16(file) {
        return Err(KeyFileError::Utf16);
    }
    std::str::from_utf8(without_mark(file)).map_err(|_| KeyFileError::NotText)
}

/// Parses a file of recipients, one per line. Blank lines and lines that begin with `#` are skipped. SSH keys of types
/// that can't be sealed to are listed apart, as the files of keys that forges publish contain keys of all types.
///
/// # Errors
/// If any other line isn't a recipient, or no recipient is left.
pub fn recipients_in(file: &[u8]) -> Result<RecipientList, KeyFileError> {
    let mut list = RecipientList { recipients: Vec::new(), unsupported: Vec::new() };
    let mut first_error = None;
    for (number, line) in lines_of(text_of(file)?) {
        match line.parse() {
            Ok(recipient) => list.recipients.push(recipient),
            Err(
                error @ (KeyTextError::Unsupported | KeyTextError::WrongLength | KeyTextError::SshNotBuilt),
            ) if is_public_key(line) => {
                list.unsupported.push(number);
                first_error.get_or_insert(KeyFileError::Line { number, error });
            }
            Err(error) => return Err(KeyFileError::Line { number, error }),
        }
    }
    if list.recipients.is_empty() { Err(first_error.unwrap_or(KeyFileError::Empty)) } else { Ok(list) }
}

/// Parses a file of identities, one per line, where blank lines and lines that begin with `#` are skipped; or an SSH
/// private key file.
///
/// # Errors
/// [`KeyFileError::Protected`] if the file needs a passphrase; other errors if a line isn't an identity, or there is
/// none.
pub fn identities_in(file: &[u8]) -> Result<Vec<Identity>, KeyFileError> {
    if is_sealed(file) {
        return Err(KeyFileError::Protected);
    }
    let text = text_of(file)?;
    if is_private_key(text) {
        return Ok(vec![Identity::Ssh(SshIdentity::from_file_text(text)?)]);
    }
    identity_lines(text)
}

/// Parses a file of identities that is protected by `passphrase`: an age file, armored or not, whose plaintext is an
/// identity file; or an SSH private key file. An unprotected file is accepted as well. Cost: by design about a
/// second.
///
/// # Errors
/// If the passphrase is wrong, the file is damaged, or [`identities_in`] refuses the plaintext.
pub fn protected_identities_in(file: &[u8], passphrase: &Passphrase) -> Result<Vec<Identity>, KeyFileError> {
    if is_sealed(file) {
        return identities_in(&open(file, passphrase)?);
    }
    let text = text_of(file)?;
    if is_private_key(text) {
        return Ok(vec![Identity::Ssh(SshIdentity::from_protected_text(text, passphrase.secret_text())?)]);
    }
    identity_lines(text)
}

/// Seals the identity file `file` with `passphrase`, as an armored age file that [`protected_identities_in`] reads.
/// Cost: by design about a second.
///
/// # Errors
/// [`SealError::NoMemory`].
pub fn protected_file(
    file: &str,
    passphrase: &Passphrase,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, SealError> {
    let header = seal_header(&[Recipient::Passphrase(passphrase.clone())], random)?;
    let mut sealed = header.bytes;
    let mut sealer = StreamSealer::new(header.payload_key);
    sealer.push(file.as_bytes(), &mut sealed);
    sealer.finish(&mut sealed);
    let (mut encoder, mut text) = (ArmorEncoder::default(), Vec::new());
    encoder.push(&sealed, &mut text);
    encoder.finish(&mut text);
    Ok(text)
}

fn identity_lines(text: &str) -> Result<Vec<Identity>, KeyFileError> {
    let mut identities = Vec::new();
    for (number, line) in lines_of(text) {
        identities.push(line.parse().map_err(|error| KeyFileError::Line { number, error })?);
    }
    if identities.is_empty() { Err(KeyFileError::Empty) } else { Ok(identities) }
}

/// The lines of `text` that hold keys, with their numbers from 1.
fn lines_of(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let lines = text.lines().map(str::trim_end).enumerate();
    let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    keys.map(|(index, line)| (index as u64 + 1, line))
}

fn is_sealed(file: &[u8]) -> bool {
    is_armored(without_mark(file)) || file.starts_with(b"age-encryption.org/")
}

/// The plaintext of an age file sealed with `passphrase`.
fn open(file: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let file = without_mark(file);
    if is_armored(file) {
        let (mut decoder, mut binary) = (ArmorDecoder::default(), Vec::new());
        decoder.push(file, &mut binary).and_then(|()| decoder.finish(&mut binary))?;
        return open_binary(&binary, passphrase);
    }
    open_binary(file, passphrase)
}

fn open_binary(file: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let (header, payload) = match Header::parse(file).map_err(OpenError::Header)? {
        Parsed::Complete { header, len } => (header, &file[len..]),
        Parsed::NeedMore => return Err(OpenError::Header(HeaderError::MalformedLine).into()),
    };
    if !header.stanzas().iter().any(|stanza| stanza.tag() == SCRYPT_TAG) {
        return Err(KeyFileError::NotUnderPassphrase);
    }
    let (nonce, payload) = payload.split_first_chunk::<NONCE_BYTES>().ok_or(StreamError::CutShort)?;
    let key = match open_header(&header, nonce, &[Identity::Passphrase(passphrase.clone())]) {
        Err(OpenError::WrongPassphrase) => return Err(KeyFileError::WrongPassphrase),
        other => other?,
    };
    // Room for all of it, so that growing leaves no copy of the secret behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(payload.len()));
    let mut opener = StreamOpener::new(key);
    opener.push(payload, &mut plain)?;
    opener.finish(&mut plain)?;
    Ok(plain)
}
