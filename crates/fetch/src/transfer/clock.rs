//! The time limits of one attempt.
//!
//! A pure value: the current time is an argument.
//!
//! Owns: the deadline of the whole request, which bounds every single step.
//! Does not own: the clock ([`haul_io::Io::now`]), timeouts of single steps ([`crate::Config`]).

use std::time::Duration;

use crate::route::wire::Wait;
use crate::{Error, Phase};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Longest time without progress while the server should send data.
    pub(crate) read_timeout: Duration,
    /// When the whole request must be complete, by [`haul_io::Io::now`].
    deadline: Option<Duration>,
}

impl Clock {
    /// Starts `now`, for a request that took the time `spent` in earlier attempts.
    pub(crate) fn start(
        read_timeout: Duration,
        total_timeout: Option<Duration>,
        now: Duration,
        spent: Duration,
    ) -> Self {
        let left = total_timeout.map(|timeout| timeout.saturating_sub(spent));
        Self { read_timeout, deadline: left.map(|left| now + left) }
    }

    /// `timeout`, or the time left for the whole request if that is less.
    ///
    /// # Errors
    /// If no time is left.
    pub(crate) fn limit(&self, now: Duration, timeout: Duration) -> Result<Duration, Error> {
        match self.deadline.map(|deadline| deadline.saturating_sub(now)) {
            Some(Duration::ZERO) => Err(Error::Timeout(Phase::Total)),
            Some(left) => Ok(left.min(timeout)),
            None => Ok(timeout),
        }
    }

    /// Waits for the peer: at most `idle` without a byte, and until the end of the whole request.
    ///
    /// # Errors
    /// If no time is left.
    pub(crate) fn wait(&self, now: Duration, idle: Duration) -> Result<Wait, Error> {
        self.limit(now, idle)?;
        Ok(Wait::new(idle, self.deadline.unwrap_or(Duration::MAX)))
    }

    /// `error`, or [`Phase::Total`] if a step timed out because the whole request did.
    pub(crate) fn judge(&self, now: Duration, error: Error) -> Error {
        match error {
            Error::Timeout(_) | Error::Resolve(_)
                if self.deadline.is_some_and(|deadline| deadline <= now) =>
            {
                Error::Timeout(Phase::Total)
            }
            error => error,
        }
    }
}
