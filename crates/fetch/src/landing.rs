//! The one place where the bytes of a task arrive, over all its attempts.
//!
//! Owns: how many bytes there are and what they belong to, hashing them on their way, the last check before a file appears.
//! Does not own: where they are put ([`crate::sink`]), what an answer is good for ([`crate::resume`]).

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use haul_http1::ResponseHead;
use haul_io::{Buf, File, Io, Offset};
use http::header::LAST_MODIFIED;
use http::{HeaderMap, HeaderValue};
use url::Url;

use crate::condition::Condition;
use crate::digest::{Check, Checksum, Hasher};
use crate::part_sink::{PartEnd, PartSink};
use crate::resume::Start;
use crate::segmented::Whole;
use crate::sink::Sink;
use crate::validator::Validators;
use crate::{Error, Expected, Response, Segments, disposition};

pub(crate) struct Landing {
    sink: Sink,
    expected: Expected,
    /// Whether the server names the file.
    named_by_server: bool,
    /// Bytes there are.
    bytes: u64,
    /// What they belong to; `None` where nothing can be added to them.
    validators: Option<Validators>,
    /// What the whole must hash to. Invariant: each has seen all bytes there are.
    checks: Vec<Check>,
    /// What the content of the response under way must hash to, as it travels.
    content_checks: Vec<Check>,
    /// Whether that content arrives here decoded.
    decoded: bool,
    /// The hash that was asked for in any case.
    hash: Option<Hasher>,
    /// Under which condition nothing needs to arrive.
    condition: Option<(Condition, u64)>,
    unchanged: bool,
    /// How it may be divided.
    segments: Option<Segments>,
}

/// Bytes that are read again at a time.
const READ_BYTES: usize = 256 * 1024;

impl Landing {
    pub(crate) fn new(sink: Sink, expected: Expected) -> Self {
        let mut landing = Self {
            sink,
            expected,
            named_by_server: false,
            bytes: 0,
            validators: None,
            checks: Vec::new(),
            content_checks: Vec::new(),
            decoded: false,
            hash: None,
            condition: None,
            unchanged: false,
            segments: None,
        };
        landing.hash_anew();
        landing
    }

    /// For a response that is part of a file: the one with `head`.
    pub(crate) fn part(sink: PartSink, head: &ResponseHead) -> Self {
        let mut landing = Self::new(Sink::Part(Box::new(sink)), Expected::default());
        landing.content_checks.extend(content_check(&head.headers));
        landing
    }

    /// Whether nothing more of the response under way is wanted.
    pub(crate) fn is_full(&self) -> bool {
        matches!(&self.sink, Sink::Part(sink) if sink.is_full())
    }

    /// The end of a response that is part of a file.
    pub(crate) fn end_part(self) -> Result<PartEnd, Error> {
        match self.sink {
            Sink::Part(sink) => sink.end(),
            _ => unreachable!("made for a part"),
        }
    }

    /// Says how it may be divided, if at all.
    pub(crate) fn divides(&mut self, segments: Option<Segments>) {
        self.segments = segments;
    }

    /// What the response with `head` is the whole of, if it may be divided.
    pub(crate) fn divided(&self, head: &ResponseHead, response: impl FnOnce() -> Response) -> Option<Whole> {
        let segments = self.segments.as_ref().filter(|_| matches!(self.sink, Sink::File(_)))?;
        Whole::of(head, segments, response)
    }

    /// The file that the parts of the whole are written to, with room for all of it.
    pub(crate) async fn open_whole(&mut self, io: &impl Io) -> Result<File, Error> {
        // The content of its response is the whole.
        self.checks.append(&mut self.content_checks);
        match &mut self.sink {
            Sink::File(sink) => Ok(sink.written(io).await?.0),
            _ => unreachable!("only files are divided"),
        }
    }

    /// All parts have arrived, `bytes` in all, in any order: hashes them now, and publishes the file.
    pub(crate) async fn complete_parts(
        mut self: Box<Self>,
        io: &impl Io,
        bytes: u64,
    ) -> Result<(Vec<u8>, Option<Checksum>), Error> {
        self.bytes = bytes;
        if let Sink::File(sink) = &mut self.sink {
            sink.fill(bytes);
        }
        if let Err(error) = self.hash_again(io).await {
            self.abandon(io).await;
            return Err(error);
        }
        self.complete(io).await
    }

    /// Takes the name of the file from the server.
    pub(crate) fn named_by_server(self) -> Self {
        Self { named_by_server: true, ..self }
    }

    /// Names the file as the server does, where that was asked for; before the first byte of the whole.
    pub(crate) async fn name(&mut self, io: &impl Io, headers: &HeaderMap) -> Result<(), Error> {
        let (true, Sink::File(sink)) = (self.named_by_server, &mut self.sink) else { return Ok(()) };
        if let Some(name) = disposition::disposition_name(headers) {
            sink.rename(&name);
        }
        if sink.clashes(io).await { Err(Error::Exists) } else { Ok(()) }
    }

