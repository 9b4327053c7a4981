//! What is known of a run's progress: a fold over events.
//!
//! Owns: counts, totals, waits, the speed.
//! Does not own: the clock (every moment is passed in, as time since the start), text ([`super::view`]).

use std::time::Duration;

use super::rate::{Sample, Window};

/// Waits that are remembered: the earliest is shown, the others are counted.
const WAITS_MAX: usize = 1_000;

/// Something that changes what is shown.
#[derive(Clone, Debug)]
pub(crate) enum ProgressEvent {
    /// The number of files of the whole run.
    Total(u64),
    /// The source yielded a file; with its length in bytes, if that is known.
    Found { name: Option<String>, bytes: Option<u64> },
    /// The source has no further file.
    AllFound,
    /// The length of a file that was found became known.
    Expected { bytes: u64 },
    /// A worker has a task.
    Started,
    /// A task went back to the source.
    Returned,
    /// A task is tried again after a pause.
    Retry(Wait),
    /// A file has ended; `bytes` of it were counted.
    Ended { succeeded: bool, length: Option<u64>, bytes: u64 },
    /// What is being done, in a run of few large steps.
    Stage(String),
}

/// A pause before another attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// When it ends.
    pub(crate) until: Duration,
    pub(crate) host: String,
    /// The cause in one word: the status, if there is one.
    pub(crate) cause: String,
    /// The attempt that follows.
    pub(crate) attempt: u32,
    pub(crate) attempts_max: u32,
}

/// The progress so far.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The name of the first file, which is shown if there is no other.
    name: Option<String>,
    pub(super) stage: Option<String>,
    total: Option<u64>,
    found: u64,
    pub(super) all_found: bool,
    /// Files whose length is known.
    sized: u64,
    expected_bytes: u64,
    pub(super) in_flight: u64,
    /// What workers can do at once: the engine takes tasks from the source ahead of them.
    pub(super) in_flight_max: u64,
    succeeded: u64,
    pub(super) failed: u64,
    pub(super) retries: u64,
    /// The lengths of the files that ended, and what was counted of them.
    ended_bytes: u64,
    ended_counted: u64,
    counted: u64,
    waits: Vec<Wait>,
    pub(super) window: Window,
}

/// A number and whether it is that of the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) number: u64,
    pub(super) is_final: bool,
}

impl State {
    pub(crate) fn apply(&mut self, event: ProgressEvent) {
        match event {
            ProgressEvent::Total(files) => self.total = Some(files),
            ProgressEvent::Found { name, bytes } => {
                self.found += 1;
                if self.name.is_none() {
                    self.name = name;
                }
                if let Some(bytes) = bytes {
                    self.sized += 1;
                    self.expected_bytes += bytes;
                }
            }
            ProgressEvent::AllFound => self.all_found = true,
            ProgressEvent::Expected { bytes } => {
                self.sized += 1;
                self.expected_bytes += bytes;
            }
            ProgressEvent::Started => self.in_flight += 1,
            ProgressEvent::Returned => self.in_flight = self.in_flight.saturating_sub(1),
            ProgressEvent::Retry(wait) => {
                self.retries += 1;
                if self.waits.len() < WAITS_MAX {
                    self.waits.push(wait);
                }
            }
            ProgressEvent::Ended { succeeded, length, bytes } => {
                if succeeded {
                    self.succeeded += 1
                } else {
                    self.failed += 1
                }
                self.ended_bytes += length.unwrap_or(bytes);
                self.ended_counted += bytes;
            }
            ProgressEvent::Stage(stage) => self.stage = Some(stage),
        }
    }

    /// Takes a sample of the speed. `counted` are the bytes that were counted so far.
    pub(crate) fn sample(&mut self, now: Duration, counted: u64) {
        self.counted = counted;
        self.waits.retain(|wait| wait.until > now);
        self.window.add(Sample { at: now, bytes: counted, files: self.ended() });
    }

    /// Files that have ended.
    pub(super) fn ended(&self) -> u64 {
        self.succeeded + self.failed
    }

    /// The number of files, as far as it is known; `None` before anything is.
    pub(super) fn files(&self) -> Option<Total> {
        match self.total {
            Some(total) => Some(Total { number: total.max(self.found), is_final: true }),
            None if self.found == 0 => None,
            None => Some(Total { number: self.found, is_final: self.all_found }),
        }
    }

    /// The name, if the run is about one file.
    pub(super) fn only_name(&self) -> Option<&str> {
        let is_only = self.files() == Some(Total { number: 1, is_final: true });
        self.name.as_deref().filter(|_| is_only)
    }

    /// The lengths of all files; `None` unless each that is to come is either known or found later.
    pub(super) fn bytes(&self) -> Option<Total> {
        let all_found = self.all_found || self.total.is_some_and(|total| total <= self.found);
        let is_walk = self.total.is_none();
        let is_known = self.found > 0 && self.sized >= self.found && (all_found || is_walk);
        is_known.then_some(Total { number: self.expected_bytes, is_final: all_found })
    }

    /// The bytes of the files that ended, and what others have so far. It isn't what was counted: an attempt can start
    /// over, and sealed files are longer than their content.
    pub(super) fn done_bytes(&self) -> u64 {
        let done = self.ended_bytes + self.counted.saturating_sub(self.ended_counted);
        self.bytes().map_or(done, |total| done.min(total.number))
    }

    /// The part of the run that is done, from 0 to 1: of its bytes, or of its files if the bytes aren't known.
    pub(super) fn fraction(&self) -> Option<f64> {
        if self.files().is_some_and(|files| files.is_final && files.number == self.ended()) {
            return Some(1.0);
        }
        let (done, total) = match (self.bytes(), self.files()) {
            (Some(bytes), _) if bytes.is_final && bytes.number > 0 => (self.done_bytes(), bytes.number),
            (_, Some(files)) if files.is_final && files.number > 1 => (self.ended(), files.number),
            _ => return None,
        };
        // Bytes that came twice don't make it whole.
        Some((done as f64 / total as f64).min(0.999))
    }

    /// How long the rest will take at the current speed.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let (rest, per_second) = match (self.bytes(), self.files()) {
            (Some(bytes), _) if bytes.is_final => {
                (bytes.number - self.done_bytes(), self.window.bytes_per_second()?)
            }
            (_, Some(files)) if files.is_final && files.number > 1 => {
                (files.number.saturating_sub(self.ended()), self.window.files_per_second()?)
            }
            _ => return None,
        };
        let seconds = rest as f64 / per_second;
        (per_second > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
    }

    /// The wait that ends first, and how many others there are.
    pub(super) fn wait(&self) -> Option<(&Wait, usize)> {
        let first = self.waits.iter().min_by_key(|wait| wait.until)?;
        Some((first, self.waits.len() - 1))
    }
}
