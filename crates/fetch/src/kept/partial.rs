//! The beginning of a file, kept on disk for a later run.
//!
//! For a result NAME the bytes are in `NAME.haul-part` and what they belong to in `NAME.haul-part.from`: the URL, the
//! inode of the bytes, and the validators. The record is written before the first byte and removed after the last,
//! and bytes are removed before another record is written: whenever the process is killed, the bytes belong to the
//! record beside them, or there is none.
//!
//! The bytes are locked while they grow. They are believed only if nobody else can have written them and they lie in
//! the very file that the record names: a result that a server or a list calls `NAME.haul-part` is none.
//!
//! Owns: both names, the lock, the order of the steps.
//! Does not own: writing the bytes ([`crate::body::file_sink`]), the record's form ([`crate::kept::record`]).

use std::io::{self, ErrorKind};

use haul_io::{Existing, Io, Publish, Staged, Stat};
use url::Url;

use crate::Error;
use crate::kept::place::Place;
use crate::kept::record::{Record, Recorded, is_own, pair};
use crate::kept::resume::Prefix;
use crate::kept::validator::Validators;

/// The suffix of the partial file's name.
const PART_SUFFIX: &str = ".haul-part";
/// The suffix of the record's name.
const RECORD_SUFFIX: &str = ".haul-part.from";
/// The record's first line.
const MAGIC: &[u8] = b"haul-part 2";

/// The two files that keep the beginning of a result.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    result: Place,
    part: Place,
    record: Record,
    is_encoded: bool,
}

/// What an earlier run kept, open and locked.
pub(crate) struct Kept {
    pub(crate) prefix: Prefix,
    pub(crate) staged: Staged,
}

impl Partial {
    pub(crate) fn of(result: &Publish, url: &Url) -> Self {
        let result = Place::of(result);
        let record = Record::new(result.sibling(RECORD_SUFFIX), MAGIC, url);
        Self { part: result.sibling(PART_SUFFIX), result, record, is_encoded: false }
    }

    /// Sets whether the bytes are those of an encoded file. The record then hides the URL, and the length of the whole
    /// in it is that of the content.
    pub(crate) fn encoded(self, is_encoded: bool) -> Self {
        Self { record: self.record.hiding_urls(is_encoded), is_encoded, ..self }
    }

    /// What an earlier run kept. What doesn't belong together is no start; it is removed when the next one begins.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process works on it, [`Error::InTheWay`] where something else has one of the
    /// names.
    pub(crate) async fn find(&self, io: &impl Io) -> Result<Option<Kept>, Error> {
        let Some((staged, stat)) = self.lock(io).await? else {
            return match self.record.read(io).await {
                Recorded::Foreign => Err(self.record.in_the_way()),
                _ => Ok(None),
            };
        };
        let validators = self.validators(io, stat.inode).await?;
        let Some(validators) = validators.filter(|_| is_own(&stat) && stat.bytes > 0) else {
            return Ok(None);
        };
        if !self.is_encoded && validators.total.is_some_and(|total| total < stat.bytes) {
            return Ok(None);
        }
        let prefix = Prefix { bytes: stat.bytes, validators };
        Ok(Some(Kept { prefix, staged }))
    }

    /// Begins anew: an empty part that belongs to `validators`.
    ///
    /// # Errors
    /// As [`Partial::find`], and whatever the system says of writing.
    pub(crate) async fn begin(&self, io: &impl Io, validators: &Validators) -> Result<Staged, Error> {
        self.clear(io).await?;
        let staged = self.part.create(io).await.map_err(|error| match error.kind() {
            // Since it was removed: by another process that begins.
            ErrorKind::AlreadyExists => Error::Busy,
            _ => Error::write(error),
        })?;
        match self.write_record(io, &staged, validators).await {
            Ok(()) => Ok(staged),
            Err(error) => {
                staged.discard(io).await;
                Err(error)
            }
        }
    }

    async fn write_record(
        &self,
        io: &impl Io,
        staged: &Staged,
        validators: &Validators,
    ) -> Result<(), Error> {
        let inode = io.stat(staged.file()).await.map_err(Error::write)?.inode;
        let mut lines = format!("inode: {inode}\n").into_bytes();
        validators.write(&mut lines, self.record.salt(io).as_ref());
        self.record.write(io, &lines).await
    }

    /// Puts `new`, which belongs to `validators`, in the place of `old`. A process that is killed meanwhile leaves
    /// nothing that a later run continues.
    pub(crate) async fn replace(
        &self,
        io: &impl Io,
        old: Staged,
        new: Staged,
        validators: &Validators,
    ) -> Result<Staged, Error> {
        if let Err(error) = self.remove(io, Some(old)).await {
            new.discard(io).await;
            return Err(error);
        }
        let publish = self.part.publish(Existing::Refuse);
        new.publish(io, &publish).await.map_err(|error| match Error::write(error) {
            Error::Exists => Error::Busy,
            error => error,
        })?;
        let Some((staged, _)) = self.lock(io).await? else { return Err(Error::Busy) };
        self.write_record(io, &staged, validators).await?;
        Ok(staged)
    }

