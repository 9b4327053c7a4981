//! Content codings against their encoders: every split, every cut, damaged and malicious input.
//!
//! Owns: those checks.
//! Does not own: codings over the network (integration tests).

use super::*;
use http::HeaderValue;

fn text() -> Vec<u8> {
    (0..20_000_u32).flat_map(|number| format!("line {} of many\n", number % 1_000).into_bytes()).collect()
}

fn deflated(compress: flate2::Compress, content: &[u8]) -> Vec<u8> {
    let mut compress = compress;
    let mut out = Vec::with_capacity(content.len() * 9 / 8 + 1_024);
    let status = compress.compress_vec(content, &mut out, flate2::FlushCompress::Finish).unwrap();
    assert_eq!(status, flate2::Status::StreamEnd);
    out
}

fn encoded(coding: &str, content: &[u8]) -> Vec<u8> {
    use flate2::{Compress, Compression};
    let level = Compression::best();
    match coding {
        "gzip" => deflated(Compress::new_gzip(level, 15), content),
        "deflate" => deflated(Compress::new(level, true), content),
        "bare deflate" => deflated(Compress::new(level, false), content),
        "br" => brotli_stored(content),
        "zstd" => {
            let mut out = Vec::with_capacity(content.len() * 9 / 8 + 1_024);
            zstd_safe::compress(&mut out, content, 3).unwrap();
            out
        }
        other => panic!("{other}"),
    }
}

/// RFC 7932 section 9.2, by hand: uncompressed meta-blocks of at most 64 KiB, then an empty last one.
fn brotli_stored(content: &[u8]) -> Vec<u8> {
    // WBITS = 16 is the bit 0; then, a block at a time: ISLAST 0, MNIBBLES 0 (four), MLEN - 1, ISUNCOMPRESSED 1, fill
    // bits.
    let mut out = Vec::new();
    for (index, piece) in content.chunks(65_536).enumerate() {
        let length = piece.len() as u32 - 1;
        let shift = u32::from(index == 0);
        let bits = (length << 3 | 1 << 19) << shift;
        out.extend_from_slice(&bits.to_le_bytes()[..3]);
        out.extend_from_slice(piece);
    }
    // ISLAST and ISLASTEMPTY, behind WBITS where nothing came before.
    out.push(if content.is_empty() { 0b110 } else { 0b11 });
    out
}

fn decoding(codings: &str) -> Decoding {
    let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_str(codings).unwrap())]);
    Decoding::of(&headers, 250).unwrap().unwrap()
}

/// Decodes `input` in pieces of `piece_bytes`, into buffers of `room_bytes`.
fn decoded(
    codings: &str,
    input: &[u8],
    piece_bytes: usize,
    room_bytes: usize,
) -> Result<Vec<u8>, CodingError> {
    let mut decoding = decoding(codings);
    let (mut out, mut room) = (Vec::new(), vec![0; room_bytes]);
    for piece in input.chunks(piece_bytes).chain([[].as_slice()]) {
        let mut left = piece;
        loop {
            let step = decoding.step(left, &mut room)?;
            out.extend_from_slice(&room[..step.made]);
            left = &left[step.taken..];
            if step == DecodeStep::default() {
                break;
            }
        }
        assert!(left.is_empty(), "{codings}: a step stopped with input and room left");
    }
    decoding.finish()?;
    Ok(out)
}

const ALL: [(&str, &str); 5] =
    [("gzip", "gzip"), ("x-gzip", "gzip"), ("deflate", "deflate"), ("br", "br"), ("ZSTD", "zstd")];

#[test]
fn bodies_are_decoded_however_they_are_split() {
    for content in [text(), b"x".to_vec(), Vec::new()] {
        for (name, coding) in ALL.into_iter().chain([("deflate", "bare deflate")]) {
            let input = encoded(coding, &content);
            for (piece_bytes, room_bytes) in [(usize::MAX, 1 << 20), (1, 4_096), (1_000, 1), (7, 100)] {
                let found = decoded(name, &input, piece_bytes, room_bytes);
                assert!(found.as_ref() == Ok(&content), "{coding} by {piece_bytes} into {room_bytes}");
            }
        }
    }
}

#[test]
fn every_cut_is_incomplete_and_every_addition_is_refused() {
    for (name, coding) in ALL {
        let input = encoded(coding, b"hello, hello, hello");
        for cut in 1..input.len() {
            let found = decoded(name, &input[..cut], 5, 100);
            assert_eq!(found, Err(CodingError::Incomplete), "{coding} cut after {cut}");
        }
        assert_eq!(decoded(name, b"", 1, 100), Ok(Vec::new()), "nothing is nothing");
        for garbage in [b"\0".as_slice(), b"garbage", &[0; 600]] {
            let found = decoded(name, &[&input, garbage].concat(), 1_000, 100);
            // A zstd frame may follow, and a single byte isn't enough to rule that out.
            let is_told = matches!(found, Err(CodingError::Trailing { .. } | CodingError::Damaged { .. }))
                || coding == "zstd" && found == Err(CodingError::Incomplete);
            assert!(is_told, "{coding} and {} bytes: {found:?}", garbage.len());
        }
    }
}

#[test]
fn concatenated_members_and_frames_are_decoded() {
    for (name, coding) in [("gzip", "gzip"), ("zstd", "zstd")] {
        let input = [encoded(coding, b"one "), encoded(coding, b""), encoded(coding, b"two")].concat();
        for piece_bytes in 1..input.len() {
            assert_eq!(decoded(name, &input, piece_bytes, 3).unwrap(), b"one two", "{coding}");
        }
    }
    for (name, coding) in [("deflate", "deflate"), ("br", "br")] {
        let input = [encoded(coding, b"one "), encoded(coding, b"two")].concat();
        assert!(matches!(decoded(name, &input, 100, 100), Err(CodingError::Trailing { .. })), "{coding}");
    }
}

