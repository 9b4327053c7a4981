//! The result of a run of downloads.
//!
//! Owns: counting, the failures that are kept.
//! Does not own: single results ([`crate::DownloadEvent`]).

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::Error;

/// Failures that a report keeps.
const FAILURES_MAX: usize = 1_000;

/// How many downloads of a run succeeded, and why others failed.
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "downloads may have failed: see DownloadReport::all"]
pub struct DownloadReport {
    /// Files that are there, complete and checked.
    pub succeeded: u64,
    /// Those of them that were complete before the run.
    pub skipped: u64,
    /// Downloads that failed.
    pub failed: u64,
    /// Downloads that ended because the run was cancelled. Those that hadn't begun aren't counted.
    pub cancelled: u64,
    /// Bytes received of files that succeeded.
    pub bytes: u64,
    /// Wall-clock time.
    pub wall: Duration,
    /// The first thousand failures.
    pub failures: Vec<DownloadFailure>,
}

/// A download that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct DownloadFailure {
    /// The URL.
    pub url: String,
    /// Why the last attempt failed.
    pub reason: String,
    /// The status that was the reason, if one was.
    pub status: Option<StatusCode>,
    /// Whether a later run may succeed: see [`Error::is_transient`](crate::Error::is_transient).
    pub is_transient: bool,
    /// Attempts that were made.
    pub attempts: u32,
}

/// A run in which not every download succeeded.
#[derive(Debug)]
pub struct SomeFailed(pub DownloadReport);

impl DownloadReport {
    /// The report, if no download failed or was cancelled.
    ///
    /// # Errors
    /// Otherwise the same report, as an error.
    pub fn all(self) -> Result<Self, SomeFailed> {
        if self.failed == 0 && self.cancelled == 0 { Ok(self) } else { Err(SomeFailed(self)) }
    }

    pub(crate) fn fail(&mut self, url: &str, error: &Error, attempts: u32) {
        if matches!(error, Error::Cancelled) {
            self.cancelled += 1;
            return;
        }
        self.failed += 1;
        if self.failures.len() < FAILURES_MAX {
            let (url, reason) = (url.to_owned(), error.to_string());
            let (status, is_transient) = (error.status(), error.is_transient());
            self.failures.push(DownloadFailure { url, reason, status, is_transient, attempts });
        }
    }
}

impl fmt::Display for SomeFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DownloadReport { succeeded, failed, cancelled, failures, .. } = &self.0;
        write!(f, "{failed} of {} downloads failed", succeeded + failed + cancelled)?;
        if *cancelled > 0 {
            write!(f, ", {cancelled} were cancelled")?;
        }
        match failures.first() {
            Some(DownloadFailure { url, reason, .. }) => {
                write!(f, "; the first: cannot fetch {url}: {reason}")
            }
            None => Ok(()),
        }
    }
}

impl std::error::Error for SomeFailed {}