    /// The validators of the bytes in the file with this `inode`; `None` if the record is of something else.
    async fn validators(&self, io: &impl Io, inode: u64) -> Result<Option<Validators>, Error> {
        let lines = match self.record.read(io).await {
            Recorded::Ours(lines) => lines,
            Recorded::Foreign => return Err(self.record.in_the_way()),
            _ => return Ok(None),
        };
        let Some((first, lines)) = lines.split_first() else { return Ok(None) };
        let is_of_it = pair(first) == Some((b"inode", inode.to_string().as_bytes()));
        Ok(Validators::read(lines.iter().map(Vec::as_slice)).filter(|_| is_of_it))
    }

    /// Opens the part that was `left` by an earlier attempt; `None` where it isn't that any more.
    pub(crate) async fn reopen(&self, io: &impl Io, left: &Stat) -> Result<Option<Staged>, Error> {
        let Some((staged, stat)) = self.lock(io).await? else { return Ok(None) };
        let is_left = left.same_content(&stat) && self.validators(io, stat.inode).await?.is_some();
        Ok(is_left.then_some(staged))
    }

    /// Opens and locks the file that has the part's name, whatever it is; `None` where there is none.
    async fn lock(&self, io: &impl Io) -> Result<Option<(Staged, Stat)>, Error> {
        let staged = match self.part.reopen(io).await {
            Ok(staged) => staged,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(Error::Busy),
            Err(error) => {
                return Err(match Error::write(error) {
                    Error::Cancelled => Error::Cancelled,
                    _ => self.in_the_way(),
                });
            }
        };
        let stat = io.stat(staged.file()).await.map_err(Error::write)?;
        let Ok(named) = self.part.stat_beside(io, &staged).await else { return Err(Error::Busy) };
        if (named.device, named.inode) != (stat.device, stat.inode) {
            return Err(Error::Busy);
        }
        if is_own(&stat) || self.is_published(io, &stat).await {
            Ok(Some((staged, stat)))
        } else {
            Err(self.in_the_way())
        }
    }

    /// Whether the part is complete and has the name of the result too, as after a kill between two steps.
    async fn is_published(&self, io: &impl Io, part: &Stat) -> bool {
        let Ok(result) = self.result.stat(io).await else { return false };
        part.links == 2 && (result.device, result.inode) == (part.device, part.inode)
    }

    fn in_the_way(&self) -> Error {
        Error::InTheWay { path: self.part.path().to_owned() }
    }

    /// Checks that `staged` is still the file with the partial file's name and has all `bytes`: another program may
    /// have replaced it.
    pub(crate) async fn check(&self, io: &impl Io, staged: &Staged, bytes: u64) -> Result<(), Error> {
        let open = io.stat(staged.file()).await.map_err(Error::write)?;
        let named = self.part.stat_beside(io, staged).await.map_err(Error::write)?;
        if (open.device, open.inode) == (named.device, named.inode) && open.bytes == bytes {
            return Ok(());
        }
        Err(Error::Write(io::Error::other("the partial file was changed by another program")))
    }

    /// Removes the bytes, then the record.
    ///
    /// # Errors
    /// As [`Partial::find`]: nothing else is removed.
    pub(crate) async fn clear(&self, io: &impl Io) -> Result<(), Error> {
        if let Some((staged, _)) = self.lock(io).await? {
            staged.discard(io).await;
        }
        self.record.remove(io).await
    }

    /// Removes the bytes in `staged`, then the record.
    pub(crate) async fn remove(&self, io: &impl Io, staged: Option<Staged>) -> Result<(), Error> {
        match staged {
            Some(staged) => staged.discard(io).await,
            None => return self.clear(io).await,
        }
        self.record.remove(io).await
    }

    /// Removes what is left once the result is complete. What can't be removed does no harm.
    pub(crate) async fn remove_leftovers(&self, io: &impl Io) {
        let _ = self.clear(io).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_validators_of_its_url() {
        let partial = Partial::of(&Publish::new("d/x.tar"), &Url::parse("http://h/x.tar?a#f").unwrap());
        assert_eq!(partial.part.path(), std::path::Path::new("d/x.tar.haul-part"));
        let validators = Validators::read([b"etag: \"a\"".as_slice(), b"total: 9"].into_iter()).unwrap();
        let mut lines = Vec::new();
        validators.write(&mut lines, None);
        let text = partial.record.text(&lines, None);
        assert_eq!(text, b"haul-part 2\nhttp://h/x.tar?a\netag: \"a\"\ntotal: 9\nend\n");
    }
}
