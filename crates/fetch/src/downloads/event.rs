//! What happens in a run of downloads.
//!
//! Owns: the list of events.
//! Does not own: when they happen ([`crate::downloads::run`]).

use crate::{Error, Fetched, Retry};

/// Something that happens in a run of [`Downloads`](crate::Downloads). `url` is as the caller wrote it, without
/// credentials.
#[derive(Debug)]
#[non_exhaustive]
pub enum DownloadEvent<'a> {
    /// Bytes of a body have arrived. At most a few times a second for each download.
    Progress {
        /// The download.
        url: &'a str,
        /// Bytes of it that this run has received, from all attempts.
        bytes: u64,
        /// The bytes that it needs, if known: without those that an earlier run left.
        bytes_total: Option<u64>,
        /// Bytes that this run has received of all downloads.
        all_bytes: u64,
    },
    /// An attempt failed, and another follows after a pause.
    Retrying {
        /// The download.
        url: &'a str,
        /// Why, when, and which one.
        retry: &'a Retry,
    },
    /// The file is there, complete and checked.
    Done {
        /// The download.
        url: &'a str,
        /// Its path, length, attempts; whether it was there already.
        fetched: &'a Fetched,
    },
    /// There is no file.
    Failed {
        /// The download.
        url: &'a str,
        /// The error of the last attempt; [`Error::Cancelled`] if the run was cancelled.
        error: &'a Error,
        /// Attempts that were made.
        attempts: u32,
    },
}
