//! The pause before a lost call is repeated.
//!
//! Owns: its growth.
//! Does not own: which call is repeated.

use std::time::Duration;

/// How long a node waits before it repeats a lost call, at first and at most.
const MIN: Duration = Duration::from_millis(100);
const MAX: Duration = Duration::from_secs(2);

/// After lost calls: when the next one may be made, and the pause before that.
pub(crate) struct Retry {
    pub(crate) at: Duration,
    pause: Duration,
}

impl Retry {
    /// The pause after a call that was lost, and perhaps others `before` it.
    pub(crate) fn after(before: Option<&Self>, now: Duration) -> Self {
        let pause = before.map_or(MIN, |before| MAX.min(before.pause * 2));
        Self { at: now + pause, pause }
    }
}
