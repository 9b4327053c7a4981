//! The passphrase (scrypt) recipient type.
//!
//! Owns: wrapping and unwrapping under a passphrase, the limit on the work factor.
//! Does not own: asking for the passphrase.
//!
//! Spec: C2SP age.md, "The scrypt recipient type".

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::encoding::{array_from_base64, to_base64};
use crate::error::HeaderError;
use crate::file_key::{FileKey, WRAPPED_BYTES, unwrap, wrap};
use crate::header::stanza::Stanza;

pub(crate) const TAG: &str = "scrypt";
const SALT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";

/// Work factor for sealing, as a power of two. It costs about a second and 256 MiB of memory.
pub const WORK_FACTOR_DEFAULT: u8 = 18;
/// The highest work factor accepted when opening, as a power of two. It costs about 16 seconds and 4 GiB of memory.
pub const WORK_FACTOR_MAX: u8 = 22;

/// A passphrase. Clones share the text, which is wiped when the last is dropped, and which `Debug` leaves out.
#[derive(Clone)]
pub struct Passphrase {
    text: Arc<Zeroizing<String>>,
    work_factor: u8,
}

impl Passphrase {
    /// A passphrase that seals with [`WORK_FACTOR_DEFAULT`].
    pub fn new(text: Zeroizing<String>) -> Self {
        Self::with_work_factor(text, WORK_FACTOR_DEFAULT)
    }

    /// A passphrase that seals with the scrypt cost 2^`work_factor`.
    ///
    /// # Panics
    /// If the factor is 0 or above [`WORK_FACTOR_MAX`].
    pub fn with_work_factor(text: Zeroizing<String>, work_factor: u8) -> Self {
        assert!(Self::is_work_factor(work_factor), "work factor out of range");
        Self { text: Arc::new(text), work_factor }
    }

    pub(crate) fn is_work_factor(work_factor: u8) -> bool {
        (1..=WORK_FACTOR_MAX).contains(&work_factor)
    }

    pub(crate) fn secret_text(&self) -> &str {
        &self.text
    }

    pub(crate) fn work_factor(&self) -> u8 {
        self.work_factor
    }

    pub(crate) fn wrap(&self, file_key: &FileKey, random: &mut dyn FnMut(&mut [u8])) -> Stanza {
        let mut salt = [0; 16];
        random(&mut salt);
        let wrap_key = self.wrap_key(&salt, self.work_factor);
        let arguments = vec![TAG.to_owned(), to_base64(&salt), self.work_factor.to_string()];
        Stanza { arguments, body: wrap(&wrap_key, file_key) }
    }

    /// The file key, if `stanza` wraps it under this passphrase. Cost: by design up to 16 seconds and 4 GiB.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        let [_, salt, log_n] = stanza.arguments.as_slice() else { return Err(HeaderError::MalformedScrypt) };
        let salt = array_from_base64(salt.as_bytes()).ok_or(HeaderError::MalformedScrypt)?;
        let log_n = parse_work_factor(log_n)?;
        if stanza.body.len() != WRAPPED_BYTES {
            return Err(HeaderError::MalformedScrypt);
        }
        Ok(unwrap(&self.wrap_key(&salt, log_n), &stanza.body))
    }

    fn wrap_key(&self, salt: &[u8; 16], log_n: u8) -> Zeroizing<[u8; 32]> {
        let mut labelled = SALT_LABEL.to_vec();
        labelled.extend_from_slice(salt);
        let params = scrypt::Params::new(log_n, 8, 1).expect("the work factor is within its limit");
        let mut key = Zeroizing::new([0; 32]);
        scrypt::scrypt(self.text.as_bytes(), &labelled, &params, &mut *key)
            .expect("32 bytes are a legal length");
        key
    }
}

/// Parses decimal digits without a leading zero.
fn parse_work_factor(text: &str) -> Result<u8, HeaderError> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if !canonical || text.is_empty() {
        return Err(HeaderError::MalformedScrypt);
    }
    match text.parse::<u8>() {
        Ok(log_n) if log_n <= WORK_FACTOR_MAX => Ok(log_n),
        Ok(log_n) => Err(HeaderError::WorkFactorTooHigh { log_n }),
        Err(_) => Err(HeaderError::WorkFactorTooHigh { log_n: u8::MAX }),
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}
