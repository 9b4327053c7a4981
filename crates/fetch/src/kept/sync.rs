//! Keeping up with a URL: a file is fetched again only where it has changed.
//!
//! Beside a result NAME, `NAME.haul-from` says which URL it came from, what the server said of these bytes, and the file's length and
//! time. Where length and time are others, or there is no record, the file is fetched in full. Before a result is replaced the record
//! is removed, and written anew only afterwards: whenever the process is killed, the record beside a file was written
//! for it, or there is none. The same holds after a power cut: a file is on stable storage before it has its name; and where the old file
//! or its record could be mistaken for the new one's, as length and time are the same, each step is synced before the next.
//!
//! A file that came from another URL is not replaced, so that two URLs of one name never take turns in it (at one time only one
//! attempt of a job is at a name: [`crate::kept::claims`]); nor is one that somebody else changed while the new one was on its way.
//!
//! Owns: the record, whether it is about what is there, the order of the steps.
//! Does not own: conditions of requests ([`crate::kept::condition`]), writing the file ([`crate::body::file_sink`]).

use std::path::Path;

use haul_io::{Existing, FileKind, Io, Stat, sync_directory_of};
use url::Url;

use crate::kept::condition::{Condition, LocalCopy};
use crate::kept::record::{Record, Recorded, beside};
use crate::{Error, Response};

/// What the name of the record ends in.
const SUFFIX: &str = ".haul-from";
/// The record's first line.
const MAGIC: &[u8] = b"haul-from 1";

/// A result that keeps up with its URL, during one attempt to.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    record: Record,
    /// Length and time in the record that is there, whoever's it is.
    recorded: Option<Stamp>,
    /// What had the result's name when the attempt began.
    there: Option<Identity>,
    /// What the server says of what is on its way.
    condition: Option<Condition>,
}

/// The state of a result when an attempt begins.
pub(crate) struct SyncStart {
    pub(crate) sync: Sync,
    /// The copy that is there, if it is as its record says.
    pub(crate) copy: Option<LocalCopy>,
}

/// A file's length, and its time in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) bytes: u64,
    pub(crate) modified: (i64, u32),
}

/// Tells a file from another of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    stamp: Stamp,
}

impl Sync {
    /// Looks at what is at `result`, to keep up with `url`.
    ///
    /// # Errors
    /// [`Error::Exists`] where it came from another URL; [`Error::InTheWay`] where something else has the record's name.
    pub(crate) async fn begin(io: &impl Io, result: &Path, url: &Url) -> Result<SyncStart, Error> {
        let record = Record::new(beside(result, SUFFIX), MAGIC, url);
        let stat = io.stat_at(None, result).await.ok();
        let (lines, is_ours) = match record.read(io).await {
            Recorded::Ours(lines) => (lines, true),
            Recorded::Others(_) if stat.is_some() => return Err(Error::Exists),
            Recorded::Others(lines) => (lines, false),
            Recorded::Foreign => return Err(record.in_the_way()),
            Recorded::Damaged | Recorded::Nothing => (Vec::new(), false),
        };
        let (there, recorded) = (stat.as_ref().map(Identity::of), Stamp::read(&lines));
        let fits = is_ours && stat.is_some_and(|stat| stat.kind == FileKind::Regular);
        let stamp = recorded.filter(|stamp| fits && there.is_some_and(|there| there.stamp == *stamp));
        let copy = stamp.and_then(|stamp| {
            let condition = Condition::read(&lines[2..])?;
            Some(LocalCopy { condition, bytes: stamp.bytes })
        });
        Ok(SyncStart { sync: Self { record, recorded, there, condition: None }, copy })
    }

    /// The response whose body becomes the file.
    pub(crate) fn announce(&mut self, response: &Response) {
        self.condition = Condition::of(response);
    }

    /// Before the file, with this `stamp`, gets its name: that what has the name is still what had it, and how to deal with that.
    pub(crate) async fn before(&self, io: &impl Io, result: &Path, stamp: Stamp) -> Result<Existing, Error> {
        let now = io.stat_at(None, result).await.ok();
        if now.as_ref().map(Identity::of) != self.there {
            return Err(Error::Exists);
        }
        self.record.remove(io).await?;
        if self.recorded == Some(stamp) {
            sync_directory_of(io, result).await.map_err(Error::write)?;
        }
        Ok(if self.there.is_some() { Existing::Replace } else { Existing::Refuse })
    }

    /// The file, with this `stamp`, has its name.
    pub(crate) async fn after(&self, io: &impl Io, result: &Path, stamp: Stamp) {
        let is_mistakable = self.there.is_some_and(|there| there.stamp == stamp);
        if is_mistakable && sync_directory_of(io, result).await.is_err() {
            return;
        }
        let mut lines = Vec::new();
        stamp.write(&mut lines);
        if let Some(condition) = &self.condition {
            condition.write(&mut lines);
        }
        // Without it the file is fetched once more than it need be, no worse.
        let _ = self.record.write(io, &lines).await;
    }
}

impl Stamp {
    /// As two lines of text.
    fn write(self, out: &mut Vec<u8>) {
        let Self { bytes, modified: (seconds, nanoseconds) } = self;
        out.extend_from_slice(format!("bytes: {bytes}\nmodified: {seconds} {nanoseconds}\n").as_bytes());
    }

    /// From the first two of `lines`.
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
