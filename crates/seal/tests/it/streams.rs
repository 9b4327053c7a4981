//! Streams in memory: each length and each truncation, with one worker and with several.

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use haul_io::Cancel;
use haul_seal::{
    During, Error, ErrorKind, Identity, Passphrase, Recipient, StreamOptions, X25519Identity, inspect,
    open_stream, seal_stream,
};

const CHUNK: usize = 65_536;
const SEALED: usize = CHUNK + 16;

fn identity(seed: u8) -> X25519Identity {
    X25519Identity::generate_with(&mut |out| out.fill(seed))
}

fn recipients() -> Vec<Recipient> {
    vec![Recipient::X25519(identity(1).to_recipient())]
}

fn identities() -> Vec<Identity> {
    vec![Identity::X25519(identity(2)), Identity::X25519(identity(1))]
}

fn options(workers: usize, armored: bool) -> StreamOptions {
    let workers = NonZeroUsize::new(workers).unwrap();
    StreamOptions { workers, armored, ..StreamOptions::new(Cancel::new().unwrap()) }
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

fn sealed(plain: &[u8], workers: usize, armored: bool) -> Vec<u8> {
    let mut sealed = Vec::new();
    let streamed = seal_stream(plain, &mut sealed, &recipients(), &options(workers, armored)).unwrap();
    assert_eq!(streamed.plain_bytes, plain.len() as u64);
    assert!(armored || streamed.sealed_bytes == sealed.len() as u64);
    sealed
}

/// Opens `file` and returns what was written and the result.
fn opened(file: impl Read + Send, workers: usize) -> (Vec<u8>, Result<u64, Error>) {
    let mut plain = Vec::new();
    let result = open_stream(file, &mut plain, &identities(), &options(workers, false));
    (plain, result.map(|streamed| streamed.plain_bytes))
}

/// A reader that returns a few bytes at a time.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = self.1.min(out.len());
        self.0.by_ref().take(most as u64).read(&mut out[..most])
    }
}

#[test]
fn every_length_comes_back_and_the_age_crate_agrees() {
    let theirs: age::x25519::Identity = identity(1).to_secret_text().parse().unwrap();
    let lengths = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 4 * CHUNK + 1, 8 * CHUNK, 3_000_001];
    for length in lengths {
        for (workers, armored) in [(1, false), (3, false), (1, true), (2, true)] {
            let plain = content(length);
            let file = sealed(&plain, workers, armored);
            for drip in [usize::MAX, 50_000] {
                let (back, result) = opened(Dripping(&file, drip), workers);
                assert_eq!(result.unwrap(), length as u64);
                assert!(back == plain, "{length} bytes, {workers} workers");
            }
            let decryptor = age::Decryptor::new(age::armor::ArmoredReader::new(file.as_slice())).unwrap();
            let mut by_them = Vec::new();
            let key: &dyn age::Identity = &theirs;
            decryptor.decrypt(std::iter::once(key)).unwrap().read_to_end(&mut by_them).unwrap();
            assert!(by_them == plain, "{length} bytes, {workers} workers, by the age crate");
            let facts = inspect(file.as_slice(), (!armored).then_some(file.len() as u64)).unwrap();
            assert_eq!((facts.plain_bytes, facts.armored), (length as u64, armored));
            assert_eq!(facts.file_bytes, file.len() as u64);
            assert_eq!(facts.stanzas, [("X25519".to_owned(), 1)]);
        }
    }
}

#[test]
fn single_bytes_at_a_time_are_enough() {
    for armored in [false, true] {
        let file = sealed(b"Dear Ada", 2, armored);
        let (plain, result) = opened(Dripping(&file, 1), 2);
        assert_eq!((plain.as_slice(), result.unwrap()), (b"Dear Ada".as_slice(), 8));
    }
}

/// Checks that opening `file` writes exactly the first `chunks` chunks of `plain` and then fails.
#[track_caller]
fn check_released(file: &[u8], plain: &[u8], chunks: usize) -> Error {
    let mut errors = Vec::new();
    for workers in [1, 4] {
        for drip in [usize::MAX, 70_000] {
            let (released, result) = opened(Dripping(file, drip), workers);
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
            let expected = &plain[..plain.len().min(chunks * CHUNK)];
            assert!(
                released == expected,
                "{} released, {} expected: {error}",
                released.len(),
                expected.len()
            );
            errors.push(error);
        }
    }
    errors.pop().unwrap()
}

#[test]
fn exactly_the_authentic_plaintext_before_the_damage_is_written() {
    let plain = content(10 * CHUNK + 100);
    let file = sealed(&plain, 2, false);
    let payload = file.len() - 10 * SEALED - 116;
    for index in [0, 1, 3, 4, 5, 9, 10] {
        let mut damaged = file.clone();
        damaged[payload + index * SEALED + 7] ^= 1;
        let error = check_released(&damaged, &plain, index);
        let Error::Chunk { index: named, plain: lost, file: place } = error else { panic!("{error}") };
        assert_eq!(named, index as u64);
        assert_eq!(lost, (index * CHUNK) as u64..((index + 1) * CHUNK).min(plain.len()) as u64);
        let start = (payload + index * SEALED) as u64;
        assert_eq!(place, start..(start + SEALED as u64).min(file.len() as u64));
    }
}

