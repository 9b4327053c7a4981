//! Small text files next to a result, which describe its bytes.
//!
//! The first line of a record names its kind and version, the second the URL, as it is or as a salted hash; more lines
//! follow, and the last one is "end", so that a truncated record is recognized. A record is written as a whole, and
//! believed only if nobody else can have written it.
//!
//! Owns: this format, reading and replacing records.
//! Does not own: the meaning of the lines ([`crate::kept::partial`], [`crate::kept::sync`]), when they are valid.

use std::io;

use haul_io::{Buf, Existing, Io, Offset, OpenMode, Stat};
use url::Url;

use crate::Error;
use crate::kept::mark::{Mark, Salt};
use crate::kept::place::Place;

/// Longer files aren't records.
const RECORD_BYTES_MAX: usize = 32 * 1024;

/// The place of a record, and what identifies it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    place: Place,
    magic: &'static [u8],
    url: Mark,
    /// Whether the record holds URLs as salted hashes.
    hides_urls: bool,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// A record of this URL, with these lines.
    Ours(Vec<Vec<u8>>),
    /// A record of another URL, with these lines.
    Others(Vec<Vec<u8>>),
    /// A record that was cut, or is of another version.
    Damaged,
    /// Something that this client didn't make, or that others may have changed: neither to be believed nor to be
    /// removed.
    Foreign,
    /// None that can be read.
    Nothing,
}

/// Whether a file may be one that this client keeps for itself: see [`Stat::is_private`]. It makes them readable by
/// their owner only, which the files that it fetches are not.
pub(crate) fn is_own(stat: &Stat) -> bool {
    stat.is_private() && stat.mode & 0o777 == 0o600
}

impl Record {
    /// The record in `place` about a result from `url`. The fragment of the URL is ignored.
    pub(crate) fn new(place: Place, magic: &'static [u8], url: &Url) -> Self {
        let url = Mark::of(&url[..url::Position::AfterQuery]);
        Self { place, magic, url, hides_urls: false }
    }

    /// Sets whether the record holds URLs as salted hashes.
    pub(crate) fn hiding_urls(self, hides_urls: bool) -> Self {
        Self { hides_urls, ..self }
    }

    /// The salt to hide URLs with, if they are hidden.
    pub(crate) fn salt(&self, io: &impl Io) -> Option<Salt> {
        self.hides_urls.then(|| {
            let mut salt = Salt::default();
            io.random(&mut salt);
            salt
        })
    }

    pub(crate) async fn read(&self, io: &impl Io) -> Recorded {
        let record = match self.place.open(io, OpenMode::Read { follow: false }).await {
            Ok(record) => record,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Recorded::Nothing,
            Err(_) => return Recorded::Foreign,
        };
        if !io.stat(&record).await.is_ok_and(|stat| is_own(&stat)) {
            return Recorded::Foreign;
        }
        let buf = io.take_buf(RECORD_BYTES_MAX);
        let (result, buf) = io.read_full(&record, buf, RECORD_BYTES_MAX, Offset::At(0)).await;
        let recorded = match result {
            Err(_) => Recorded::Foreign,
            Ok(_) => match self.parse(buf.filled()) {
                Recorded::Nothing if self.is_of_its_kind(buf.filled()) => Recorded::Damaged,
                Recorded::Nothing => Recorded::Foreign,
                recorded => recorded,
            },
        };
        io.give_buf(buf);
        recorded
    }

    /// Whether `text` begins as a record of any version, as far as it goes. A power cut may leave nothing of it, or, on
    /// ext4 and XFS, its length without its content: zeros from some place on.
    fn is_of_its_kind(&self, text: &[u8]) -> bool {
        let written = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = &text[..written];
        let word = self.magic.split_inclusive(|byte| *byte == b' ').next().unwrap_or_default();
        text.starts_with(word) || word.starts_with(text)
    }

