//! Armor in pieces of any size, compared with the `age` crate's.

use std::io::{Read, Write};

use haul_age_format::{ArmorDecoder, ArmorEncoder, ArmorError, is_armored, may_become_armored};
use proptest::prelude::*;

fn encode(bytes: &[u8], piece_bytes: usize) -> Vec<u8> {
    let (mut encoder, mut text) = (ArmorEncoder::default(), Vec::new());
    bytes.chunks(piece_bytes).for_each(|piece| encoder.push(piece, &mut text));
    encoder.finish(&mut text);
    text
}

/// The bytes that `pieces` decode to, and the result.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Result<(), ArmorError>) {
    let (mut decoder, mut bytes) = (ArmorDecoder::default(), Vec::new());
    for piece in pieces {
        if let Err(error) = decoder.push(piece, &mut bytes) {
            assert_eq!(decoder.push(piece, &mut bytes), Err(error), "a failure lasts");
            assert_eq!(decoder.finish(&mut bytes), Err(error), "a failure lasts");
            return (bytes, Err(error));
        }
    }
    let result = decoder.finish(&mut bytes);
    (bytes, result)
}

/// Checks that `text` decodes to the same bytes at once, byte by byte, and split in two at every position.
#[track_caller]
fn check_decodes(text: &[u8], want: &[u8], ends: Result<(), ArmorError>) {
    let expected = (want.to_vec(), ends);
    assert_eq!(decode([text]), expected, "whole");
    assert_eq!(decode(text.chunks(1)), expected, "byte by byte");
    for middle in 0..=text.len() {
        assert_eq!(decode([&text[..middle], &text[middle..]]), expected, "split at {middle}");
    }
}

fn block(inside: &str) -> String {
    format!("-----BEGIN AGE ENCRYPTED FILE-----\n{inside}-----END AGE ENCRYPTED FILE-----\n")
}

#[test]
fn every_length_round_trips_and_equals_the_age_crates_text() {
    for length in (0..200).chain([4_799, 4_800, 4_801]) {
        let bytes: Vec<u8> = (0..length).map(|index| (index * 7) as u8).collect();
        let text = encode(&bytes, usize::MAX);
        let mut theirs =
            age::armor::ArmoredWriter::wrap_output(Vec::new(), age::armor::Format::AsciiArmor).unwrap();
        theirs.write_all(&bytes).unwrap();
        // The crate writes no block for empty input, and no LF after a block.
        if length > 0 {
            let theirs = theirs.finish().unwrap();
            assert_eq!(text.trim_ascii_end(), theirs.trim_ascii_end(), "{length} bytes");
        }
        for piece_bytes in [1, 2, 47, 48, 49, 100] {
            assert_eq!(encode(&bytes, piece_bytes), text, "{length} bytes in pieces of {piece_bytes}");
        }
        let mut back = Vec::new();
        age::armor::ArmoredReader::new(text.as_slice()).read_to_end(&mut back).unwrap();
        assert!(length == 0 || back == bytes, "{length} bytes, read by the age crate");
        assert_eq!(decode([text.as_slice()]), (bytes, Ok(())), "{length} bytes");
    }
}

#[test]
fn white_space_around_the_block_and_both_line_ends_are_allowed() {
    let line = "QUJD".repeat(16);
    let bytes = b"ABC".repeat(16);
    let text = block(&format!("{line}\n"));
    check_decodes(text.as_bytes(), &bytes, Ok(()));
    check_decodes(format!(" \t\r\n\n{text} \n\t\r\n").as_bytes(), &bytes, Ok(()));
    check_decodes(text.replace('\n', "\r\n").as_bytes(), &bytes, Ok(()));
    check_decodes(text.trim_end().as_bytes(), &bytes, Ok(()));
    check_decodes(block("").as_bytes(), b"", Ok(()));
}

