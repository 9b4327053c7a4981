//! The keys that open the header of a task's source.
//!
//! Owns: choosing between the identities and a file key from a plugin.
//! Does not own: finding the identity that fits ([`haul_age_format::open_header`]).

use haul_age_format::{
    FileKey, Header, Identity, NONCE_BYTES, open_header, open_header_with, unwrap_file_key,
};

use super::chunks::Payload;
use crate::error::Error;
use crate::run_key::SharedRunKey;
use crate::task::Task;

/// The keys for one header.
pub(crate) struct HeaderKeys<'a> {
    identities: &'a [Identity],
    /// A file key from a plugin; the identities are then not tried.
    file_key: Option<FileKey>,
}

impl<'a> HeaderKeys<'a> {
    pub(crate) fn new(identities: &'a [Identity], file_key: Option<FileKey>) -> Self {
        Self { identities, file_key }
    }

    /// The keys for the source of `task`.
    pub(crate) fn of(task: &Task, identities: &'a [Identity], run_key: &SharedRunKey) -> Self {
        Self::new(identities, task.plugin_key().map(|key| key.file_key(run_key.get())))
    }

    /// The file key in `header`, which is authentic.
    pub(crate) fn into_file_key(self, header: &Header) -> Result<FileKey, Error> {
        match self.file_key {
            Some(file_key) => {
                // Whether the header is authentic doesn't depend on the nonce.
                open_header_with(header, &[0; NONCE_BYTES], &file_key)?;
                Ok(file_key)
            }
            None => Ok(unwrap_file_key(header, self.identities)?),
        }
    }

    /// Opens `header`, which has `header_bytes` bytes and is followed by `nonce`.
    pub(crate) fn open(&self, header: &Header, header_bytes: usize, nonce: &[u8]) -> Result<Payload, Error> {
        let nonce = nonce.try_into().expect("callers cut the nonce to its length");
        let key = match &self.file_key {
            Some(file_key) => open_header_with(header, nonce, file_key)?,
            None => open_header(header, nonce, self.identities)?,
        };
        Ok(Payload { key, offset: (header_bytes + NONCE_BYTES) as u64 })
    }
}
