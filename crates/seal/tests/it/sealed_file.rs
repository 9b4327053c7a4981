//! Reading at any position: against the plaintext, against the `age` crate, and from damaged files.

use std::io::{Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::ops::Range;

use haul_io::Cancel;
use haul_seal::{
    ArmorError, Error, Identity, OpenError, Recipient, SealedFile, StreamOptions, X25519Identity, seal_stream,
};
use proptest::prelude::*;

const CHUNK: usize = 65_536;
const SEALED: usize = CHUNK + 16;

fn identity(seed: u8) -> X25519Identity {
    X25519Identity::generate_with(&mut |out| out.fill(seed))
}

fn identities() -> [Identity; 2] {
    [2, 1].map(|seed| Identity::X25519(identity(seed)))
}

fn options(workers: usize, armored: bool) -> StreamOptions {
    let workers = NonZeroUsize::new(workers).unwrap();
    StreamOptions { workers, armored, ..StreamOptions::new(Cancel::new().unwrap()) }
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

fn sealed(plain: &[u8], armored: bool) -> Vec<u8> {
    let mut sealed = Vec::new();
    let recipients = [Recipient::X25519(identity(1).to_recipient())];
    seal_stream(plain, &mut sealed, &recipients, &options(1, armored)).unwrap();
    sealed
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    String::from_utf8(text.to_vec()).unwrap().replace('\n', "\r\n").into_bytes()
}

fn open(file: &[u8]) -> Result<SealedFile<Cursor<&[u8]>>, Error> {
    SealedFile::open(Cursor::new(file), &identities())
}

/// Where the payload begins.
fn payload_offset(file: &[u8]) -> usize {
    let mac = file.windows(5).position(|window| window == b"\n--- ").unwrap() + 1;
    mac + file[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1 + 16
}

/// Reads `range`, however many reads that takes.
fn read(file: &mut SealedFile<Cursor<&[u8]>>, range: Range<usize>) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(range.start as u64))?;
    let mut out = vec![0; range.len()];
    file.read_exact(&mut out).map(|()| out)
}

/// The number of the chunk that an error of reading names.
fn damaged_chunk(error: &std::io::Error) -> Option<u64> {
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::Chunk { index, .. } => Some(*index),
        _ => None,
    }
}

#[test]
fn every_length_is_true_and_every_byte_comes_back_from_either_end() {
    for length in
        [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 4 * CHUNK, 4 * CHUNK + 1, 9 * CHUNK + 7]
    {
        let plain = content(length);
        let armored = sealed(&plain, true);
        for (form, file) in
            [("binary", sealed(&plain, false)), ("armored", armored.clone()), ("CRLF", with_crlf(&armored))]
        {
            let mut opened = open(&file).unwrap();
            assert_eq!((opened.len(), opened.is_empty()), (length as u64, length == 0), "{form}");
            let mut forward = Vec::new();
            opened.read_to_end(&mut forward).unwrap();
            assert!(forward == plain, "{length} bytes, {form}");
            for start in (0..length).rev().step_by(10_007) {
                let end = length.min(start + 70_000);
                assert!(read(&mut opened, start..end).unwrap() == plain[start..end], "{start}, {form}");
            }
        }
    }
}

