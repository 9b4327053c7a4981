//! Small text files next to a result, which describe its bytes.
//!
//! The first line of a record names its kind and version, the second the URL; more lines follow, and the last one is
//! "end", so that a truncated record is recognized. A record is always replaced as a whole.
//!
//! Owns: this format, reading and replacing records.
//! Does not own: the meaning of the lines ([`crate::kept::partial`], [`crate::kept::sync`]), when they are valid.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use haul_io::{Buf, Existing, Io, Offset, OpenMode, Publish};
use url::Url;

use crate::Error;

/// Longer files aren't records.
const RECORD_BYTES_MAX: usize = 32 * 1024;

/// The path of a record, and what identifies it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    path: PathBuf,
    magic: &'static [u8],
    url: String,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// A record of this URL, with these lines.
    Ours(Vec<Vec<u8>>),
    /// A record of another URL, with these lines.
    Others(Vec<Vec<u8>>),
    /// None, or one that can't be parsed.
    Nothing,
}

/// `result` with `suffix` appended.
pub(crate) fn sibling(result: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(result);
    name.push(suffix);
    PathBuf::from(name)
}

impl Record {
    /// The record in `path` about a result from `url`. The fragment of the URL is ignored.
    pub(crate) fn new(path: PathBuf, magic: &'static [u8], url: &Url) -> Self {
        let url = url[..url::Position::AfterQuery].to_owned();
        Self { path, magic, url }
    }

    pub(crate) async fn read(&self, io: &impl Io) -> Recorded {
        let opened = io.open(None, &self.path, OpenMode::Read { follow: false }).await;
        let Ok(record) = opened else { return Recorded::Nothing };
        let buf = io.take_buf(RECORD_BYTES_MAX);
        let (result, buf) = io.read_full(&record, buf, RECORD_BYTES_MAX, Offset::At(0)).await;
        let recorded = result.map_or(Recorded::Nothing, |_| self.parse(buf.filled()));
        io.give_buf(buf);
        recorded
    }

    pub(crate) fn parse(&self, text: &[u8]) -> Recorded {
        let Some(whole) = text.strip_suffix(b"end\n").and_then(|text| text.strip_suffix(b"\n")) else {
            return Recorded::Nothing;
        };
        let mut lines = whole.split(|byte| *byte == b'\n');
        match (lines.next(), lines.next()) {
            (Some(magic), Some(url)) if magic == self.magic => {
                let rest = lines.map(<[u8]>::to_vec).collect();
                if url == self.url.as_bytes() { Recorded::Ours(rest) } else { Recorded::Others(rest) }
            }
            _ => Recorded::Nothing,
        }
    }

    /// The text of the record with these `lines`, each ending in a line feed.
    pub(crate) fn text(&self, lines: &[u8]) -> Vec<u8> {
        [self.magic, b"\n", self.url.as_bytes(), b"\n", lines, b"end\n"].concat()
    }

    /// Replaces the record.
    pub(crate) async fn write(&self, io: &impl Io, lines: &[u8]) -> Result<(), Error> {
        let publish = Publish { existing: Existing::Replace, ..Publish::new(self.path.clone()) };
        let (written, _) = io.write_file(publish, Buf::from(self.text(lines))).await;
        written.map(drop).map_err(Error::write)
    }

    pub(crate) async fn remove(&self, io: &impl Io) -> Result<(), Error> {
        remove(io, &self.path).await
    }
}

/// Removes `path`, if it exists.
pub(crate) async fn remove(io: &impl Io, path: &Path) -> Result<(), Error> {
    match io.remove(None, path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::write(error)),
        _ => Ok(()),
    }
}

/// The name and the value in a line such as `etag: "1"`.
pub(crate) fn pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.windows(2).position(|pair| pair == b": ")?;
    Some((&line[..colon], &line[colon + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_records_are_parsed() {
        let record = |url| Record::new("x".into(), b"magic 1", &Url::parse(url).unwrap());
        let one = record("http://h/x.tar?a#f");
        let text = one.text(b"etag: \"a\"\ntotal: 9\n");
        assert_eq!(text, b"magic 1\nhttp://h/x.tar?a\netag: \"a\"\ntotal: 9\nend\n");
        let lines = vec![b"etag: \"a\"".to_vec(), b"total: 9".to_vec()];
        assert_eq!(record("http://h/x.tar?a").parse(&text), Recorded::Ours(lines.clone()));
        assert_eq!(record("http://h/x.tar?b").parse(&text), Recorded::Others(lines));
        assert_eq!(one.parse(&one.text(b"")), Recorded::Ours(Vec::new()));
        for cut in 0..text.len() {
            assert_eq!(one.parse(&text[..cut]), Recorded::Nothing, "cut at {cut}");
        }
        let other = Record::new("x".into(), b"magic 2", &Url::parse("http://h/x.tar?a").unwrap());
        assert_eq!(other.parse(&text), Recorded::Nothing);
    }
}
