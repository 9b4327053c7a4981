//! Sealing as a writer, opening as a reader.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};

use haul_seal::{
    Error, Identity, OpenError, OpenReader, Recipient, SealError, SealWriter, StreamOptions, X25519Identity,
    open_bytes, seal_bytes, seal_stream,
};

const CHUNK: usize = 65_536;

fn identity(seed: u8) -> X25519Identity {
    X25519Identity::generate_with(&mut |out| out.fill(seed))
}

fn recipients() -> [Recipient; 1] {
    [identity(1).to_recipient().into()]
}

fn identities() -> [Identity; 2] {
    [identity(2).into(), identity(1).into()]
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// A sink that takes a few bytes at a time, and refuses every third call while it is told to.
struct Reluctant<'a> {
    bytes: Vec<u8>,
    calls: usize,
    refuses: &'a Cell<bool>,
}

impl Write for Reluctant<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        match self.calls % 3 {
            0 if self.refuses.get() => Err(ErrorKind::WouldBlock.into()),
            1 => Err(ErrorKind::Interrupted.into()),
            _ => {
                let count = bytes.len().min(30_000);
                self.bytes.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_written_is_sealed_whatever_the_pieces() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 9] {
        let plain = content(length);
        for piece in [1_000, CHUNK, 200_000] {
            let mut writer = SealWriter::new(Vec::new(), &recipients()).unwrap();
            plain.chunks(piece).for_each(|bytes| writer.write_all(bytes).unwrap());
            let sealed = writer.finish().unwrap();
            assert!(open_bytes(&sealed, &identities()).unwrap() == plain, "{length} bytes by {piece}");
        }
    }
}

#[test]
fn a_writer_loses_nothing_when_its_sink_refuses() {
    let plain = content(5 * CHUNK + 3);
    let refuses = Cell::new(true);
    let sink = Reluctant { bytes: Vec::new(), calls: 0, refuses: &refuses };
    let mut writer = SealWriter::new(sink, &recipients()).unwrap();
    let mut left = plain.as_slice();
    while !left.is_empty() {
        match writer.write(left) {
            Ok(count) => left = &left[count..],
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    while writer.flush().is_err() {}
    refuses.set(false);
    let sealed = writer.finish().unwrap().bytes;
    assert!(open_bytes(&sealed, &identities()).unwrap() == plain);
}

#[test]
fn a_writer_that_is_dropped_leaves_no_whole_file() {
    for length in [0, 10, CHUNK, 2 * CHUNK, 2 * CHUNK + 1] {
        let mut sink = Vec::new();
        let mut writer = SealWriter::new(&mut sink, &recipients()).unwrap();
        writer.write_all(&content(length)).unwrap();
        writer.flush().unwrap();
        drop(writer);
        assert!(open_bytes(&sink, &identities()).is_err(), "{length} bytes");
    }
    assert!(matches!(SealWriter::new(io::sink(), &[]), Err(Error::Recipients(SealError::NoRecipient))));
}

/// A reader that returns a few bytes at a time.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = self.1.min(out.len());
        self.0.by_ref().take(most as u64).read(&mut out[..most])
    }
}

/// What was read before the end or the error.
fn read_all(file: &[u8], drip: usize) -> (Vec<u8>, io::Result<()>) {
    let mut reader = OpenReader::new(Dripping(file, drip), &identities()).unwrap();
    let (mut plain, mut piece) = (Vec::new(), [0; 10_000]);
    loop {
        match reader.read(&mut piece) {
            Ok(0) => {
                assert_eq!(reader.read(&mut piece).unwrap(), 0, "the end lasts");
                return (plain, Ok(()));
            }
            Ok(count) => plain.extend_from_slice(&piece[..count]),
            Err(error) => {
                let later = reader.read(&mut piece).unwrap_err();
                assert_eq!(later.kind(), ErrorKind::InvalidData, "an error lasts");
                return (plain, Err(error));
            }
        }
    }
}

#[test]
fn what_is_read_is_opened_armored_or_not() {
    for length in [0, 1, CHUNK, CHUNK + 1, 4 * CHUNK, 9 * CHUNK + 5] {
        let plain = content(length);
        let mut armored = Vec::new();
        let options = StreamOptions { armored: true, ..StreamOptions::default() };
        seal_stream(plain.as_slice(), &mut armored, &recipients(), &options).unwrap();
        for file in [seal_bytes(&plain, &recipients()).unwrap(), armored] {
            for drip in [usize::MAX, 999] {
                let (back, end) = read_all(&file, drip);
                assert!(end.is_ok() && back == plain, "{length} bytes: {end:?}");
            }
        }
    }
    let other: [Identity; 1] = [identity(3).into()];
    let sealed = seal_bytes(b"x", &recipients()).unwrap();
    let refused = OpenReader::new(&sealed[..], &other);
    assert!(matches!(refused, Err(Error::Header(OpenError::NoMatch))));
}

#[test]
fn a_damaged_or_shortened_file_ends_in_an_error_after_what_is_authentic() {
    let plain = content(6 * CHUNK);
    let sealed = seal_bytes(&plain, &recipients()).unwrap();
    let payload = sealed.len() - 6 * (CHUNK + 16);
    for chunk in 0..6 {
        let mut changed = sealed.clone();
        changed[payload + chunk * (CHUNK + 16) + 7] ^= 1;
        let (back, end) = read_all(&changed, usize::MAX);
        let error = end.unwrap_err();
        assert!(back == plain[..chunk * CHUNK], "{} bytes before chunk {chunk}", back.len());
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        assert!(matches!(inner, Some(Error::Chunk { index, .. }) if *index == chunk as u64), "{error}");
    }
    for cut in [payload, payload + 100, payload + CHUNK + 16, sealed.len() - 1] {
        let (back, end) = read_all(&sealed[..cut], 5_000);
        assert!(end.is_err() && plain.starts_with(&back) && back.len() < plain.len(), "cut at {cut}");
    }
    let (_, end) = read_all(&[&sealed[..], b"x"].concat(), 5_000);
    assert!(end.is_err(), "something follows the end");
}
