//! Responses with random framing, legal and illegal, and the reasons why haul and curl may disagree about some.
//!
//! Owns: the generator, the table of reasons.
//! Does not own: fetching them (see `framing`).
//!
//! Source: RFC 9112, sections 2 to 7; RFC 9110, section 5.

use haul_testkit::seeded_bytes;

use crate::choice::Choice;

/// A peculiarity of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trait {
    BareLineFeeds,
    SpaceBeforeColon,
    Folded,
    ControlInValue,
    NoName,
    TwoEqualLengths,
    TwoLengths,
    BadLength,
    LengthAndChunked,
    OldVersionChunked,
    ChunkedTwice,
    UnknownCoding,
    LongChunkSize,
    ChunkLineFeeds,
    ChunkExtension,
    BadChunkSize,
    CutBody,
    NoLastChunk,
    Surplus,
    Interim,
    Trailer,
    StrangeStatus,
    StrangeVersion,
}

/// Why haul and curl may disagree about a response with this trait. haul's side is RFC 9112 or a defence against
/// responses that are split or smuggled.
pub(super) fn reason(peculiarity: Trait) -> Option<&'static str> {
    Some(match peculiarity {
        Trait::SpaceBeforeColon => "RFC 9112, 5.1: white space before the colon; curl takes it",
        Trait::Folded => "RFC 9112, 5.2: obs-fold is replaced by spaces; curl's version decides",
        Trait::ControlInValue => "RFC 9110, 5.5: CR, LF and NUL in a value are refused",
        Trait::NoName => "RFC 9112, 5.1: a field has a name; curl skips such lines",
        Trait::TwoLengths => "RFC 9112, 6.3: lengths that differ are refused; curl's version decides",
        Trait::BadLength => "RFC 9112, 6.3: a length that isn't a number is refused; curl ignores some",
        Trait::OldVersionChunked => "RFC 9112, 6.1: chunked in a message of HTTP/1.0 is faulty",
        Trait::ChunkedTwice => "RFC 9112, 6.1: chunked is applied once; curl decodes it twice",
        Trait::UnknownCoding => "RFC 9112, 6.1: an unknown transfer coding can't be undone",
        Trait::LongChunkSize => "digits of a chunk size are limited",
        Trait::ChunkLineFeeds => "RFC 9112, 7.1: a lone LF doesn't end a line of the framing",
        Trait::BadChunkSize => "RFC 9112, 7.1: a chunk size is hexadecimal digits alone",
        Trait::StrangeStatus => "RFC 9112, 4: a status code has three digits",
        Trait::StrangeVersion => "RFC 9112, 2.3: only HTTP/1.x",
        Trait::LengthAndChunked => "RFC 9112, 6.3: Transfer-Encoding counts; curl's version decides",
        Trait::BareLineFeeds
        | Trait::TwoEqualLengths
        | Trait::ChunkExtension
        | Trait::CutBody
        | Trait::NoLastChunk
        | Trait::Surplus
        | Trait::Interim
        | Trait::Trailer => return None,
    })
}

/// A response as bytes, with its peculiarities.
pub(super) fn response(choice: &mut Choice) -> (Vec<u8>, Vec<Trait>) {
    let len = *choice.pick(&[0, 1, 10, 100, 5_000]);
    let body: Vec<u8> = seeded_bytes(choice.number(), len);
    let mut traits = Vec::new();
    let mut with = |peculiarity: Trait, percent: usize, choice: &mut Choice| {
        let has = choice.chance(percent);
        traits.extend(has.then_some(peculiarity));
        has
    };
    let chunked = choice.chance(45);
    let start = start_line(choice, chunked, &mut with);
    let mut fields = fields(choice, &mut with);
    let tail = if chunked {
        in_chunks(choice, &body, &mut fields, &mut with)
    } else {
        with_length(choice, body, &mut fields, &mut with)
    };
    let line_end = if with(Trait::BareLineFeeds, 6, choice) { "\n" } else { "\r\n" };
    let mut head = String::new();
    if with(Trait::Interim, 8, choice) {
        head += &"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(choice.within(1..=3));
    }
    head += &format!("{start}{line_end}");
    for field in &fields {
        head += &format!("{field}{line_end}");
    }
    head += line_end;
    ([head.into_bytes(), tail].concat(), traits)
}

fn start_line(
    choice: &mut Choice,
    chunked: bool,
    with: &mut impl FnMut(Trait, usize, &mut Choice) -> bool,
) -> String {
    let version = if chunked && with(Trait::OldVersionChunked, 4, choice) {
        "HTTP/1.0"
    } else if with(Trait::StrangeVersion, 3, choice) {
        *choice.pick(&["HTTP/2.1", "HTTP/0.9", "HTP/1.1", "HTTP/1.11", "http/1.1"])
    } else {
        "HTTP/1.1"
    };
    let status = if with(Trait::StrangeStatus, 3, choice) {
        *choice.pick(&["20", "2000", "abc", "-200", ""])
    } else {
        "200"
    };
    format!("{version} {status} OK")
}

