//! The beginning of a file, kept on disk for a later run.
//!
//! For a result NAME the bytes are in `NAME.haul-part`, and their URL and validators in `NAME.haul-part.from`. The
//! record is written before the first byte and removed after the last, and old bytes are removed before a new record is
//! written. So at any time the bytes belong to the record, or there is none, even if the process is killed.
//!
//! Owns: both names, the order of the steps.
//! Does not own: writing the bytes ([`crate::body::file_sink`]), the format of the record ([`crate::kept::record`]).

use std::io;
use std::path::{Path, PathBuf};

use haul_io::{FileKind, Io, Staged};
use url::Url;

use crate::Error;
use crate::kept::record::{Record, Recorded, remove, sibling};
use crate::kept::resume::Prefix;
use crate::kept::validator::Validators;

/// The suffix of the partial file's name.
const PART_SUFFIX: &str = ".haul-part";
/// The suffix of the record's name.
const RECORD_SUFFIX: &str = ".haul-part.from";
/// The record's first line.
const MAGIC: &[u8] = b"haul-part 1";

/// The two files that keep the beginning of a result.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    pub(crate) part: PathBuf,
    record: Record,
}

impl Partial {
    pub(crate) fn of(result: &Path, url: &Url) -> Self {
        let record = Record::new(sibling(result, RECORD_SUFFIX), MAGIC, url);
        Self { part: sibling(result, PART_SUFFIX), record }
    }

    /// The bytes that an earlier run kept. `None` if bytes and record don't match; they are removed when a new partial
    /// file begins.
    pub(crate) async fn find(&self, io: &impl Io) -> Option<Prefix> {
        let stat = io.stat_at(None, &self.part).await.ok()?;
        let Recorded::Ours(lines) = self.record.read(io).await else { return None };
        let validators = Validators::read(lines.iter().map(Vec::as_slice))?;
        let fits = validators.total.is_none_or(|total| stat.bytes <= total);
        (stat.kind == FileKind::Regular && stat.bytes > 0 && fits)
            .then_some(Prefix { bytes: stat.bytes, validators })
    }

    /// Begins an empty partial file for a representation with `validators`.
    pub(crate) async fn begin(&self, io: &impl Io, validators: &Validators) -> Result<Staged, Error> {
        self.remove(io).await?;
        let mut lines = Vec::new();
        validators.write(&mut lines);
        self.record.write(io, &lines).await?;
        Staged::create_as(io, self.part.clone()).await.map_err(Error::write)
    }

    /// Opens the partial file to append to its `bytes`; `None` if it no longer has that length.
    pub(crate) async fn reopen(&self, io: &impl Io, bytes: u64) -> Result<Option<Staged>, Error> {
        let staged = Staged::reopen(io, self.part.clone()).await.map_err(Error::write)?;
        let stat = io.stat(staged.file()).await.map_err(Error::write)?;
        Ok((stat.bytes == bytes && stat.kind == FileKind::Regular).then_some(staged))
    }

    /// Checks that `staged` is still the file with the partial file's name and has all `bytes`: another program may
    /// have replaced it.
    pub(crate) async fn check(&self, io: &impl Io, staged: &Staged, bytes: u64) -> Result<(), Error> {
        let open = io.stat(staged.file()).await.map_err(Error::write)?;
        let named = io.stat_at(None, &self.part).await.map_err(Error::write)?;
        if (open.device, open.inode) == (named.device, named.inode) && open.bytes == bytes {
            return Ok(());
        }
        Err(Error::Write(io::Error::other("the partial file was changed by another program")))
    }

    /// Removes the bytes, then the record.
    pub(crate) async fn remove(&self, io: &impl Io) -> Result<(), Error> {
        remove(io, &self.part).await?;
        self.record.remove(io).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_validators_of_its_url() {
        let partial = Partial::of(Path::new("d/x.tar"), &Url::parse("http://h/x.tar?a#f").unwrap());
        assert_eq!(partial.part, Path::new("d/x.tar.haul-part"));
        let validators = Validators::read([b"etag: \"a\"".as_slice(), b"total: 9"].into_iter()).unwrap();
        let mut lines = Vec::new();
        validators.write(&mut lines);
        let text = partial.record.text(&lines);
        assert_eq!(text, b"haul-part 1\nhttp://h/x.tar?a\netag: \"a\"\ntotal: 9\nend\n");
    }
}
