//! Files of recipients and of identities, as age and ssh-keygen write them.
//!
//! Owns: their grammar, and identity files sealed with a passphrase.
//! Does not own: reading files from disk, prompting for the passphrase.
//!
//! Spec: none; the programs age and age-keygen serve as the model.

use std::str::FromStr;

use zeroize::Zeroizing;

use crate::armor::{ArmorDecoder, ArmorEncoder, is_armored};
use crate::error::{HeaderError, OpenError, StreamError};
use crate::file_key::NONCE_BYTES;
use crate::header::text::{Header, Parsed};
use crate::keys::error::{KeyFileError, KeyTextError};
use crate::keys::identity::Identity;
use crate::keys::passphrase::{Passphrase, TAG as SCRYPT_TAG};
use crate::keys::recipient::Recipient;
use crate::keys::ssh::identity::SshIdentity;
use crate::keys::ssh::private_key::is_private_key;
use crate::payload::streaming::{StreamOpener, StreamSealer};
use crate::sealing::{open_header, seal_header};

/// Parses a file of recipients, one per line. Blank lines and lines that begin with `#` are skipped.
///
/// # Errors
/// If any other line isn't a recipient, or there is no recipient.
pub fn recipients_in(file: &[u8]) -> Result<Vec<Recipient>, KeyFileError> {
    keys_in(std::str::from_utf8(file).map_err(|_| KeyFileError::NotText)?)
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
    let text = std::str::from_utf8(file).map_err(|_| KeyFileError::NotText)?;
    if is_private_key(text) {
        return Ok(vec![Identity::Ssh(SshIdentity::from_file_text(text)?)]);
    }
    keys_in(text)
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
    let text = std::str::from_utf8(file).map_err(|_| KeyFileError::NotText)?;
    if is_private_key(text) {
        return Ok(vec![Identity::Ssh(SshIdentity::from_protected_text(text, passphrase.secret_text())?)]);
    }
    keys_in(text)
}

/// Seals the identity file `file` with `passphrase`, as an armored age file that [`protected_identities_in`] reads.
/// Cost: by design about a second.
pub fn protected_file(file: &str, passphrase: &Passphrase, random: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
    let recipients = [Recipient::Passphrase(passphrase.clone())];
    let header = seal_header(&recipients, random).expect("a passphrase alone is always accepted");
    let mut sealed = header.bytes;
    let mut sealer = StreamSealer::new(header.payload_key);
    sealer.push(file.as_bytes(), &mut sealed);
    sealer.finish(&mut sealed);
    let (mut encoder, mut text) = (ArmorEncoder::default(), Vec::new());
    encoder.push(&sealed, &mut text);
    encoder.finish(&mut text);
    text
}

fn keys_in<K: FromStr<Err = KeyTextError>>(text: &str) -> Result<Vec<K>, KeyFileError> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let refused = |error| KeyFileError::Line { number: index as u64 + 1, error };
        keys.push(line.parse().map_err(refused)?);
    }
    if keys.is_empty() { Err(KeyFileError::Empty) } else { Ok(keys) }
}

fn is_sealed(file: &[u8]) -> bool {
    is_armored(file) || file.starts_with(b"age-encryption.org/")
}

/// The plaintext of an age file sealed with `passphrase`.
fn open(file: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
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
        Err(OpenError::NoMatch) => return Err(KeyFileError::WrongPassphrase),
        other => other?,
    };
    // Room for all of it, so that growing leaves no copy of the secret behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(payload.len()));
    let mut opener = StreamOpener::new(key);
    opener.push(payload, &mut plain)?;
    opener.finish(&mut plain)?;
    Ok(plain)
}
