//! Opens sealed files with the crate `age`, and hashes.
//!
//! Owns: both.
//! Does not own: where the files lie.

use std::io::{BufReader, Read};

use sha2::{Digest, Sha256};

/// The plaintext of a sealed file, armored or not.
///
/// # Errors
///
/// A text that says why it doesn't open.
pub(crate) fn open(sealed: &[u8], identity: &dyn age::Identity) -> Result<Vec<u8>, String> {
    let reader = BufReader::new(age::armor::ArmoredReader::new(sealed));
    let decryptor = age::Decryptor::new_buffered(reader).map_err(|e| e.to_string())?;
    let mut stream = decryptor.decrypt(std::iter::once(identity)).map_err(|e| e.to_string())?;
    let mut plain = Vec::new();
    stream.read_to_end(&mut plain).map_err(|e| e.to_string())?;
    Ok(plain)
}

/// `plain`, sealed by the crate `age`.
///
/// # Errors
///
/// A text that says why it can't be sealed.
pub(crate) fn seal(plain: &[u8], recipient: &age::x25519::Recipient) -> Result<Vec<u8>, String> {
    age::encrypt(recipient, plain).map_err(|e| e.to_string())
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
