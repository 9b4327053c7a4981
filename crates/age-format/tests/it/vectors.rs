//! The test vectors in the published `age` crate (C2SP CCTV), if that crate's sources are available, and those of the
//! post-quantum recipient type (see `tests/cctv/hybrid/README.md`).

use std::path::Path;

use crate::cctv::{Outcome, Vector, folder_of_the_age_crate};

#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn vectors() -> Vec<Vector> {
    let Some(folder) = folder_of_the_age_crate() else {
        eprintln!("SKIPPED: the sources of the age crate are not available");
        return Vec::new();
    };
    let vectors = Vector::all_in(&folder);
    let armored = vectors.iter().filter(|vector| vector.is_armored()).count();
    assert_eq!((vectors.len() - armored, armored), (92, 31), "the vectors are all there");
    vectors
}

#[test]
fn every_vector_has_the_expected_outcome() {
    for vector in vectors() {
        assert_eq!(vector.open(&vector.file, usize::MAX), vector.expected(), "{}", vector.name);
    }
}

#[test]
fn armored_vectors_have_the_same_outcome_in_pieces_of_any_size() {
    for vector in vectors().iter().filter(|vector| vector.is_armored() && vector.file.len() < 10_000) {
        for piece_bytes in 1..=vector.file.len() {
            let outcome = vector.open(&vector.file, piece_bytes);
            assert_eq!(outcome, vector.expected(), "{} in pieces of {piece_bytes}", vector.name);
        }
    }
}

#[test]
fn streams_have_the_same_outcome_in_pieces_of_any_size() {
    for vector in vectors().iter().filter(|vector| vector.name.starts_with("stream_")) {
        for piece_bytes in [1, 17, 65_535, 65_536, 65_552, 65_553, 200_000] {
            if piece_bytes == 1 && vector.file.len() > 300_000 {
                continue;
            }
            let outcome = vector.open(&vector.file, piece_bytes);
            assert_eq!(outcome, vector.expected(), "{} in pieces of {piece_bytes}", vector.name);
        }
    }
}

#[test]
fn nothing_opens_that_was_cut_short() {
    for vector in vectors().iter().filter(|vector| vector.is_cheap_success()) {
        // Trailing white space after armor may be lost.
        let end = if vector.is_armored() { vector.file.trim_ascii_end().len() } else { vector.file.len() };
        for length in 0..end {
            let outcome = vector.open(&vector.file[..length], usize::MAX);
            let opened = matches!(outcome, Outcome::Payload("success", _));
            assert!(!opened, "{} cut to {length} bytes", vector.name);
        }
    }
}

#[test]
fn nothing_opens_whose_header_lost_or_gained_a_bit() {
    for vector in vectors().iter().filter(|vector| vector.is_cheap_success() && !vector.is_armored()) {
        let mut file = vector.file.clone();
        let mac_line = file.windows(5).position(|window| window == b"\n--- ").expect("a header") + 1;
        let header_bytes = mac_line + file[mac_line..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for bit in 0..header_bytes * 8 {
            file[bit / 8] ^= 1 << (bit % 8);
            let opened = matches!(vector.open(&file, usize::MAX), Outcome::Payload("success", _));
            assert!(!opened, "{}: bit {} of byte {}", vector.name, bit % 8, bit / 8);
            file[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

fn hybrid_vectors() -> Vec<Vector> {
    let vectors = Vector::all_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cctv/hybrid"));
    assert_eq!(vectors.len(), 19, "the vectors are all there");
    vectors
}

#[test]
fn every_post_quantum_vector_has_the_expected_outcome() {
    for vector in hybrid_vectors() {
        assert_eq!(vector.open(&vector.file, usize::MAX), vector.expected(), "{}", vector.name);
    }
}

#[test]
fn no_post_quantum_file_opens_that_was_cut_or_changed() {
    let vectors = hybrid_vectors();
    let vector = vectors.iter().find(|vector| vector.name == "hybrid").expect("the plainest vector");
    let opens = |file: &[u8]| matches!(vector.open(file, usize::MAX), Outcome::Payload("success", _));
    for length in 0..vector.file.len() {
        assert!(!opens(&vector.file[..length]), "cut to {length} bytes");
    }
    let mut file = vector.file.clone();
    for bit in 0..file.len() * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        assert!(!opens(&file), "bit {} of byte {}", bit % 8, bit / 8);
        file[bit / 8] ^= 1 << (bit % 8);
    }
}
