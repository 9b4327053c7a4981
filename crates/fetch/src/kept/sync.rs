//! Keeping a file up to date with its URL: it is fetched again only if it has changed.
//!
//! Next to a result NAME, the record `NAME.haul-from` holds the URL, the validators of the response, and the length and
//! time of the file. If the file has another length or time, the file is fetched in full.
//!
//! Before a file gets its name, the record is cut down to its URL, and it is written in full afterwards. So at any time
//! the record says that the file is ours, and describes the file next to it or none, even if the process is killed. The
//! same holds after a power cut: a file is synced before it has its name, and if the old and the new file have the same
//! length and time, so that one record would fit both, each step is synced before the next.
//!
//! Three kinds of files are not replaced:
//!
//! - a file without a record, which this program didn't make;
//! - a file from another URL, so that two URLs with the same name don't replace each other's result (within a run,
//!   [`crate::kept::claims`] gives a name to one task);
//! - a file that another program changed during the attempt.
//!
//! Owns: the record, whether it describes the file, the order of the steps.
//! Does not own: conditional requests ([`crate::kept::condition`]), writing the file ([`crate::body::file_sink`]).

use haul_io::{Existing, FileKind, Io, Publish, Stat};
use url::Url;

use crate::kept::condition::{Condition, LocalCopy};
use crate::kept::content::{Content, Format};
use crate::kept::place::Place;
use crate::kept::record::{Record, Recorded};
use crate::{Error, Response};

/// The suffix of the record's name.
const SUFFIX: &str = ".haul-from";
/// The record's first line.
const MAGIC: &[u8] = b"haul-from 1";

/// A result that is kept up to date, during one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    result: Place,
    record: Record,
    /// Whether there was a record when the attempt began.
    is_recorded: bool,
    /// Length and time in the existing record, whichever URL it is for.
    recorded: Option<Stamp>,
    /// The file that had the result's name when the attempt began.
    existing: Option<Identity>,
    /// The validators of the response that is being received.
    condition: Option<Condition>,
}

/// The state of a result when an attempt begins.
pub(crate) struct SyncStart {
    pub(crate) sync: Sync,
    /// The existing file and its content, if its record describes it.
    pub(crate) copy: Option<(LocalCopy, Content)>,
}

/// The length of a file, and its time in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) bytes: u64,
    pub(crate) modified: (i64, u32),
}

/// Distinguishes a file from others of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    stamp: Stamp,
}

impl Sync {
    /// Examines the file that has the name of `result`, which is to be kept up to date with `url`.
    ///
    /// # Errors
    /// [`Error::Exists`] if the file has no record, or came from another URL; [`Error::InTheWay`] if something else has
    /// the record's name.
    pub(crate) async fn begin(
        io: &impl Io,
        result: &Publish,
        url: &Url,
        format: Format<'_>,
    ) -> Result<SyncStart, Error> {
        let result = Place::of(result);
        let record = Record::new(result.sibling(SUFFIX), MAGIC, url).hiding_urls(format.is_some());
        let stat = result.stat(io).await.ok();
        let found = record.read(io).await;
        let is_recorded = found != Recorded::Nothing;
        let (lines, is_ours) = match found {
            Recorded::Ours(lines) => (lines, true),
            Recorded::Others(_) if stat.is_some() => return Err(Error::Exists),
            Recorded::Others(lines) => (lines, false),
            Recorded::Foreign => return Err(record.in_the_way()),
            Recorded::Nothing if stat.is_some() => return Err(Error::Exists),
            Recorded::Damaged | Recorded::Nothing => (Vec::new(), false),
        };
        let (existing, recorded) = (stat.as_ref().map(Identity::of), Stamp::read(&lines));
        let fits = is_ours && stat.is_some_and(|stat| stat.kind == FileKind::Regular);
        let stamp =
            recorded.filter(|stamp| fits && existing.is_some_and(|existing| existing.stamp == *stamp));
        let condition = stamp.and_then(|stamp| Some((stamp.bytes, Condition::read(&lines[2..])?)));
        let copy = match condition {
            Some((stored_bytes, condition)) => {
                let content = Content::of(io, &result, stored_bytes, format).await?;
                content.map(|content| (LocalCopy { condition, bytes: content.bytes }, content))
            }
            None => None,
        };
        let sync = Self { result, record, is_recorded, recorded, existing, condition: None };
        Ok(SyncStart { sync, copy })
    }

    /// Whether there is a file to replace.
    pub(crate) fn has_existing(&self) -> bool {
        self.existing.is_some()
    }

    /// Announces the response whose body becomes the file.
    pub(crate) fn announce(&mut self, response: &Response) {
        self.condition = Condition::of(response);
    }

