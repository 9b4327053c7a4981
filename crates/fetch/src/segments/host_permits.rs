//! Permits for connections to each host, for files that are fetched in segments.
//!
//! Tasks start as their source says (`list::scheduler`), which knows nothing of segments. Every active task
//! has a permit. Additional connections of a file get only permits that tasks leave free, and return them when tasks
//! need them. Idle connections have no permit: they are reused first, so that there are never more than were in use.
//!
//! Owns: the number of permits in use.
//! Does not own: which tasks start (`list::scheduler`).

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::route::origin::Origin;

/// The permits in use, by host. Invariant: no host with none.
#[derive(Clone, Default)]
pub(crate) struct HostPermits(Arc<Counts>);

#[derive(Default)]
struct Counts {
    by_host: Mutex<HashMap<Origin, usize>>,
    /// A permit was returned.
    returned: Condvar,
}

/// One permit; returned when this is dropped.
pub(crate) struct HostPermit {
    permits: HostPermits,
    origin: Origin,
    /// If more permits than this are in use, a task needs this one.
    max: usize,
}

impl HostPermits {
    /// A permit, if fewer than `max` are in use.
    pub(crate) fn take(&self, origin: Origin, max: usize) -> Option<HostPermit> {
        let mut counts = self.lock();
        let count = counts.get(&origin).copied().unwrap_or_default();
        if count >= max {
            return None;
        }
        counts.insert(origin.clone(), count + 1);
        Some(HostPermit { permits: self.clone(), origin, max })
    }

    /// A permit, as soon as fewer than `max` are in use; `None` after `timeout`. Blocks the thread.
    pub(crate) fn wait(&self, origin: &Origin, max: usize, timeout: Duration) -> Option<HostPermit> {
        let is_full = |counts: &mut HashMap<Origin, usize>| counts.get(origin).is_some_and(|n| *n >= max);
        let waited = self.0.returned.wait_timeout_while(self.lock(), timeout, is_full);
        let (mut counts, timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
        if timed_out.timed_out() {
            return None;
        }
        *counts.entry(origin.clone()).or_default() += 1;
        Some(HostPermit { permits: self.clone(), origin: origin.clone(), max })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        self.0.by_host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HostPermit {
    /// Whether a task needs this permit.
    pub(crate) fn is_wanted(&self) -> bool {
        self.permits.lock().get(&self.origin).is_some_and(|count| *count > self.max)
    }
}

impl Drop for HostPermit {
    fn drop(&mut self) {
        let mut counts = self.permits.lock();
        if let Some(count) = counts.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.origin);
            }
        }
        drop(counts);
        self.permits.0.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn permits_are_counted_by_host_and_returned() {
        let permits = HostPermits::default();
        let host = |url| Origin::of(&Url::parse(url).unwrap());
        let one = permits.take(host("http://a/"), 2);
        let other = permits.take(host("http://a/x"), 2);
        assert!(one.is_some() && other.is_some());
        assert!(permits.take(host("http://a/"), 2).is_none());
        assert!(permits.take(host("http://b/"), 2).is_some());
        let task = permits.take(host("http://a/"), usize::MAX);
        let is_wanted = |permit: &Option<HostPermit>| permit.as_ref().unwrap().is_wanted();
        assert!(is_wanted(&one) && is_wanted(&other) && !is_wanted(&task));
        drop(task);
        assert!(!is_wanted(&one));
        drop(other);
        assert!(permits.take(host("http://a/"), 2).is_some());
        drop(one);
        assert!(permits.lock().is_empty());
    }
}