#[test]
fn positions_behind_the_end_are_empty_and_before_the_start_refused() {
    let file = sealed(&content(CHUNK + 1), false);
    let mut opened = open(&file).unwrap();
    let mut byte = [0];
    for past in [CHUNK as u64 + 1, CHUNK as u64 + 2, u64::MAX] {
        assert_eq!(opened.seek(SeekFrom::Start(past)).unwrap(), past);
        assert_eq!(opened.read(&mut byte).unwrap(), 0);
    }
    assert_eq!(opened.seek(SeekFrom::Current(1)).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(opened.seek(SeekFrom::End(-65_538)).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(opened.stream_position().unwrap(), u64::MAX, "a refused position changes nothing");
    assert_eq!(opened.seek(SeekFrom::End(-1)).unwrap(), CHUNK as u64);
    assert_eq!(opened.read(&mut byte).unwrap(), 1);
    assert_eq!(opened.into_inner().into_inner().len(), file.len());
}

#[test]
fn a_file_that_was_cut_or_lengthened_does_not_open() {
    let whole = sealed(&content(3 * CHUNK + 5), false);
    let offset = payload_offset(&whole);
    let ends = (0..=3).map(|chunk| offset + chunk * SEALED).chain([0, offset - 16, whole.len()]);
    for cut in ends.flat_map(|end| [end.saturating_sub(1), end, end + 1]).filter(|cut| *cut < whole.len()) {
        let error = open(&whole[..cut]).unwrap_err();
        let is_theirs_refused = opened_by_age(&whole[..cut]).is_none();
        assert!(is_theirs_refused, "the age crate reads the file cut at {cut}: {error}");
        if cut > 22 {
            assert_eq!(error.kind(), haul_seal::ErrorKind::Damaged, "cut at {cut}: {error}");
        }
    }
    let cut_at_chunk = open(&whole[..offset + 2 * SEALED]).unwrap_err();
    assert!(matches!(cut_at_chunk, Error::CutShort), "{cut_at_chunk:?}");
    // An empty last chunk after others, as a file of one chunk would end.
    for more in [1, 15, 16, 17, SEALED, SEALED + 1] {
        let longer = [whole.as_slice(), &vec![7; more]].concat();
        assert_eq!(open(&longer).unwrap_err().kind(), haul_seal::ErrorKind::Damaged, "{more} bytes more");
    }
}

/// All that the age crate's own reader gives, if it gives anything.
fn opened_by_age(file: &[u8]) -> Option<Vec<u8>> {
    let theirs: age::x25519::Identity = identity(1).to_secret_text().parse().unwrap();
    let decryptor = age::Decryptor::new(Cursor::new(file)).ok()?;
    let mut reader = decryptor.decrypt(std::iter::once(&theirs as &dyn age::Identity)).ok()?;
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain).ok().map(|_| plain)
}

#[test]
fn damage_is_an_error_of_the_chunk_that_it_is_in() {
    let plain = content(6 * CHUNK);
    for armored in [false, true] {
        let whole = sealed(&plain, armored);
        let offset = payload_offset(&sealed(&plain, false));
        for chunk in 0..6 {
            let mut file = whole.clone();
            let place = offset + chunk * SEALED + 99;
            // Letters of armor are exchanged for others, so that its lines stay well-formed.
            let place = if armored { 35 + place / 48 * 65 + place % 48 } else { place };
            file[place] = if file[place] == b'A' { b'B' } else { b'A' };
            if chunk == 5 {
                assert!(matches!(open(&file), Err(Error::Chunk { index: 5, .. })), "the last is read first");
                continue;
            }
            let mut opened = open(&file).unwrap();
            for other in 0..6 {
                let range = other * CHUNK..(other + 1) * CHUNK;
                match read(&mut opened, range.clone()) {
                    Ok(bytes) => assert!(other != chunk && bytes == plain[range]),
                    Err(error) => {
                        assert_eq!((other, damaged_chunk(&error)), (chunk, Some(chunk as u64)), "{error}");
                    }
                }
            }
            opened.rewind().unwrap();
            let mut before = Vec::new();
            let error = opened.read_to_end(&mut before).unwrap_err();
            assert_eq!(damaged_chunk(&error), Some(chunk as u64));
            assert!(before == plain[..chunk * CHUNK], "what lies before the damage is given out");
            for workers in [1, 3] {
                let mut out = Vec::new();
                let error = opened.copy_range(7..plain.len() as u64, &mut out, &options(workers, false));
                assert!(matches!(error, Err(Error::Chunk { index, .. }) if index == chunk as u64));
                assert!(out == plain[7..(chunk * CHUNK).max(7)], "chunk {chunk}, {workers} workers");
            }
        }
    }
}

#[test]
fn chunks_that_were_exchanged_are_damaged() {
    let plain = content(4 * CHUNK);
    let mut file = sealed(&plain, false);
    let offset = payload_offset(&file);
    let (first, second) = file[offset..].split_at_mut(SEALED);
    first.swap_with_slice(&mut second[..SEALED]);
    let mut opened = open(&file).unwrap();
    for chunk in [0, 1] {
        let error = read(&mut opened, chunk * CHUNK..chunk * CHUNK + 1).unwrap_err();
        assert_eq!(damaged_chunk(&error), Some(chunk as u64));
    }
    assert!(read(&mut opened, 2 * CHUNK..4 * CHUNK).unwrap() == plain[2 * CHUNK..]);
    // The first chunk in the place of the last.
    let last = file[offset..offset + SEALED].to_vec();
    file.truncate(offset + 3 * SEALED);
    file.extend(last);
    assert!(matches!(open(&file), Err(Error::Chunk { index: 3, .. })));
}

#[test]
fn a_file_that_shrinks_has_changed() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&sealed(&content(5 * CHUNK), false)).unwrap();
    let mut opened = SealedFile::open(&file, &identities()).unwrap();
    file.set_len(1_000).unwrap();
    let error = opened.read(&mut [0]).unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    assert!(matches!(inner, Some(Error::SourceChanged)), "{error:?}");
    let copied = opened.copy_range(0..u64::MAX, std::io::sink(), &options(2, false));
    assert!(matches!(copied, Err(Error::SourceChanged)), "{copied:?}");
}

