//! Response cases of another project's parser, llhttp, as an independent check.
//!
//! Owns: the comparison, and the list of cases where this crate differs on purpose.
//! Does not own: the cases. They are expected in `../shared/corpora/llhttp`, next to the project; without them the test
//! says that it was skipped.

mod corpus;

use std::io::Write as _;
use std::path::Path;

use haul_http1::{Framing, ProtocolError};
use http::Method;

use crate::drive::{Outcome, Reader, read_every_way};
use corpus::{Case, Message};

/// The outcome here, where it differs from llhttp's.
#[derive(Clone, Copy, PartialEq)]
enum Difference {
    /// Not run.
    Skipped,
    /// Refused here, accepted by llhttp.
    Refused,
    /// Accepted here, refused by llhttp, with the outcome as [`Outcome`] displays it.
    Accepted(&'static str),
}

use Difference::{Accepted, Refused, Skipped};

/// File, heading, difference, reason.
const DIFFERENCES: &[(&str, &str, Difference, &str)] = &[
    ("sample.md", "RTSP response", Refused, "another protocol"),
    ("sample.md", "ICE response", Refused, "another protocol"),
    ("sample.md", "HTTP version 0.9", Refused, "only HTTP/1.x is spoken here"),
    ("sample.md", "Response starting with CRLF", Refused, "empty lines may precede requests, not responses"),
    (
        "sample.md",
        "No carriage ret",
        Accepted("200 untilclose 'these headers are from http://news.ycombinator.com/' open"),
        "a lone LF may end a head line",
    ),
    (
        "invalid.md",
        "Only LFs present and no body",
        Accepted("200 length=0 complete"),
        "a lone LF may end a head line",
    ),
    (
        "invalid.md",
        "Only LFs present",
        Accepted("200 untilclose 'BODY\\n\\\\' open"),
        "a lone LF may end a head line",
    ),
    (
        "sample.md",
        "Spaces in header name",
        Accepted("200 length=16 '<xml>hello</xml>' complete"),
        "a malformed field that neither frames nor routes is dropped",
    ),
    (
        "transfer-encoding.md",
        "Trailing space on chunked body",
        Accepted(
            "200 chunked 'This is the data in the first chunk\\r\\nand this is the second one\\r\\n' complete",
        ),
        "blanks may stand between a chunk size and its line end",
    ),
    ("invalid.md", "Bare CR after response line (lenient)", Skipped, "there is no such leniency"),
    ("transfer-encoding.md", "`chunked` before other transfer-encoding", Refused, "chunked must be last"),
    (
        "transfer-encoding.md",
        "multiple transfer-encoding where chunked is not the last one",
        Refused,
        "chunked must be last",
    ),
    (
        "transfer-encoding.md",
        "`chunkedchunked` transfer-encoding does not enable chunked enconding",
        Refused,
        "an unknown coding can't be decoded, so its bytes aren't a body",
    ),
    (
        "transfer-encoding.md",
        "No extension after semicolon",
        Accepted("200 chunked 'aa' complete"),
        "extensions are read over, not parsed",
    ),
    (
        "transfer-encoding.md",
        "Unbalanced chunk extensions quoting",
        Accepted("200 chunked 'hello world' open"),
        "extensions are read over, not parsed",
    ),
    (
        "transfer-encoding.md",
        "Invalid OBS fold after chunked value",
        Refused,
        "the unfolded value is no coding",
    ),
    (
        "connection.md",
        "HTTP 101 response with Upgrade and Content-Length header",
        Refused,
        "nobody asked to upgrade",
    ),
    (
        "connection.md",
        "HTTP 101 response with Upgrade and Transfer-Encoding header",
        Refused,
        "nobody asked to upgrade",
    ),
    (
        "connection.md",
        "HTTP 100 first, then 400",
        Refused,
        "an empty line after an interim response starts no response",
    ),
];

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";

/// The minimum number of cases, so that a corpus that isn't parsed can't pass.
const CASE_COUNT_MIN: usize = 84;

#[test]
fn the_cases_of_llhttp_agree_or_differ_on_purpose() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/llhttp");
    if !folder.is_dir() {
        // Written to stderr directly, as the test harness captures the macros' output.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "SKIPPED: no llhttp cases at {}; nothing was compared", folder.display()).unwrap();
        return;
    }
    let cases = corpus::load(&folder);
    assert!(cases.len() >= CASE_COUNT_MIN, "only {} cases found", cases.len());
    let mut agreed_count = 0;
    for case in &cases {
        match difference(case) {
            None => {
                check_agreement(case);
                agreed_count += 1;
            }
            Some(Skipped) => {}
            Some(Refused) => {
                let outcome = run(case);
                assert!(outcome.error.is_some(), "{case}: accepted as {outcome}");
                assert!(case.error_in_first.is_none() || case.is_upgrade(), "{case}: both refuse");
            }
            Some(Accepted(expected)) => {
                assert_eq!(run(case).to_string(), expected, "{case}");
                assert!(case.error_in_first.is_some(), "{case}: both accept");
            }
        }
    }
    for (file, heading, ..) in DIFFERENCES {
        let count = cases.iter().filter(|case| case.file == *file && case.heading == *heading).count();
        assert_eq!(count, 1, "{file}, {heading:?} in the list of differences");
    }
    assert_eq!(agreed_count, cases.len() - DIFFERENCES.len());
}

