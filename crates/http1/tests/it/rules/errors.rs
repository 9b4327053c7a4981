//! Error texts: fragments that read after "cannot fetch …: ".

use haul_http1::{ProtocolError, RangeError, RequestError};
use http::header::{COOKIE, HOST};

#[track_caller]
fn check(error: &dyn std::error::Error, text: &str) {
    assert_eq!(error.to_string(), text);
    assert!(!text.ends_with('.') && !text.is_empty(), "{text:?}");
    assert!(error.source().is_none());
}

#[test]
fn protocol_errors_say_what_the_peer_did() {
    use ProtocolError as E;
    check(&E::NotHttp, "the answer isn't an HTTP/1 response");
    check(&E::InvalidFieldName { byte: Some(b'(') }, "byte '(' in a header name");
    check(&E::InvalidFieldValue { name: COOKIE, byte: 0 }, "byte 0x00 in the value of header \"cookie\"");
    check(&E::InvalidChunkSize { byte: b'g' }, "byte 'g' in a chunk size");
    check(&E::ChunkLineEnd { byte: b'\n' }, "byte 0x0a where a chunk line must end with CR LF");
    check(&E::HeadTooLarge { bytes_max: 9 }, "response head of more than 9 bytes");
    check(&E::TooManyFields { count_max: 9 }, "more than 9 header fields");
    let incomplete = E::Incomplete { received_bytes: 4, expected_bytes: Some(5) };
    check(&incomplete, "connection closed after 4 of 5 body bytes");
    let incomplete = E::Incomplete { received_bytes: 4, expected_bytes: None };
    check(&incomplete, "connection closed after 4 body bytes, before the last chunk");
    check(&E::UncleanClose { received_bytes: 4 }, "connection cut after 4 body bytes of unknown total");
}

/// Every variant has a text. `Display` matches the variants in two parts, so the compiler doesn't check this.
#[test]
fn no_protocol_error_is_mute() {
    use ProtocolError as E;
    let all = [
        E::NotHttp,
        E::UnsupportedVersion,
        E::MalformedStatusLine,
        E::StatusLineTooLong { bytes_max: 1 },
        E::HeadTooLarge { bytes_max: 1 },
        E::TooManyFields { count_max: 1 },
        E::TooManyInterim { count_max: 1 },
        E::BareCr,
        E::SpaceBeforeFirstField,
        E::SpaceBeforeColon,
        E::MissingColon,
        E::InvalidFieldName { byte: None },
        E::InvalidFieldName { byte: Some(0) },
        E::InvalidFieldValue { name: HOST, byte: 0 },
        E::TransferEncodingInHttp10,
        E::ChunkedNotLast,
        E::UnsupportedTransferCoding,
        E::InvalidContentLength,
        E::ConflictingContentLength,
        E::UnrequestedUpgrade,
        E::AlreadyAnswered,
        E::InvalidChunkSize { byte: 0 },
        E::ChunkSizeTooLong,
        E::InvalidChunkExtension { byte: 0 },
        E::ChunkExtensionsTooLarge { bytes_max: 1 },
        E::ChunkLineEnd { byte: 0 },
        E::TrailersTooLarge { bytes_max: 1 },
        E::ClosedBeforeResponse,
        E::ClosedInHead { received_bytes: 1 },
        E::Incomplete { received_bytes: 1, expected_bytes: None },
        E::Incomplete { received_bytes: 1, expected_bytes: Some(2) },
        E::UncleanClose { received_bytes: 1 },
    ];
    for (at, error) in all.iter().enumerate() {
        check(error, &error.to_string());
        assert_eq!(error.is_truncation(), at >= all.len() - 5, "{error:?}");
    }
}

#[test]
fn request_and_range_errors_say_which_part() {
    check(
        &RequestError::InvalidFieldValue { name: HOST, byte: b'\r' },
        "byte 0x0d in the value of header \"host\"",
    );
    check(&RequestError::InvalidHost { byte: Some(b'@') }, "byte '@' in the host");
    check(&RequestError::ReservedField { name: HOST }, "header \"host\" can't be set here");
    let mismatch = RangeError::Mismatch { requested_first: 5, first: 0, last: 9 };
    check(&mismatch, "partial response with bytes 0-9, but the requested range starts at 5");
    check(&RangeError::TotalChanged { expected: 5, found: 6 }, "the size changed from 5 to 6 bytes");
}