#[test]
fn damage_is_detected() {
    for (name, coding) in [("gzip", "gzip"), ("deflate", "deflate"), ("zstd", "zstd")] {
        let mut input = encoded(coding, &text());
        input[0] ^= 0x40;
        let found = decoded(name, &input, 1_000, 4_096);
        assert!(matches!(found, Err(CodingError::Damaged { .. })), "{coding}: {found:?}");
    }
    // The checksum at its end is gzip's own.
    let mut input = encoded("gzip", &text());
    let last = input.len() - 6;
    input[last] ^= 1;
    assert_eq!(decoded("gzip", &input, 1_000, 4_096), Err(CodingError::Damaged { coding: "gzip" }));
}

#[test]
fn chains_are_decoded_in_reverse_and_are_bounded() {
    let content = text();
    let twice = encoded("zstd", &encoded("gzip", &content));
    for (piece_bytes, room_bytes) in [(usize::MAX, 1 << 20), (1, 4_096), (1_000, 10)] {
        assert!(decoded("gzip, zstd", &twice, piece_bytes, room_bytes).as_ref() == Ok(&content));
    }
    assert!(decoded("zstd, gzip", &twice, 1_000, 1_000).is_err(), "the order is told, not guessed");
    let five = (0..5).fold(content.clone(), |inner, _| encoded("gzip", &inner));
    assert!(decoded("gzip,gzip,,identity,gzip , gzip,gzip", &five, 1_000, 1_000).as_ref() == Ok(&content));
    assert!(decoded("gzip, zstd", &twice[..twice.len() - 1], 1_000, 1_000).is_err());
}

#[test]
fn codings_are_known_or_refused() {
    let of = |values: &[&str]| {
        let fields = values.iter().map(|value| (CONTENT_ENCODING, HeaderValue::from_str(value).unwrap()));
        let mut headers = HeaderMap::new();
        fields.for_each(|(name, value)| _ = headers.append(name, value));
        Decoding::of(&headers, 250).map(|decoding| decoding.map(|decoding| decoding.stages.len()))
    };
    assert_eq!(of(&[]), Ok(None));
    assert_eq!(of(&["identity"]), Ok(None));
    assert_eq!(of(&["gzip", "br"]), Ok(Some(2)));
    assert_eq!(of(&["gzip, rot13"]), Err(CodingError::Unknown("rot13".to_owned())));
    assert_eq!(of(&["compress"]), Err(CodingError::Unknown("compress".to_owned())));
    assert_eq!(of(&["gzip;q=1"]), Err(CodingError::Unknown("gzip;q=1".to_owned())));
    assert_eq!(of(&["gzip,gzip,gzip", "gzip,gzip"]), Ok(Some(5)));
    assert_eq!(of(&["gzip,gzip,gzip", "gzip,gzip,gzip"]), Err(CodingError::TooMany { count_max: 5 }));
}

#[test]
fn bombs_are_detected_anywhere_in_a_chain() {
    let zeros = vec![0; (UNCHECKED_BYTES as usize) + 2_000_000];
    let bomb = encoded("gzip", &zeros);
    assert!(bomb.len() < zeros.len() / 200);
    let limited = |codings: &str, input: &[u8], ratio_max| {
        let mut decoding = Decoding { ratio_max, ..decoding(codings) };
        let (mut left, mut room, mut made) = (input, vec![0; 1 << 16], 0);
        loop {
            let step = decoding.step(left, &mut room)?;
            (left, made) = (&left[step.taken..], made + step.made);
            if step == DecodeStep::default() {
                return Ok(made);
            }
        }
    };
    assert_eq!(limited("gzip", &bomb, 100), Err(CodingError::Bomb { ratio_max: 100 }));
    assert_eq!(limited("gzip", &bomb, 10_000), Ok(zeros.len()));
    let nested = encoded("zstd", &bomb);
    assert_eq!(limited("gzip, zstd", &nested, 100), Err(CodingError::Bomb { ratio_max: 100 }));
    let small = encoded("gzip", &zeros[..1 << 20]);
    assert_eq!(limited("gzip", &small, 1), Ok(1 << 20), "what is small is no bomb");
}

#[test]
fn the_windows_of_a_chain_share_one_budget() {
    let zeros = vec![0; 9 << 20];
    let wide = |content: &[u8]| {
        let mut context = zstd_safe::CCtx::create();
        context.set_parameter(zstd_safe::CParameter::WindowLog(23)).unwrap();
        let mut out = Vec::with_capacity(zstd_safe::compress_bound(content.len()));
        context.compress2(&mut out, content).unwrap();
        out
    };
    let too_wide = |window_bytes_max| CodingError::Window { window_bytes_max };
    assert_eq!(decoded("zstd", &wide(&zeros), 1_000, 1 << 20).unwrap().len(), zeros.len());
    for (codings, window_bytes_max) in [
        ("zstd, zstd", 4 << 20),
        ("br, zstd, gzip, zstd", 2 << 20),
        ("zstd, zstd, zstd, zstd, zstd", 1 << 20),
    ] {
        assert_eq!(
            decoded(codings, &wide(&zeros), 1_000, 1 << 20),
            Err(too_wide(window_bytes_max)),
            "{codings}"
        );
    }
    // RFC 7932 section 9.1: the first byte of a stream with a window of 16 MiB.
    for (codings, allowed) in [("br", true), ("gzip, br", true), ("br, br", false), ("zstd, br", false)] {
        let refused = decoding(codings).step(&[0x0f], &mut [0; 10]) == Err(too_wide(4 << 20));
        assert_eq!(refused, !allowed, "{codings}");
    }
}