#[test]
fn keys_that_do_not_fit_and_irregular_armor_are_refused() {
    let file = sealed(b"x", false);
    let wrong = SealedFile::open(Cursor::new(&file), &[Identity::X25519(identity(3))]);
    assert!(matches!(wrong, Err(Error::Header(OpenError::NoMatch))));
    let text = String::from_utf8(sealed(&content(1_000), true)).unwrap();
    let mixed = text.replacen('\n', "\r\n", 9);
    assert!(matches!(open(mixed.as_bytes()), Err(Error::Armor(ArmorError::Irregular))));
    assert!(matches!(open(&text.as_bytes()[..700]), Err(Error::Armor(ArmorError::CutShort))));
}

#[test]
fn ranges_are_copied_by_any_number_of_threads() {
    let plain = content(9 * CHUNK + 1);
    let length = plain.len();
    for armored in [false, true] {
        let file = sealed(&plain, armored);
        let mut opened = open(&file).unwrap();
        let borders = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 8 * CHUNK - 1, 9 * CHUNK, length - 1];
        for (start, end) in borders.iter().flat_map(|start| borders.map(|end| (*start, end + 1))) {
            if start >= end {
                continue;
            }
            for workers in [1, 3] {
                let mut out = Vec::new();
                let range = start as u64..end as u64;
                let copied = opened.copy_range(range, &mut out, &options(workers, false)).unwrap();
                assert_eq!(copied.plain_bytes, (end - start) as u64);
                assert!(out == plain[start..end], "{start}..{end}, {workers} workers, armored {armored}");
            }
        }
        let mut out = Vec::new();
        opened.copy_range(length as u64 - 2..u64::MAX, &mut out, &options(2, false)).unwrap();
        assert!(out == plain[length - 2..], "an end behind the plaintext stands for its end");
        let beyond = opened.copy_range(length as u64..u64::MAX, &mut out, &options(1, false));
        assert!(matches!(beyond, Err(Error::OutOfRange { plain_bytes }) if plain_bytes == length as u64));
    }
    let empty = sealed(b"", false);
    let nothing = open(&empty).unwrap().copy_range(0..1, std::io::sink(), &options(1, false));
    assert!(matches!(nothing, Err(Error::OutOfRange { plain_bytes: 0 })));
}

/// One step of a reader.
#[derive(Clone, Copy, Debug)]
enum Step {
    Read(usize),
    Seek(SeekFrom),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let around = -200_000..200_000_i64;
    let step = prop_oneof![
        (0..150_000_usize).prop_map(Step::Read),
        (0..400_000_u64).prop_map(|offset| Step::Seek(SeekFrom::Start(offset))),
        around.clone().prop_map(|offset| Step::Seek(SeekFrom::Current(offset))),
        around.prop_map(|offset| Step::Seek(SeekFrom::End(offset))),
    ];
    prop::collection::vec(step, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_reads_and_seeks_give_what_the_plaintext_and_the_age_crate_give(
        length in prop_oneof![0..200_usize, CHUNK - 2..CHUNK + 3, 0..330_000_usize],
        armored in any::<bool>(),
        steps in steps(),
    ) {
        let plain = content(length);
        let file = sealed(&plain, armored);
        let mut opened = open(&file).unwrap();
        let mut expected = Cursor::new(&plain);
        let theirs: age::x25519::Identity = identity(1).to_secret_text().parse().unwrap();
        let binary = sealed(&plain, false);
        let decryptor = age::Decryptor::new(Cursor::new(&binary)).unwrap();
        let mut by_them = decryptor.decrypt(std::iter::once(&theirs as &dyn age::Identity)).unwrap();
        for step in steps {
            match step {
                Step::Seek(position) => {
                    let wanted = expected.seek(position).ok();
                    prop_assert_eq!(opened.seek(position).ok(), wanted);
                    // Their reader refuses positions behind the end.
                    if let Some(wanted) = wanted.filter(|wanted| *wanted <= length as u64) {
                        by_them.seek(SeekFrom::Start(wanted)).unwrap();
                    }
                }
                Step::Read(count) => {
                    let position = expected.position();
                    let (mut ours, mut wanted, mut other) = (Vec::new(), Vec::new(), Vec::new());
                    opened.by_ref().take(count as u64).read_to_end(&mut ours).unwrap();
                    expected.by_ref().take(count as u64).read_to_end(&mut wanted).unwrap();
                    prop_assert!(ours == wanted, "{} bytes at {}", count, position);
                    if position <= length as u64 {
                        by_them.seek(SeekFrom::Start(position)).unwrap();
                        by_them.by_ref().take(count as u64).read_to_end(&mut other).unwrap();
                        prop_assert!(ours == other, "the age crate differs at {}", position);
                    }
                }
            }
        }
    }
}