    /// The response is there, and its body about to come.
    pub(crate) fn announce(&mut self, response: impl FnOnce() -> Response) {
        self.sink.announce(response);
    }

    /// Nothing needs to arrive while `condition` holds for so many bytes that are elsewhere.
    pub(crate) fn unless(self, condition: Option<(Condition, u64)>) -> Self {
        Self { condition, ..self }
    }

    /// The condition of a request for the whole of `url`.
    pub(crate) fn condition(&self, url: &Url) -> Option<(Condition, u64)> {
        self.condition.clone().filter(|(condition, _)| self.bytes == 0 && condition.is_for(url))
    }

    /// The condition was met in a way that says nothing.
    pub(crate) fn drop_condition(&mut self) {
        self.condition = None;
    }

    /// What is elsewhere is what the server has.
    pub(crate) fn rest_unchanged(&mut self) {
        self.unchanged = true;
    }

    /// Whether that was said.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.unchanged
    }

    /// The file that appears, if one does.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match &self.sink {
            Sink::File(sink) => Some(sink.path().to_owned()),
            _ => None,
        }
    }

    /// Goes on behind what `sink` has from an earlier run.
    pub(crate) async fn resumed(
        io: &impl Io,
        sink: Sink,
        expected: Expected,
        start: Start,
    ) -> Result<Self, Error> {
        let mut landing = Self::new(sink, expected);
        (landing.bytes, landing.validators) = (start.bytes, Some(start.validators));
        match landing.hash_again(io).await {
            Ok(()) => {}
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(_) => landing.start_over(io).await?,
        }
        Ok(landing)
    }

    fn hash_anew(&mut self) {
        self.checks = self.expected.checksums.iter().cloned().map(Check::new).collect();
        self.hash = self.expected.hash.map(Hasher::new);
    }

    /// Hashes what is there.
    async fn hash_again(&mut self, io: &impl Io) -> Result<(), Error> {
        let Sink::File(sink) = &mut self.sink else { return Ok(()) };
        let (file, bytes) = sink.written(io).await?;
        if self.checks.is_empty() && self.hash.is_none() {
            return Ok(());
        }
        read_through(io, &file, bytes, |piece| self.update(piece)).await
    }

    fn update(&mut self, bytes: &[u8]) {
        self.checks.iter_mut().for_each(|check| check.update(bytes));
        if !self.decoded {
            self.content_checks.iter_mut().for_each(|check| check.update(bytes));
        }
        self.hash.iter_mut().for_each(|hasher| hasher.update(bytes));
    }

    /// What a request may go on behind.
    pub(crate) fn start(&self) -> Option<Start> {
        let validators = self.validators.clone().filter(|_| self.bytes > 0)?;
        Some(Start { bytes: self.bytes, validators })
    }

    /// Bytes there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether this has all the bytes of the whole that it belongs to, as far as that is known.
    pub(crate) fn has_all(&self) -> bool {
        self.validators.as_ref().is_some_and(|validators| validators.total == Some(self.bytes))
    }

    /// Whether a file is open that is lost when it is closed.
    pub(crate) fn holds_file(&self) -> bool {
        matches!(&self.sink, Sink::File(sink) if sink.holds_file())
    }

    /// The whole is about to arrive.
    pub(crate) fn expect_whole(&mut self, headers: &HeaderMap, total: Option<u64>) -> Result<(), Error> {
        self.validators = Validators::of(headers, total);
        self.checks.extend(representation_checks(headers));
        self.expect(headers, total)
    }

    /// The whole is about to arrive, decoded: of no known length, and nothing can be added to a part of it.
    pub(crate) fn expect_decoded(&mut self, headers: &HeaderMap) -> Result<(), Error> {
        self.validators = None;
        self.expect(headers, None)?;
        // RFC 9530 section 3: the representation is what is encoded.
        self.content_checks.extend(representation_checks(headers));
        self.decoded = true;
        Ok(())
    }

    /// What is missing is about to arrive, or the next piece of it; the whole has `total` bytes.
    pub(crate) fn expect_part(&mut self, headers: &HeaderMap, total: Option<u64>) -> Result<(), Error> {
        self.validators.iter_mut().for_each(|validators| validators.total = total);
        self.expect(headers, total)
    }

    fn expect(&mut self, headers: &HeaderMap, total: Option<u64>) -> Result<(), Error> {
        self.content_checks.clear();
        self.content_checks.extend(content_check(headers));
        self.decoded = false;
        if let Some(total) = total {
            self.check_room(total)?;
            self.check_size(total)?;
        }
        if let Sink::File(sink) = &mut self.sink {
            sink.expect(self.validators.clone(), total);
            sink.date(modified(headers).or_else(|| date_of(self.validators.as_ref())));
        }
        Ok(())
    }

    /// What is there is all that there is.
    pub(crate) fn expect_nothing(&mut self) {
        if let Sink::File(sink) = &mut self.sink {
            sink.date(date_of(self.validators.as_ref()));
        }
    }

    /// That so many bytes in all can be taken.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<(), Error> {
        self.sink.check_room(bytes)
    }

    fn check_size(&self, found: u64) -> Result<(), Error> {
        match self.expected.size {
            Some(expected) if expected != found => Err(Error::Size { expected, found }),
            _ => Ok(()),
        }
    }

    /// The next bytes of the content before they are decoded.
    pub(crate) fn see_encoded(&mut self, bytes: &[u8]) {
        self.content_checks.iter_mut().for_each(|check| check.update(bytes));
    }

    /// Takes the first `count` filled bytes of `input`.
    pub(crate) async fn take(&mut self, io: &impl Io, input: Buf, count: usize) -> (Result<(), Error>, Buf) {
        self.update(&input.filled()[..count]);
        self.bytes += count as u64;
        self.sink.take(io, input, count).await
    }

    /// Bytes of those taken last that were not wanted.
    pub(crate) fn surplus(&self) -> usize {
        match &self.sink {
            Sink::Part(sink) => sink.surplus(),
            _ => 0,
        }
    }

    /// The content of a response has arrived to its end, or as far as it is wanted.
    pub(crate) fn end_content(&mut self) -> Result<(), Error> {
        if self.is_full() {
            self.content_checks.clear();
        }
        std::mem::take(&mut self.content_checks).into_iter().try_for_each(Check::finish)
    }

    /// Drops what is there.
    pub(crate) async fn start_over(&mut self, io: &impl Io) -> Result<(), Error> {
        (self.bytes, self.validators) = (0, None);
        self.content_checks.clear();
        self.hash_anew();
        self.sink.start_over(io).await
    }

    /// Makes ready for another attempt after a pause. Whether there can be one.
    pub(crate) async fn rest(&mut self, io: &impl Io) -> bool {
        self.content_checks.clear();
        let kept = self.sink.rest(io).await;
        if kept == self.bytes && self.validators.is_some() {
            return true;
        }
        self.start_over(io).await.is_ok()
    }

    /// All has arrived: checks it, publishes the file. Gives back what was kept in memory, and the hash that was asked for.
    pub(crate) async fn complete(mut self, io: &impl Io) -> Result<(Vec<u8>, Option<Checksum>), Error> {
        let size = self.check_size(self.bytes);
        let checked = std::mem::take(&mut self.checks).into_iter().map(Check::finish);
        if let Err(error) = size.and(checked.collect::<Result<(), _>>()) {
            self.abandon(io).await;
            return Err(error);
        }
        let hash = self.hash.take().map(Hasher::finish);
        Ok((self.sink.complete(io).await?, hash))
    }

    /// Nothing more will arrive in this run. A later one may go on where that was asked for.
    pub(crate) async fn keep(mut self, io: &impl Io) {
        let kept = self.rest(io).await;
        if !kept || self.holds_file() {
            self.abandon(io).await;
        }
    }

    /// Nothing more will arrive: leaves nothing.
    pub(crate) async fn abandon(self, io: &impl Io) {
        self.sink.abandon(io).await;
    }
}