#[test]
fn truncation_and_trailing_data_are_errors() {
    let plain = content(6 * CHUNK);
    let file = sealed(&plain, 2, false);
    let payload = file.len() - 6 * SEALED;
    for (cut, whole_chunks) in
        [(0, 0), (5, 0), (SEALED, 1), (SEALED + 10, 1), (4 * SEALED, 4), (5 * SEALED, 5), (5 * SEALED + 3, 5)]
    {
        let error = check_released(&file[..payload + cut], &plain, whole_chunks);
        assert!(matches!(error, Error::CutShort), "{cut}: {error}");
    }
    check_released(&file[..file.len() - 1], &plain, 5);
    let longer = [file.as_slice(), b"x"].concat();
    assert!(matches!(check_released(&longer, &plain, 6), Error::AfterEnd));
    let twice = [file.as_slice(), &file[payload..]].concat();
    assert!(matches!(check_released(&twice, &plain, 6), Error::AfterEnd));
    for cut in [payload - 1, payload - 16, payload - 17, 30] {
        let (released, result) = opened(&file[..cut], 2);
        assert!(released.is_empty() && matches!(result, Err(Error::CutShort)), "{cut}");
    }
}

#[test]
fn armor_that_is_cut_or_goes_on_is_an_error() {
    let plain = content(2 * CHUNK + 5);
    let file = sealed(&plain, 2, true);
    for change in [
        (&|file: &mut Vec<u8>| file.truncate(100_000)) as &dyn Fn(&mut Vec<u8>),
        &|file| file.truncate(file.len() - 5),
        &|file| file.extend_from_slice(b"x"),
        &|file| file[70_000] = b'!',
    ] {
        let mut damaged = file.clone();
        change(&mut damaged);
        let (released, result) = opened(damaged.as_slice(), 2);
        assert!(matches!(result, Err(Error::Armor(_))), "{result:?}");
        assert!(plain.starts_with(&released));
    }
    let crlf = String::from_utf8(file).unwrap().replace('\n', "\r\n");
    let (released, result) = opened(format!(" \n\n{crlf}\n").as_bytes(), 2);
    assert!(result.is_ok() && released == plain);
}

#[test]
fn other_identities_open_nothing() {
    let file = sealed(b"hello", 1, false);
    let mut plain = Vec::new();
    let stranger = [Identity::X25519(identity(9))];
    let error = open_stream(file.as_slice(), &mut plain, &stranger, &options(2, false)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoMatch);
    let not_age = open_stream(&b"hello"[..], &mut plain, &stranger, &options(2, false)).unwrap_err();
    assert_eq!(not_age.kind(), ErrorKind::Other);
    let mixed = vec![recipients().remove(0), Recipient::Passphrase(Passphrase::new("x".to_owned().into()))];
    let mut sealed = Vec::new();
    let error = seal_stream(&b"hello"[..], &mut sealed, &mixed, &options(1, false)).unwrap_err();
    assert!(matches!(error, Error::Recipients(_)) && plain.is_empty() && sealed.is_empty());
}

/// Fails after some bytes, when read or written.
struct Failing {
    left: usize,
}

impl Read for Failing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = out.len().min(self.left);
        self.left -= count;
        if count == 0 { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(count) }
    }
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.left);
        self.left -= count;
        if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn read_and_write_failures_are_distinguished_and_cancel_the_rest() {
    for workers in [1, 3] {
        let options = options(workers, false);
        let mut sink = Vec::new();
        let error = seal_stream(Failing { left: 1_000_000 }, &mut sink, &recipients(), &options).unwrap_err();
        assert!(matches!(&error, Error::Io { step: During::Read, .. }), "{error}");
        assert!(options.cancel.as_ref().unwrap().is_triggered());
        // All whole chunks that were followed by another byte.
        assert!(sink.len() > 15 * SEALED && sink.len() < 16 * SEALED);
    }
    for workers in [1, 3] {
        let options = options(workers, false);
        let sink = Failing { left: 1_000_000 };
        let error = seal_stream(content(3_000_000).as_slice(), sink, &recipients(), &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert!(options.cancel.as_ref().unwrap().is_triggered());
    }
}

#[test]
fn cancelling_ends_a_stream() {
    let options = options(2, false);
    options.cancel.as_ref().unwrap().trigger();
    let error = seal_stream(io::repeat(0), io::sink(), &recipients(), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

/// Records the largest number of bytes that were read and not yet written.
struct Watching {
    read: Arc<Mutex<(u64, u64)>>,
    left: u64,
}

impl Read for Watching {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = out.len().min(usize::try_from(self.left).unwrap());
        self.left -= count as u64;
        self.read.lock().unwrap().0 += count as u64;
        Ok(count)
    }
}

struct Behind {
    written: u64,
    read: Arc<Mutex<(u64, u64)>>,
}

impl Write for Behind {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut read = self.read.lock().unwrap();
        read.1 = read.1.max(read.0.saturating_sub(self.written));
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn memory_is_bounded_by_a_piece_for_each_worker() {
    let read = Arc::new(Mutex::new((0, 0)));
    let source = Watching { read: read.clone(), left: 40_000_000 };
    let sink = Behind { written: 0, read: read.clone() };
    seal_stream(source, sink, &recipients(), &options(4, false)).unwrap();
    let (all, ahead_max) = *read.lock().unwrap();
    assert_eq!(all, 40_000_000);
    assert!(ahead_max <= 4 * (4 * CHUNK as u64 + 1), "{ahead_max}");
}

/// Panics after some bytes, as a caller's reader might.
struct Panicking(usize);

impl Read for Panicking {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0 += 1;
        assert!(self.0 < 5, "on purpose");
        out.fill(0);
        Ok(out.len())
    }
}

#[test]
fn a_panicking_reader_leaves_no_worker_waiting() {
    let ended =
        std::panic::catch_unwind(|| seal_stream(Panicking(0), io::sink(), &recipients(), &options(4, false)));
    assert!(ended.is_err());
}