    /// Prepares to give the new file, with this `stamp`, its name: checks that the old file is unchanged, and cuts the
    /// record down to its URL. Returns whether there is an old file to replace.
    ///
    /// # Errors
    /// [`Error::Exists`] if the old file was changed, or if another run has meanwhile made a record for a new one.
    pub(crate) async fn before(&self, io: &impl Io, stamp: Stamp) -> Result<Existing, Error> {
        let now = self.result.stat(io).await.ok();
        if now.as_ref().map(Identity::of) != self.existing {
            return Err(Error::Exists);
        }
        if self.is_recorded {
            self.record.replace(io, b"").await?;
        } else if let Err(error) = self.record.write(io, b"").await {
            return Err(if matches!(error, Error::InTheWay { .. }) { Error::Exists } else { error });
        }
        if self.recorded == Some(stamp) {
            self.result.sync_directory(io).await.map_err(Error::write)?;
        }
        Ok(if self.existing.is_some() { Existing::Replace } else { Existing::Refuse })
    }

    /// Removes the record of a new file that didn't get its name, unless another run has meanwhile given that name to
    /// its own file and described it. One that is about to do so writes its record afterwards.
    pub(crate) async fn withdraw(&self, io: &impl Io) {
        if self.existing.is_none() && self.record.read(io).await == Recorded::Ours(Vec::new()) {
            // If this fails, a file that is later made under that name would be taken for ours.
            let _ = self.record.remove(io).await;
        }
    }

    /// Writes the record of the new file, with this `stamp`, which has its name now.
    pub(crate) async fn after(&self, io: &impl Io, stamp: Stamp) {
        let is_mistakable = self.existing.is_some_and(|existing| existing.stamp == stamp);
        if is_mistakable && self.result.sync_directory(io).await.is_err() {
            return;
        }
        let mut lines = Vec::new();
        stamp.write(&mut lines);
        if let Some(condition) = &self.condition {
            condition.write(&mut lines, self.record.salt(io).as_ref());
        }
        // Without the record the file is fetched again next time, nothing worse.
        let _ = self.record.replace(io, &lines).await;
    }
}

impl Stamp {
    /// Appends the stamp as two lines of text.
    fn write(self, out: &mut Vec<u8>) {
        let Self { bytes, modified: (seconds, nanoseconds) } = self;
        out.extend_from_slice(format!("bytes: {bytes}\nmodified: {seconds} {nanoseconds}\n").as_bytes());
    }

    /// Parses the first two of `lines`.
    fn read(lines: &[Vec<u8>]) -> Option<Self> {
        let [bytes, modified, ..] = lines else { return None };
        let bytes = std::str::from_utf8(bytes).ok()?.strip_prefix("bytes: ")?;
        let modified = std::str::from_utf8(modified).ok()?.strip_prefix("modified: ")?;
        let (seconds, nanoseconds) = modified.split_once(' ')?;
        let modified = (seconds.parse().ok()?, nanoseconds.parse().ok()?);
        Some(Self { bytes: bytes.parse().ok()?, modified })
    }
}

impl Identity {
    fn of(stat: &Stat) -> Self {
        let stamp = Stamp { bytes: stat.bytes, modified: stat.modified };
        Self { device: stat.device, inode: stat.inode, stamp }
    }
}

#[cfg(test)]
mod tests {
    use haul_io::Buf;
    use haul_io::sim::Sim;

    use super::*;

    fn place() -> (Publish, Url, Stamp) {
        let stamp = Stamp { bytes: 4, modified: (1, 0) };
        (Publish::new("x"), Url::parse("http://a.example/x").unwrap(), stamp)
    }

    async fn begin(sim: &Sim) -> Sync {
        let (publish, url, _) = place();
        Sync::begin(sim, &publish, &url, None).await.unwrap().sync
    }

    async fn make_file(sim: &Sim) {
        haul_io::write_file(sim, place().0, Buf::from(b"body".to_vec())).await.0.unwrap();
    }

    #[test]
    fn of_two_runs_one_makes_the_record_of_a_new_file() {
        for is_complete in [false, true] {
            let (sim, stamp) = (Sim::new(1), place().2);
            let steps = async {
                let (first, late) = (begin(&sim).await, begin(&sim).await);
                assert_eq!(first.before(&sim, stamp).await.unwrap(), Existing::Refuse);
                if is_complete {
                    first.after(&sim, stamp).await;
                }
                assert!(matches!(late.before(&sim, stamp).await, Err(Error::Exists)));
                make_file(&sim).await;
                first.after(&sim, stamp).await;
                assert_eq!(begin(&sim).await.recorded, Some(stamp));
            };
            sim.run(steps).unwrap();
        }
    }

    #[test]
    fn a_run_that_comes_too_late_leaves_the_record_of_the_one_that_was_first() {
        for is_complete in [false, true] {
            let (sim, stamp) = (Sim::new(1), place().2);
            let steps = async {
                // A killed run has left it.
                begin(&sim).await.record.write(&sim, b"").await.unwrap();
                let (first, late) = (begin(&sim).await, begin(&sim).await);
                for sync in [&late, &first] {
                    assert_eq!(sync.before(&sim, stamp).await.unwrap(), Existing::Refuse);
                }
                make_file(&sim).await;
                if is_complete {
                    first.after(&sim, stamp).await;
                    late.withdraw(&sim).await;
                } else {
                    late.withdraw(&sim).await;
                    first.after(&sim, stamp).await;
                }
                assert_eq!(begin(&sim).await.recorded, Some(stamp));
            };
            sim.run(steps).unwrap();
        }
    }
}
