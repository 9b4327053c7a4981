//! The beginning of a file, kept on disk until the rest is there.
//!
//! For a result NAME the bytes are in `NAME.haul-part` and what they belong to in `NAME.haul-part.from`: the URL and
//! the validators. The record is written before the first byte and removed after the last, and bytes are removed before
//! another record is written: whenever the process is killed, the bytes belong to the record beside them, or there is
//! none.
//!
//! Owns: both names, the order of the steps.
//! Does not own: writing the bytes ([`crate::body::file_sink`]), the record's form ([`crate::kept::record`]).

use std::io;
use std::path::{Path, PathBuf};

use haul_io::{FileKind, Io, Staged};
use url::Url;

use crate::Error;
use crate::kept::record::{Record, Recorded, beside, remove};
use crate::kept::resume::Prefix;
use crate::kept::validator::Validators;

/// What the name of the bytes ends in.
const PART_SUFFIX: &str = ".haul-part";
/// What the name of the record ends in.
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
        let record = Record::new(beside(result, RECORD_SUFFIX), MAGIC, url);
        Self { part: beside(result, PART_SUFFIX), record }
    }

    /// What an earlier run kept. What doesn't belong together is no start; it is removed when the next one begins.
    pub(crate) async fn find(&self, io: &impl Io) -> Option<Prefix> {
        let stat = io.stat_at(None, &self.part).await.ok()?;
        let Recorded::Ours(lines) = self.record.read(io).await else { return None };
        let validators = Validators::read(lines.iter().map(Vec::as_slice))?;
        let fits = validators.total.is_none_or(|total| stat.bytes <= total);
        (stat.kind == FileKind::Regular && stat.bytes > 0 && fits)
            .then_some(Prefix { bytes: stat.bytes, validators })
    }

    /// Begins anew: an empty part that belongs to `validators`.
    pub(crate) async fn begin(&self, io: &impl Io, validators: &Validators) -> Result<Staged, Error> {
        self.remove(io).await?;
        let mut lines = Vec::new();
        validators.write(&mut lines);
        self.record.write(io, &lines).await?;
        Staged::create_as(io, self.part.clone()).await.map_err(Error::write)
    }

    /// Opens the part to go on behind its `bytes`; `None` where it isn't that long any more.
    pub(crate) async fn reopen(&self, io: &impl Io, bytes: u64) -> Result<Option<Staged>, Error> {
        let staged = Staged::reopen(io, self.part.clone()).await.map_err(Error::write)?;
        let stat = io.stat(staged.file()).await.map_err(Error::write)?;
        Ok((stat.bytes == bytes && stat.kind == FileKind::Regular).then_some(staged))
    }

    /// That `staged` is still what bears the part's name, with all of its `bytes`: another program may have begun anew.
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
