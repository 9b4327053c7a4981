//! The llhttp cases as data: Markdown files with a heading, an `http` block and a `log` block for each case.
//!
//! Owns: reading the files, undoing the escapes of inputs, reading the logs of callbacks.
//! Does not own: the evaluation of a case.

use std::fmt;
use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};

/// One case: an input and the other parser's callbacks for it.
pub(crate) struct Case {
    pub(crate) file: String,
    pub(crate) heading: String,
    pub(crate) input: Vec<u8>,
    /// Whether the response answers HEAD, which only the client knows.
    pub(crate) skips_body: bool,
    /// Interim responses and the first final one.
    pub(crate) messages: Vec<Message>,
    /// The reason why the other parser refused one of these.
    pub(crate) error_in_first: Option<String>,
    /// Whether the other parser saw more bytes after them.
    pub(crate) more_follows: bool,
}

/// One response according to the callbacks.
#[derive(Default)]
pub(crate) struct Message {
    pub(crate) status: u16,
    pub(crate) reason: Vec<u8>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) complete: bool,
}

impl Message {
    /// The fields. Trailing white space of values, which the other parser keeps, is removed.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.fields {
            let value = HeaderValue::from_bytes(value.trim_ascii_end()).unwrap();
            headers.append(HeaderName::from_bytes(name).unwrap(), value);
        }
        headers
    }
}

impl Case {
    pub(crate) fn is_upgrade(&self) -> bool {
        self.error_in_first.as_ref().is_some_and(|reason| reason.contains("Upgrade"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:?}", self.file, self.heading)
    }
}

/// Reads every case of every Markdown file in `folder` except its README.
pub(crate) fn load(folder: &Path) -> Vec<Case> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "md") && !path.ends_with("README.md"));
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        load_file(&file, &std::fs::read_to_string(&path).unwrap(), &mut cases);
    }
    cases
}

fn load_file(file: &str, text: &str, cases: &mut Vec<Case>) {
    let mut heading = "";
    let mut meta = "";
    let mut input = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("##") {
            heading = title.trim_start_matches('#').trim();
        } else if line.starts_with("<!-- meta") {
            meta = line;
        } else if line == "```http" {
            input = Some(unescape(&block(&mut lines)));
        } else if line == "```log" {
            let input = input.take().expect("a log follows an input");
            cases.push(parse_case(file, heading, meta, input, &block(&mut lines)));
        }
    }
}

/// The lines up to the end of a block; the last one without its line end.
fn block<'a>(lines: &mut impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<_> = lines.take_while(|line| !line.starts_with("```")).collect();
    lines.join("\n")
}

/// Joins lines at a final backslash, makes every other line end CR LF, and then undoes `\r`, `\n`, `\t`, `\f`
/// and `\xNN`.
fn unescape(text: &str) -> Vec<u8> {
    let text = text.replace("\\\n", "").replace('\n', "\r\n");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let (unescaped, taken) = match rest {
            [b'\\', b'r', ..] => (b'\r', 2),
            [b'\\', b'n', ..] => (b'\n', 2),
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', b'f', ..] => (0x0c, 2),
            [b'\\', b'x', high, low, ..] => {
                let digits = [*high, *low];
                (u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(), 4)
            }
            _ => (*byte, 1),
        };
        bytes.push(unescaped);
        rest = &after[taken - 1..];
    }
    bytes
}

/// Reads a log up to the end of the first final response.
fn parse_case(file: &str, heading: &str, meta: &str, input: Vec<u8>, log: &str) -> Case {
    let mut messages = Vec::new();
    let mut message = Message::default();
    let mut error_in_first = None;
    let mut more_follows = false;
    let mut ended = false;
    for line in log.lines() {
        let event = line.split_once(' ').map_or("", |(_, event)| event);
        if ended {
            more_follows |= event.starts_with("message begin") || event.starts_with("error");
        } else if let Some(span) = parse_span(line) {
            add_span(&mut message, span, &input);
        } else if let Some(rest) = event.strip_prefix("headers complete status=") {
            message.status = rest.split(' ').next().unwrap().parse().unwrap();
        } else if let Some(reason) = event.strip_prefix("error ") {
            error_in_first = Some(reason.to_owned());
            ended = true;
        } else if event == "message complete" {
            message.complete = true;
            ended = !(100..200).contains(&message.status);
            messages.push(std::mem::take(&mut message));
        }
    }
    if !ended {
        messages.push(message);
    }
    let skips_body = meta.contains("\"skipBody\": true");
    let (file, heading) = (file.to_owned(), heading.to_owned());
    Case { file, heading, input, skips_body, messages, error_in_first, more_follows }
}

/// `off=3 len=2 span[name]=…`: name, offset, length.
fn parse_span(line: &str) -> Option<(&str, usize, usize)> {
    let (offset, rest) = line.strip_prefix("off=")?.split_once(" len=")?;
    let (len, rest) = rest.split_once(" span[")?;
    let (name, _) = rest.split_once(']')?;
    Some((name, offset.parse().ok()?, len.parse().ok()?))
}

fn add_span(message: &mut Message, (name, offset, len): (&str, usize, usize), input: &[u8]) {
    let bytes = &input[offset..offset + len];
    match name {
        "status" => message.reason.extend_from_slice(bytes),
        "header_field" => message.fields.push((bytes.to_vec(), Vec::new())),
        "header_value" => message.fields.last_mut().unwrap().1.extend_from_slice(bytes),
        "body" => message.body.extend_from_slice(bytes),
        // Protocol, version and chunk extensions have no counterpart here.
        _ => {}
    }
}