#[test]
fn nothing_but_the_canonical_text_is_accepted() {
    let line = "QUJD".repeat(16);
    let bytes = b"ABC".repeat(16);
    let malformed = Err(ArmorError::MalformedLine);
    for (inside, want) in [
        ("\n".to_owned(), &b""[..]),
        (format!("{line}\n\n"), &bytes),
        (format!("{line}QUJD\n"), b""),
        (format!(" {line}\n"), b""),
        (format!("{line} \n"), b""),
        ("QUJD\nQUJD\n".to_owned(), b"ABC"),
        ("QUI\n".to_owned(), b""),
        ("QUJ=\n".to_owned(), b""),
        ("QU=\n".to_owned(), b""),
        ("QU-_\n".to_owned(), b""),
        ("Proc-Type: 4\n\nQUJD\n".to_owned(), b""),
        ("QUJD\n=aGVs\n".to_owned(), b"ABC"),
        ("QUJD\r\r\n".to_owned(), b""),
    ] {
        check_decodes(block(&inside).as_bytes(), want, malformed);
    }
    let text = block("QUJD\n");
    check_decodes(text.to_lowercase().as_bytes(), b"", Err(ArmorError::NotArmor));
    for before in [" ", "\r", "\n\r", "\r\n\r", "\n\t"] {
        check_decodes(format!("{before}{text}").as_bytes(), b"", Err(ArmorError::NotArmor));
    }
    check_decodes(format!("x\n{text}").as_bytes(), b"", Err(ArmorError::NotArmor));
    check_decodes(format!("{text}x").as_bytes(), b"ABC", Err(ArmorError::AfterEnd));
    check_decodes(format!("{text}{text}").as_bytes(), b"ABC", Err(ArmorError::AfterEnd));
    check_decodes(b"-----BEGIN AGE ENCRYPTED FILE-----\nQUJD\n", b"ABC", Err(ArmorError::CutShort));
    check_decodes(b"", b"", Err(ArmorError::CutShort));
}

#[test]
fn armor_is_recognised_by_its_first_line() {
    assert!(is_armored(block("").as_bytes()) && is_armored(b"\r\n -----BEGIN AGE ENCRYPTED FILE-----"));
    assert!(!is_armored(b"age-encryption.org/v1\n") && !is_armored(b"-----BEGIN OPENSSH PRIVATE KEY-----\n"));
}

proptest! {
    #[test]
    fn armor_decodes_to_one_value_and_each_value_has_one_text(
        inside in "([A-Za-z0-9+/]{64}\n){0,2}[A-Za-z0-9+/=]{0,12}\n?",
    ) {
        let text = block(&inside);
        let (bytes, result) = decode([text.as_bytes()]);
        if result.is_ok() {
            prop_assert_eq!(encode(&bytes, usize::MAX), text.as_bytes());
        }
    }

    #[test]
    fn splits_make_no_difference(
        text in prop_oneof!["[ \n\r]{0,3}-----BEGIN AGE ENCRYPTED FILE-----\r?\n[A-Za-z0-9+/=\n\r -]{0,100}", "\\PC{0,80}"],
        piece_bytes in 1..40_usize,
    ) {
        prop_assert_eq!(decode(text.as_bytes().chunks(piece_bytes)), decode([text.as_bytes()]));
    }
}

#[test]
fn a_start_is_known_to_be_armored_or_not_as_soon_as_possible() {
    let text = [b" \r\n", encode(b"hello", 5).as_slice()].concat();
    let decided = 3 + "-----BEGIN AGE ENCRYPTED FILE-----".len();
    for length in 0..text.len() {
        assert_eq!(may_become_armored(&text[..length]), length < decided, "{length} bytes");
        assert_eq!(is_armored(&text[..length]), length >= decided, "{length} bytes");
    }
    for other in [b"age-encryption".as_slice(), b"\n-----BEGIN A PGP", b"\0", &[b' '; 2_000]] {
        assert!(!may_become_armored(other) && !is_armored(other));
    }
}
