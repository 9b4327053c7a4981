//! The passphrase (scrypt) recipient type.
//!
//! Owns: wrapping and unwrapping under a passphrase, the limits on the work factor and on memory.
//! Does not own: asking for the passphrase.
//!
//! Spec: C2SP age.md, "The scrypt recipient type".

use std::collections::TryReserveError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::encoding::{array_from_base64, to_base64};
use crate::error::{HeaderError, SealError};
use crate::file_key::{FileKey, WRAPPED_BYTES, unwrap, wrap};
use crate::header::stanza::Stanza;

pub(crate) const TAG: &str = "scrypt";
const SALT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";

/// Work factor for sealing, as a power of two. It costs about a second and 256 MiB of memory.
pub const WORK_FACTOR_DEFAULT: u8 = 18;
/// The highest work factor accepted when opening, as a power of two. It costs about 16 seconds and 4 GiB of memory.
pub const WORK_FACTOR_MAX: u8 = 22;

/// The highest work factor that is reasonable for files which the user hasn't chosen one by one, as a power of two. It
/// costs about 4 seconds and 1 GiB of memory.
pub const WORK_FACTOR_IN_TREES_MAX: u8 = 20;

/// Held while scrypt computes: one computation at a time bounds the memory that hostile files can ask for.
static PERMIT: Mutex<()> = Mutex::new(());
/// The block size that the format prescribes.
const BLOCK_SIZE: u32 = 8;
/// What a computation needs beyond the memory of its work factor, and what other threads may take meanwhile, in bytes.
const MARGIN_BYTES: usize = 16 << 20;

/// A passphrase. Clones share the text, which is wiped when the last is dropped, and which `Debug` leaves out.
#[derive(Clone)]
pub struct Passphrase {
    text: Arc<Zeroizing<String>>,
    work_factor: u8,
    work_factor_max: u8,
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
        Self { text: Arc::new(text), work_factor, work_factor_max: WORK_FACTOR_MAX }
    }

    /// Sets the highest work factor with which it opens, as a power of two; at most [`WORK_FACTOR_MAX`], the default.
    #[must_use]
    pub fn opening_up_to(self, work_factor_max: u8) -> Self {
        Self { work_factor_max: work_factor_max.min(WORK_FACTOR_MAX), ..self }
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

    pub(crate) fn work_factor_max(&self) -> u8 {
        self.work_factor_max
    }

    pub(crate) fn wrap(
        &self,
        file_key: &FileKey,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Stanza, SealError> {
        let mut salt = [0; 16];
        random(&mut salt);
        let wrap_key = self.wrap_key(&salt, self.work_factor).map_err(|_| SealError::NoMemory)?;
        let arguments = vec![TAG.to_owned(), to_base64(&salt), self.work_factor.to_string()];
        Ok(Stanza { arguments, body: wrap(&wrap_key, file_key) })
    }

    /// The file key, if `stanza` wraps it under this passphrase. Cost: by design up to 16 seconds and 4 GiB.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        let [_, salt, log_n] = stanza.arguments.as_slice() else { return Err(HeaderError::MalformedScrypt) };
        let salt = array_from_base64(salt.as_bytes()).ok_or(HeaderError::MalformedScrypt)?;
        let log_n = parse_work_factor(log_n, self.work_factor_max)?;
        if stanza.body.len() != WRAPPED_BYTES {
            return Err(HeaderError::MalformedScrypt);
        }
        let wrap_key = self.wrap_key(&salt, log_n).map_err(|_| HeaderError::NoMemory { log_n })?;
        Ok(unwrap(&wrap_key, &stanza.body))
    }

    /// Waits for other computations of the process. Fails if there is no memory for the work factor.
    fn wrap_key(&self, salt: &[u8; 16], log_n: u8) -> Result<Zeroizing<[u8; 32]>, TryReserveError> {
        let _permit = PERMIT.lock().unwrap_or_else(PoisonError::into_inner);
        check_memory((128 * BLOCK_SIZE as usize) << log_n)?;
        let mut labelled = SALT_LABEL.to_vec();
        labelled.extend_from_slice(salt);
        let params = scrypt::Params::new(log_n, BLOCK_SIZE, 1).expect("the work factor is within its limit");
        let mut key = Zeroizing::new([0; 32]);
        scrypt::scrypt(self.text.as_bytes(), &labelled, &params, &mut *key)
            .expect("32 bytes are a legal length");
        Ok(key)
    }
}

/// Fails if `bytes` of memory can't be had. scrypt itself would end the process. Nothing keeps the memory between this
/// and the computation except the margin for other threads.
fn check_memory(bytes: usize) -> Result<(), TryReserveError> {
    Vec::<u8>::new().try_reserve_exact(bytes.saturating_add(MARGIN_BYTES))
}

/// Parses decimal digits without a leading zero.
fn parse_work_factor(text: &str, limit: u8) -> Result<u8, HeaderError> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if !canonical || text.is_empty() {
        return Err(HeaderError::MalformedScrypt);
    }
    match text.parse::<u8>() {
        Ok(log_n) if log_n <= limit => Ok(log_n),
        Ok(log_n) => Err(HeaderError::WorkFactorTooHigh { log_n, limit }),
        Err(_) => Err(HeaderError::WorkFactorTooHigh { log_n: u8::MAX, limit }),
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_on_the_work_factor_is_that_of_the_passphrase() {
        let passphrase = Passphrase::with_work_factor("p".to_owned().into(), 3);
        let stanza = passphrase.wrap(&FileKey([7; 16]), &mut |out| out.fill(1)).unwrap();
        assert!(passphrase.unwrap(&stanza).unwrap().is_some());
        assert!(passphrase.clone().opening_up_to(3).unwrap(&stanza).unwrap().is_some());
        let refused = passphrase.clone().opening_up_to(2).unwrap(&stanza).err();
        assert_eq!(refused, Some(HeaderError::WorkFactorTooHigh { log_n: 3, limit: 2 }));
        assert_eq!(passphrase.opening_up_to(30).work_factor_max(), WORK_FACTOR_MAX);
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        assert!(check_memory(1 << 20).is_ok());
        assert!(check_memory(usize::MAX / 2).is_err());
    }
}
