//! Properties that hold for arbitrary bytes. Property tests and the fuzz targets in `fuzz/` run the same functions.

use haul_http1::{
    Body, BodyState, ContentRange, Exchange, Framing, Head, Limits, ProtocolError, content_length,
    content_range, encode_chunk, encode_last_chunk,
};
use http::header::{CONTENT_RANGE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method};

/// Limits that are low enough for short inputs to reach.
fn small() -> Limits {
    Limits {
        status_line_bytes_max: 40,
        head_bytes_max: 200,
        header_count_max: 5,
        interim_count_max: 2,
        chunk_extension_bytes_max: 20,
        trailer_bytes_max: 40,
    }
}

/// The result for a response's head doesn't depend on how it is split, and it respects the limits and has one framing.
/// The first byte selects method and limits.
pub fn response_head(input: &[u8]) {
    let Some((&choice, response)) = input.split_first() else { return };
    let method = [Method::GET, Method::HEAD, Method::CONNECT][usize::from(choice) % 3].clone();
    let limits = if choice & 0x80 == 0 { small() } else { Limits::default() };
    let whole = heads(&method, limits, response, response.len().max(1));
    assert_eq!(format!("{:?}", heads(&method, limits, response, 1)), format!("{whole:?}"));
    let Ok(Some((head, _))) = whole else { return };
    assert!(head.headers.len() <= limits.header_count_max);
    let is_chunked = head.headers.contains_key(TRANSFER_ENCODING);
    match head.framing {
        Framing::Length(bytes) => assert!(!is_chunked && content_length(&head.headers) == Ok(Some(bytes))),
        Framing::Chunked => assert!(is_chunked && content_length(&head.headers) == Ok(None)),
        Framing::UntilClose => assert!(!is_chunked && content_length(&head.headers) == Ok(None)),
        Framing::None | Framing::Tunnel => {}
    }
}

/// The final head of a response that arrives in pieces, and where its body starts.
fn heads(
    method: &Method,
    limits: Limits,
    response: &[u8],
    piece_bytes: usize,
) -> Result<Option<(haul_http1::ResponseHead, usize)>, ProtocolError> {
    let mut exchange = Exchange::new(method, limits);
    let (mut start, mut end) = (0, 0);
    loop {
        match exchange.head(&response[start..end])? {
            Head::NeedMore if end == response.len() => return Ok(None),
            Head::NeedMore => end = response.len().min(end + piece_bytes),
            Head::Interim { len, .. } => {
                assert!(len <= limits.head_bytes_max);
                start += len;
            }
            Head::Complete { response: head, len, .. } => {
                assert!(len <= limits.head_bytes_max);
                return Ok(Some((head, start + len)));
            }
        }
    }
}

/// The result of decoding a chunked body.
type Decoded = (Vec<u8>, Result<Option<(usize, HeaderMap)>, ProtocolError>);

/// The result for a chunked body doesn't depend on how it is split, and its data and trailers can be encoded again. The
/// first byte is the piece size, and selects the limits.
pub fn chunked(input: &[u8]) {
    let Some((&choice, coded)) = input.split_first() else { return };
    let limits = if choice & 0x80 == 0 { small() } else { Limits::default() };
    let whole = decode(coded, limits, coded.len().max(1));
    assert_eq!(decode(coded, limits, 1 + usize::from(choice & 0x7f)), whole);
    let (data, Ok(Some((consumed, trailers)))) = whole else { return };
    assert!(data.len() < consumed && consumed <= coded.len());
    let mut again = Vec::new();
    if !data.is_empty() {
        encode_chunk(&data, &mut again);
    }
    // Some fields are allowed in a response's trailers but not in a request's.
    if encode_last_chunk(&trailers, &mut again).is_ok() {
        let (len, limits) = (again.len(), Limits::default());
        assert_eq!(decode(&again, limits, len), (data, Ok(Some((len, trailers)))));
    }
}

/// The data; for a complete body also its length including all framing, and its trailers.
fn decode(coded: &[u8], limits: Limits, piece_bytes: usize) -> Decoded {
    let mut body = Body::new(Framing::Chunked, &limits);
    let (mut data, mut at) = (Vec::new(), 0);
    for piece in coded.chunks(piece_bytes) {
        let mut piece_at = 0;
        loop {
            let step = match body.decode(&piece[piece_at..]) {
                Ok(step) => step,
                Err(error) => return (data, Err(error)),
            };
            data.extend_from_slice(&piece[piece_at..][step.data]);
            piece_at += step.consumed;
            match step.state {
                BodyState::More => {}
                BodyState::NeedMore => break,
                BodyState::Complete => {
                    let trailers = body.trailers().cloned().unwrap_or_default();
                    return (data, Ok(Some((at + piece_at, trailers))));
                }
            }
        }
        at += piece.len();
    }
    (data, Ok(None))
}

/// An accepted Content-Range is consistent, and has one text apart from leading zeros, letter case and blanks.
pub fn range(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let read = |value| content_range(&HeaderMap::from_iter([(CONTENT_RANGE, value)]));
    let Ok(Some(range)) = read(value) else { return };
    let text = match range {
        ContentRange::Part { first, last, total } => {
            assert!(first <= last && total.is_none_or(|total| last < total));
            let total = total.map_or("*".to_owned(), |total| total.to_string());
            format!("bytes {first}-{last}/{total}")
        }
        ContentRange::Unsatisfied { total } => format!("bytes */{total}"),
    };
    assert_eq!(read(HeaderValue::try_from(text).expect("plain text")), Ok(Some(range)));
}