fn difference(case: &Case) -> Option<Difference> {
    let mut found =
        DIFFERENCES.iter().filter(|(file, heading, ..)| case.file == *file && case.heading == *heading);
    found.next().map(|(_, _, difference, _)| *difference)
}

fn reader(case: &Case) -> Reader {
    // A response whose body is skipped answers HEAD.
    if case.skips_body { Reader::method(Method::HEAD) } else { Reader::get() }
}

#[track_caller]
fn run(case: &Case) -> Outcome {
    read_every_way(&reader(case), &case.input)
}

/// Compares the interim responses and the first final one. The bytes after it belong to another exchange and only count
/// as left over.
fn check_agreement(case: &Case) {
    let outcome = run(case);
    if let Some(reason) = &case.error_in_first {
        // This crate checks complete heads only. If a case ends at the fault, add the end of the head.
        let error =
            outcome.error.or_else(|| read_every_way(&reader(case), &[&case.input, END].concat()).error);
        assert!(error.is_some(), "{case}: refused there for {reason:?}, not here");
        return;
    }
    assert_eq!(outcome.error, None, "{case}");
    let (last, interim) = case.messages.split_last().expect("a case has a message");
    let interim: Vec<_> = interim.iter().map(|message| message.status).collect();
    assert_eq!(outcome.interim, interim, "{case}");
    check_message(case, last, &outcome);
    check_close(case, &outcome);
}

fn check_message(case: &Case, message: &Message, outcome: &Outcome) {
    let response = outcome.response.as_ref().unwrap_or_else(|| panic!("{case}: no head"));
    assert_eq!(response.status.as_u16(), message.status, "{case}");
    assert_eq!(response.headers, message.headers(), "{case}");
    assert_eq!(outcome.reason, message.reason, "{case}");
    assert_eq!(outcome.body, message.body, "{case}");
    assert_eq!(outcome.complete, message.complete, "{case}");
    // The reverse doesn't hold: in one of its lenient modes, the other parser silently drops the following bytes.
    assert!(!case.more_follows || !outcome.leftover.is_empty(), "{case}: nothing left over");
}

/// An incomplete response must end correctly when the connection closes.
fn check_close(case: &Case, open: &Outcome) {
    let closed = read_every_way(&reader(case).closing(true), &case.input);
    let until_close = open.response.as_ref().is_some_and(|response| response.framing == Framing::UntilClose);
    if open.complete || until_close {
        assert!(closed.complete, "{case}: {closed}");
    } else {
        assert!(closed.error.as_ref().is_some_and(ProtocolError::is_truncation), "{case}: {closed}");
    }
}
