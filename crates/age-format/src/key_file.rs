//! Files of recipients and of identities, as age and ssh-keygen write them.
//!
//! Owns: their grammar, the passphrase that an identity file may be sealed with.
//! Does not own: reading files, asking for the passphrase.
//!
//! Spec: none; the programs age and age-keygen are the model.

use std::str::FromStr;

use zeroize::Zeroizing;

use crate::scrypt_stanza::TAG as SCRYPT_TAG;
use crate::{
    ArmorDecoder, ArmorEncoder, Header, HeaderError, Identity, KeyFileError, KeyTextError, NONCE_BYTES,
    OpenError, Parsed, Passphrase, Recipient, SshIdentity, StreamOpener, StreamSealer, is_armored,
    open_header, seal_header, ssh,
};

/// The recipients in a file: one a line; blank lines and those that begin with `#` are comments.
///
/// # Errors
/// If a line is anything else, or there is no recipient.
pub fn recipients_in(file: &[u8]) -> Result<Vec<Recipient>, KeyFileError> {
    keys_in(std::str::from_utf8(file).map_err(|_| KeyFileError::NotText)?)
}

/// The identities in a file that is open to read: one a line; blank lines and those that begin with `#` are comments. Or the
/// one in an SSH private key file.
///
/// # Errors
/// [`KeyFileError::Protected`] if the file asks for a passphrase; else if a line is no identity, or there is none.
pub fn identities_in(file: &[u8]) -> Result<Vec<Identity>, KeyFileError> {
    if is_sealed(file) {
        return Err(KeyFileError::Protected);
    }
    let text = std::str::from_utf8(file).map_err(|_| KeyFileError::NotText)?;
    match ssh::is_private_key(text) {
        true => Ok(vec![Identity::Ssh(SshIdentity::from_file_text(text)?)]),
        false => keys_in(text),
    }
}

/// The identities in a file under a passphrase: an age file, armored or not, whose plaintext is an identity file, or an
/// SSH private key file. One that is open to read is accepted. Cost: by design about a second.
///
/// # Errors
/// If the passphrase is wrong, the file was damaged, or what it holds is refused by [`identities_in`].
pub fn protected_identities_in(file: &[u8], passphrase: &Passphrase) -> Result<Vec<Identity>, KeyFileError> {
    if is_sealed(file) {
        return identities_in(&open(file, passphrase)?);
    }
    let text = std::str::from_utf8(file).map_err(|_| KeyFileError::NotText)?;
    match ssh::is_private_key(text) {
        true => Ok(vec![Identity::Ssh(SshIdentity::from_protected_text(text, passphrase.secret_text())?)]),
        false => keys_in(text),
    }
}

/// An armored age file under `passphrase` whose plaintext is `file`, for [`protected_identities_in`]. Cost: by design about
/// a second.
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

/// The plaintext of an age file under `passphrase`.
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
    let (nonce, payload) = payload.split_first_chunk::<NONCE_BYTES>().ok_or(crate::StreamError::CutShort)?;
    let key = match open_header(&header, nonce, &[Identity::Passphrase(passphrase.clone())]) {
        Err(OpenError::NoMatch) => return Err(KeyFileError::WrongPassphrase),
        other => other?,
    };
    // All of it fits, so that no copy of the secret is left behind by growing.
    let mut plain = Zeroizing::new(Vec::with_capacity(payload.len()));
    let mut opener = StreamOpener::new(key);
    opener.push(payload, &mut plain)?;
    opener.finish(&mut plain)?;
    Ok(plain)
}