/// What a response says that its content hashes to.
fn content_check(headers: &HeaderMap) -> Option<Check> {
    Checksum::of_field(headers, "content-digest").map(Check::new)
}

/// What a response says that the representation it has hashes to.
fn representation_checks(headers: &HeaderMap) -> impl Iterator<Item = Check> {
    let said = ["repr-digest", "digest"].map(|name| Checksum::of_field(headers, name));
    said.into_iter().flatten().map(Check::new)
}

/// When the server says that the content changed last, in seconds since the epoch.
pub(crate) fn modified(headers: &HeaderMap) -> Option<i64> {
    seconds(headers.get(LAST_MODIFIED)?)
}

/// That time, as the first response said it: later ones for parts may leave it out (RFC 9110, section 15.3.7).
fn date_of(validators: Option<&Validators>) -> Option<i64> {
    seconds(validators?.modified()?)
}

fn seconds(date: &HeaderValue) -> Option<i64> {
    let since = httpdate::parse_http_date(date.to_str().ok()?).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// Reads the first `bytes` of `file` once more.
pub(crate) async fn read_through(
    io: &impl Io,
    file: &File,
    bytes: u64,
    mut each: impl FnMut(&[u8]),
) -> Result<(), Error> {
    let mut offset = 0;
    while offset < bytes {
        let piece_bytes = READ_BYTES.min(usize::try_from(bytes - offset).unwrap_or(READ_BYTES));
        let (count, buf) = io.read_full(file, io.take_buf(READ_BYTES), piece_bytes, Offset::At(offset)).await;
        each(buf.filled());
        io.give_buf(buf);
        match count.map_err(Error::write)? {
            0 => return Err(Error::write(std::io::ErrorKind::UnexpectedEof.into())),
            count => offset += count as u64,
        }
        io.yield_now().await;
    }
    Ok(())
}