/// Fields that don't frame the body.
fn fields(choice: &mut Choice, with: &mut impl FnMut(Trait, usize, &mut Choice) -> bool) -> Vec<String> {
    let mut fields: Vec<String> = vec!["Content-Type: text/plain".to_owned()];
    if with(Trait::SpaceBeforeColon, 4, choice) {
        fields.push("X-Space : a".to_owned());
    }
    if with(Trait::Folded, 4, choice) {
        fields.push("X-Folded: a\r\n b".to_owned());
    }
    if with(Trait::ControlInValue, 3, choice) {
        fields.push(format!("X-Control: a{}b", choice.pick(&['\0', '\r'])));
    }
    if with(Trait::NoName, 3, choice) {
        fields.push((*choice.pick(&[": a", "no colon"])).to_owned());
    }
    fields
}

/// The body framed by its length or by the end of the connection.
fn with_length(
    choice: &mut Choice,
    mut body: Vec<u8>,
    fields: &mut Vec<String>,
    with: &mut impl FnMut(Trait, usize, &mut Choice) -> bool,
) -> Vec<u8> {
    let len = body.len();
    if choice.chance(15) {
        return body;
    }
    let length = if with(Trait::BadLength, 5, choice) {
        (*choice.pick(&["-1", "+6", "6, 44", "0x10", "99999999999999999999", "", "6 6"])).to_owned()
    } else {
        len.to_string()
    };
    fields.push(format!("Content-Length: {length}"));
    if with(Trait::TwoEqualLengths, 5, choice) {
        fields.push(format!("Content-Length: {length}"));
    } else if with(Trait::TwoLengths, 4, choice) {
        fields.push(format!("Content-Length: {}", len + 1));
    }
    if len > 0 && with(Trait::CutBody, 10, choice) {
        body.truncate(choice.below(len));
    } else if with(Trait::Surplus, 8, choice) {
        body.extend(b"HTTP/1.1 200 OK\r\n\r\nsurplus");
    }
    body
}

/// The body framed in chunks.
fn in_chunks(
    choice: &mut Choice,
    body: &[u8],
    fields: &mut Vec<String>,
    with: &mut impl FnMut(Trait, usize, &mut Choice) -> bool,
) -> Vec<u8> {
    let coding = if with(Trait::ChunkedTwice, 3, choice) {
        "chunked, chunked"
    } else if with(Trait::UnknownCoding, 3, choice) {
        "shrunk, chunked"
    } else {
        *choice.pick(&["chunked", "Chunked", " chunked "])
    };
    fields.push(format!("Transfer-Encoding: {coding}"));
    if with(Trait::LengthAndChunked, 6, choice) {
        fields.push(format!("Content-Length: {}", body.len()));
    }
    chunks(choice, body, with)
}

fn chunks(
    choice: &mut Choice,
    body: &[u8],
    with: &mut impl FnMut(Trait, usize, &mut Choice) -> bool,
) -> Vec<u8> {
    let line_end = if with(Trait::ChunkLineFeeds, 4, choice) { "\n" } else { "\r\n" };
    let extension = if with(Trait::ChunkExtension, 10, choice) { ";a=b;c=\"d\"" } else { "" };
    let zeros =
        if with(Trait::LongChunkSize, 4, choice) { "0".repeat(choice.within(1..=40)) } else { String::new() };
    let prefix =
        if with(Trait::BadChunkSize, 4, choice) { *choice.pick(&["0x", "-", "+", " ", "g"]) } else { "" };
    let mut out = Vec::new();
    let mut left = body;
    while !left.is_empty() {
        let (chunk, more) = left.split_at(choice.within(1..=left.len()));
        left = more;
        let size =
            if choice.chance(50) { format!("{:x}", chunk.len()) } else { format!("{:X}", chunk.len()) };
        out.extend(format!("{prefix}{zeros}{size}{extension}{line_end}").bytes());
        out.extend(chunk);
        out.extend(line_end.bytes());
    }
    if with(Trait::NoLastChunk, 8, choice) {
        let cut = choice.below(out.len() + 1);
        out.truncate(cut);
        return out;
    }
    out.extend(format!("0{line_end}").bytes());
    if with(Trait::Trailer, 8, choice) {
        out.extend(format!("X-Trailer: a{line_end}").bytes());
    }
    out.extend(line_end.bytes());
    out
}