    pub(crate) fn parse(&self, text: &[u8]) -> Recorded {
        let Some(whole) = text.strip_suffix(b"end\n").and_then(|text| text.strip_suffix(b"\n")) else {
            return Recorded::Nothing;
        };
        let mut lines = whole.split(|byte| *byte == b'\n');
        match (lines.next(), lines.next()) {
            (Some(magic), Some(url)) if magic == self.magic => {
                let rest = lines.map(<[u8]>::to_vec).collect();
                let own = self.url.plain().expect("a record of this run knows its URL");
                match Mark::parse(url) {
                    Some(mark) if mark.is_of(own) => Recorded::Ours(rest),
                    Some(_) => Recorded::Others(rest),
                    None => Recorded::Nothing,
                }
            }
            _ => Recorded::Nothing,
        }
    }

    /// The text of the record with these `lines`, each ending in a line feed.
    pub(crate) fn text(&self, lines: &[u8], salt: Option<&Salt>) -> Vec<u8> {
        let url = self.url.hidden(salt).to_text();
        [self.magic, b"\n", url.as_bytes(), b"\n", lines, b"end\n"].concat()
    }

    /// Writes the record if there is none.
    pub(crate) async fn write(&self, io: &impl Io, lines: &[u8]) -> Result<(), Error> {
        let publish = self.place.publish(Existing::Refuse);
        let text = self.text(lines, self.salt(io).as_ref());
        let (written, _) = io.write_file(publish, Buf::from(text)).await;
        written.map(drop).map_err(|error| match Error::write(error) {
            Error::Exists => self.in_the_way(),
            error => error,
        })
    }

    /// Writes the record, in place of an older one.
    ///
    /// # Errors
    /// As [`Record::remove`].
    pub(crate) async fn replace(&self, io: &impl Io, lines: &[u8]) -> Result<(), Error> {
        if self.read(io).await == Recorded::Foreign {
            return Err(self.in_the_way());
        }
        let publish = self.place.publish(Existing::Replace);
        let text = self.text(lines, self.salt(io).as_ref());
        let (written, _) = io.write_file(publish, Buf::from(text)).await;
        written.map(drop).map_err(Error::write)
    }

    /// Removes it, if there is one.
    ///
    /// # Errors
    /// [`Error::InTheWay`] if something else is in its place, which stays.
    pub(crate) async fn remove(&self, io: &impl Io) -> Result<(), Error> {
        match self.read(io).await {
            Recorded::Nothing => Ok(()),
            Recorded::Foreign => Err(self.in_the_way()),
            Recorded::Ours(_) | Recorded::Others(_) | Recorded::Damaged => self.place.remove(io).await,
        }
    }

    /// That something else is in its place.
    pub(crate) fn in_the_way(&self) -> Error {
        Error::InTheWay { path: self.place.path().to_owned() }
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
        let record = |url| Record::new(Place::named("x"), b"magic 1", &Url::parse(url).unwrap());
        let one = record("http://h/x.tar?a#f");
        let text = one.text(b"etag: \"a\"\ntotal: 9\n", None);
        assert_eq!(text, b"magic 1\nhttp://h/x.tar?a\netag: \"a\"\ntotal: 9\nend\n");
        let lines = vec![b"etag: \"a\"".to_vec(), b"total: 9".to_vec()];
        assert_eq!(record("http://h/x.tar?a").parse(&text), Recorded::Ours(lines.clone()));
        assert_eq!(record("http://h/x.tar?b").parse(&text), Recorded::Others(lines));
        assert_eq!(one.parse(&one.text(b"", None)), Recorded::Ours(Vec::new()));
        for cut in 0..text.len() {
            assert_eq!(one.parse(&text[..cut]), Recorded::Nothing, "cut at {cut}");
        }
        for cut in 0..=text.len() {
            let mut cut_short = text[..cut].to_vec();
            assert!(one.is_of_its_kind(&cut_short), "cut at {cut}");
            cut_short.resize(text.len(), 0);
            assert!(one.is_of_its_kind(&cut_short), "without its content from {cut} on");
        }
        for foreign in [&b"m\0gic 1"[..], b"\0\0magic 1", b"a picture", b"magically\0"] {
            assert!(!one.is_of_its_kind(foreign), "{foreign:?}");
        }
        let other = Record::new(Place::named("x"), b"magic 2", &Url::parse("http://h/x.tar?a").unwrap());
        assert_eq!(other.parse(&text), Recorded::Nothing);
    }
}
