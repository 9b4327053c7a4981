//! Workers that make no progress with a piece of work for a while ([`Config::stalled_after`]).
//!
//! Looks are counted, not time: a run that was stopped meanwhile (Ctrl-Z) had its workers stopped too.
//!
//! Owns: how many looks a worker may show no progress at, naming each piece of work once.
//! Does not own: what runs and what shows progress (each engine does), telling the user.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

#[cfg(doc)]
use crate::config::Config;
use crate::job::contract::{Job, TaskId};

/// The pause between two looks.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// The pieces of work that are named in a run, at most.
const NAMED_MAX: usize = 16;

/// A worker has made no progress with a piece of work for a while. It may still go on.
pub struct Stall<J: Job> {
    /// The task's number.
    pub id: TaskId,
    /// The task itself.
    pub task: Arc<J::Task>,
    /// The worker.
    pub worker: StalledWorker,
    /// For how long it has made no progress.
    pub time: Duration,
}

/// A worker, by the number that the system knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StalledWorker {
    /// A worker process.
    Process(u32),
    /// A thread of this process.
    Thread(u32),
}

impl fmt::Display for StalledWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(pid) => write!(f, "worker process {pid}"),
            Self::Thread(tid) => write!(f, "worker thread {tid}"),
        }
    }
}

/// What was seen at the last looks. `K` identifies a piece of work and who carries it out.
pub(crate) struct StallWatch<K> {
    /// The number of looks at which a piece of work may show no progress.
    looks_max: u32,
    seen: HashMap<K, Seen>,
    named: usize,
}

struct Seen {
    mark: u64,
    /// The number of looks since the mark changed.
    looks: u32,
}

impl<K: Copy + Eq + Hash> StallWatch<K> {
    /// A watch for what makes no progress for `stalled_after`, rounded down to looks.
    pub(crate) fn new(stalled_after: Duration) -> Self {
        let looks = stalled_after.as_nanos() / LOOK_INTERVAL.as_nanos();
        Self { looks_max: u32::try_from(looks).unwrap_or(u32::MAX).max(1), seen: HashMap::new(), named: 0 }
    }

    /// For how long a stalled worker has made no progress.
    pub(crate) fn time(&self) -> Duration {
        LOOK_INTERVAL.saturating_mul(self.looks_max)
    }

    /// Looks at what is `running`: each with a mark that changes whenever it makes progress. Returns what has made none
    /// for too many looks, each only once. To be called every [`LOOK_INTERVAL`].
    pub(crate) fn look(&mut self, running: impl IntoIterator<Item = (K, u64)>) -> Vec<K> {
        let mut before = std::mem::take(&mut self.seen);
        let mut stalled = Vec::new();
        for (key, mark) in running {
            let looks = before
                .remove(&key)
                .filter(|seen| seen.mark == mark)
                .map_or(0, |seen| seen.looks.saturating_add(1));
            self.seen.insert(key, Seen { mark, looks });
            if looks == self.looks_max && self.named < NAMED_MAX {
                self.named += 1;
                stalled.push(key);
            }
        }
        stalled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_makes_no_progress_for_a_minute_is_named_once() {
        let mut watch = StallWatch::new(MINUTE);
        let minute = 240;
        assert_eq!((u64::from(watch.looks_max), watch.time()), (minute, MINUTE));
        let mut named = Vec::new();
        for look in 0..4 * minute {
            // One that stands still from the start, one that goes on until the second minute, one that always goes on.
            let running = [('a', 7), ('b', look.min(minute)), ('c', look)];
            named.extend(watch.look(running).into_iter().map(|key| (key, look)));
        }
        assert_eq!(named, [('a', minute), ('b', 2 * minute)]);
        // It ended, and another attempt begins.
        assert!(watch.look([('c', 0)]).is_empty());
        let again: Vec<_> = (0..=minute).flat_map(|_| watch.look([('a', 7)])).collect();
        assert_eq!(again, ['a']);
    }

    #[test]
    fn only_so_many_are_named() {
        let mut watch = StallWatch::new(MINUTE);
        let named: usize = (0..=240).map(|_| watch.look((0..100).map(|key| (key, 0))).len()).sum();
        assert_eq!(named, NAMED_MAX);
    }

    #[test]
    fn any_time_is_a_number_of_looks() {
        for (time, looks) in [
            (Duration::ZERO, 1),
            (Duration::from_millis(749), 2),
            (Duration::from_secs(1), 4),
            (Duration::MAX, u32::MAX),
        ] {
            assert_eq!(StallWatch::<u8>::new(time).looks_max, looks, "{time:?}");
        }
    }
}
