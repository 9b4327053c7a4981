//! The beginning of a file, kept on disk until the rest is there.
//!
//! For a result NAME the bytes are in `NAME.haul-part` and what they belong to in `NAME.haul-part.from`: the URL and the
//! validators. The record is written before the first byte and removed after the last, and bytes are removed before another
//! record is written: whenever the process is killed, the bytes belong to the record beside them, or there is none.
//!
//! Owns: both names, the record's text, the order of the steps.
//! Does not own: writing the bytes ([`crate::file_sink`]).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use haul_io::{Buf, Durability, Existing, FileKind, Io, Offset, OpenMode, Preserve, Publish, Staged};
use url::Url;

use crate::Error;
use crate::resume::Start;
use crate::validator::Validators;

/// What the name of the bytes ends in.
const PART_SUFFIX: &str = ".haul-part";
/// What the name of the record ends in.
const RECORD_SUFFIX: &str = ".haul-part.from";
/// The record's first line.
const MAGIC: &[u8] = b"haul-part 1";
/// Longer records are none of ours.
const RECORD_BYTES_MAX: usize = 32 * 1024;

/// The two files that keep the beginning of a result.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    pub(crate) part: PathBuf,
    record: PathBuf,
    url: String,
}

impl Partial {
    pub(crate) fn of(result: &Path, url: &Url) -> Self {
        let beside = |suffix| {
            let mut name = OsString::from(result);
            name.push(suffix);
            PathBuf::from(name)
        };
        let url = url[..url::Position::AfterQuery].to_owned();
        Self { part: beside(PART_SUFFIX), record: beside(RECORD_SUFFIX), url }
    }

    /// What an earlier run kept. What doesn't belong together is no start; it is removed when the next one begins.
    pub(crate) async fn find(&self, io: &impl Io) -> Option<Start> {
        let stat = io.stat_at(None, &self.part).await.ok()?;
        let validators = self.read_record(io).await?;
        let fits = validators.total.is_none_or(|total| stat.bytes <= total);
        (stat.kind == FileKind::Regular && stat.bytes > 0 && fits)
            .then_some(Start { bytes: stat.bytes, validators })
    }

    async fn read_record(&self, io: &impl Io) -> Option<Validators> {
        let record = io.open(None, &self.record, OpenMode::Read { follow: false }).await.ok()?;
        let buf = io.take_buf(RECORD_BYTES_MAX);
        let (result, buf) = io.read_full(&record, buf, RECORD_BYTES_MAX, Offset::At(0)).await;
        let validators = result.ok().and_then(|_| self.parse(buf.filled()));
        io.give_buf(buf);
        validators
    }

    fn parse(&self, text: &[u8]) -> Option<Validators> {
        let mut lines = text.strip_suffix(b"end\n")?.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
        let is_ours = lines.next() == Some(MAGIC) && lines.next() == Some(self.url.as_bytes());
        if is_ours { Validators::read(lines) } else { None }
    }

    fn text(&self, validators: &Validators) -> Vec<u8> {
        let mut text = [MAGIC, b"\n", self.url.as_bytes(), b"\n"].concat();
        validators.write(&mut text);
        text.extend_from_slice(b"end\n");
        text
    }

    /// Begins anew: an empty part that belongs to `validators`.
    pub(crate) async fn begin(&self, io: &impl Io, validators: &Validators) -> Result<Staged, Error> {
        self.remove(io).await?;
        let publish = Publish {
            path: self.record.clone(),
            root_bytes: None,
            existing: Existing::Replace,
            durability: Durability::Eventual,
            preserve: Preserve::default(),
        };
        let (written, _) = io.write_file(publish, Buf::from(self.text(validators))).await;
        written.map_err(Error::write)?;
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
        for path in [&self.part, &self.record] {
            match io.remove(None, path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::write(error)),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_only_for_its_url_and_only_whole() {
        let partial = |url| Partial::of(Path::new("d/x.tar"), &Url::parse(url).unwrap());
        let one = partial("http://h/x.tar?a#f");
        assert_eq!(one.part, Path::new("d/x.tar.haul-part"));
        assert_eq!(one.record, Path::new("d/x.tar.haul-part.from"));
        let validators = Validators::read([b"etag: \"a\"".as_slice(), b"total: 9"].into_iter()).unwrap();
        let text = one.text(&validators);
        assert_eq!(text, b"haul-part 1\nhttp://h/x.tar?a\netag: \"a\"\ntotal: 9\nend\n");
        assert_eq!(partial("http://h/x.tar?a").parse(&text), Some(validators));
        assert_eq!(partial("http://h/x.tar?b").parse(&text), None);
        for cut in 0..text.len() {
            assert_eq!(one.parse(&text[..cut]), None, "cut at {cut}");
        }
    }
}
