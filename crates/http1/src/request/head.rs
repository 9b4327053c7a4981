//! Request heads: encoded from a method, a target and fields.
//!
//! Owns: the four forms of a target, Host and the framing fields, the refusal of anything that could end a line early.
//! Does not own: which fields a request should have, bodies (see [`crate::encode_chunk`]).
//!
//! Source: RFC 9112, section 3 (request line), 3.2 (target forms), 6.1 and 6.2 (framing fields); RFC 9110,
//! section 5.1 and 5.5 (names and values), 7.2 (Host), 8.6 (Content-Length).

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::authority::Authority;
use super::error::RequestError;
use crate::syntax::{is_text, is_token, trim};

/// One request head.
///
/// ```
/// use haul_http1::{Authority, BodyLength, RequestHead, Target};
///
/// let authority = Authority::new("example.org", 8080, 80)?;
/// let mut out = Vec::new();
/// RequestHead {
///     method: &http::Method::GET,
///     target: Target::Origin { path_and_query: "/a?b" },
///     authority: &authority,
///     headers: &http::HeaderMap::new(),
///     spellings: &[],
///     host: None,
///     body: BodyLength::None,
/// }
/// .encode(&mut out)?;
/// assert_eq!(out, b"GET /a?b HTTP/1.1\r\nHost: example.org:8080\r\n\r\n");
/// # Ok::<(), haul_http1::RequestError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The form of the request target.
    pub target: Target<'a>,
    /// Host and port of the target, also behind a proxy.
    pub authority: &'a Authority,
    /// All fields except Host, Content-Length and Transfer-Encoding, which [`encode`](Self::encode) writes itself.
    pub headers: &'a HeaderMap,
    /// Names of fields in the letter case to write them in. Other names are written with capitals, as in `User-Agent`:
    /// some servers know no other form.
    pub spellings: &'a [String],
    /// The value of Host, if it isn't that of `authority`.
    pub host: Option<&'a HeaderValue>,
    /// The framing of the body.
    pub body: BodyLength,
}

/// The form of a request target (RFC 9112, section 3.2). Paths are percent-encoded ASCII that starts with a
/// slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// To an origin server: path and query.
    Origin {
        /// From the first slash to before a fragment.
        path_and_query: &'a str,
    },
    /// To a proxy: the whole URL.
    Absolute {
        /// The scheme, usually `http`.
        scheme: &'a str,
        /// From the first slash to before a fragment.
        path_and_query: &'a str,
    },
    /// CONNECT: host and port.
    Authority,
    /// OPTIONS for the server as a whole.
    Asterisk,
}

/// The framing of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// No body. POST, PUT, PATCH and QUERY then send `Content-Length: 0`, as servers expect a body for them.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks, from [`encode_chunk`](crate::encode_chunk) and
    /// [`encode_last_chunk`](crate::encode_last_chunk).
    Chunked,
}

impl RequestHead<'_> {
    /// Appends the head, including its final empty line, to `out`. An error leaves `out` unchanged.
    ///
    /// Names and values need no check here: the types of the `http` crate hold tokens and text only. [`parse_field`]
    /// converts other text to these types.
    ///
    /// # Errors
    ///
    /// Every [`RequestError`] except those about hosts, names and values, which the argument types rule out.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), RequestError> {
        self.check()?;
        let head_bytes: usize =
            self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let host_bytes = self.host.map_or(0, HeaderValue::len);
        // Method, version, Host and framing field are short; the path and the authority may occur twice.
        out.reserve(head_bytes + 2 * self.authority.with_port().len() + self.path().len() + host_bytes + 96);

        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        self.write_target(out);
        // Host comes first, as RFC 9110, section 7.2, recommends.
        out.extend_from_slice(b" HTTP/1.1\r\n");
        write_name(&HOST, self.spellings, out);
        out.extend_from_slice(b": ");
        out.extend_from_slice(
            self.host.map_or(self.authority.host_field().as_bytes(), HeaderValue::as_bytes),
        );
        out.extend_from_slice(b"\r\n");
        for (name, value) in self.headers {
            write_field(name, value, self.spellings, out);
        }
        self.write_framing(out);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn check(&self) -> Result<(), RequestError> {
        for name in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING] {
            if self.headers.contains_key(&name) {
                return Err(RequestError::ReservedField { name });
            }
        }
        let form_fits = match self.target {
            Target::Origin { .. } | Target::Absolute { .. } => self.method != Method::CONNECT,
            Target::Authority => self.method == Method::CONNECT,
            Target::Asterisk => self.method == Method::OPTIONS,
        };
        if !form_fits {
            return Err(RequestError::TargetForm { method: self.method.clone() });
        }
        let bodiless = self.method == Method::CONNECT || self.method == Method::TRACE;
        if bodiless && self.body != BodyLength::None {
            return Err(RequestError::UnexpectedBody { method: self.method.clone() });
        }
        match self.target {
            Target::Origin { path_and_query } => check_path(path_and_query),
            Target::Absolute { scheme, path_and_query } => {
                check_scheme(scheme).and_then(|()| check_path(path_and_query))
            }
            Target::Authority | Target::Asterisk => Ok(()),
        }
    }

    fn path(&self) -> &str {
        match self.target {
            Target::Origin { path_and_query } | Target::Absolute { path_and_query, .. } => path_and_query,
            Target::Authority | Target::Asterisk => "",
        }
    }

    fn write_target(&self, out: &mut Vec<u8>) {
        let parts = match self.target {
            Target::Origin { path_and_query } => [path_and_query, "", "", ""],
            Target::Absolute { scheme, path_and_query } => {
                [scheme, "://", self.authority.host_field(), path_and_query]
            }
            Target::Authority => [self.authority.with_port(), "", "", ""],
            Target::Asterisk => ["*", "", "", ""],
        };
        for part in parts {
            out.extend_from_slice(part.as_bytes());
        }
    }

    fn write_framing(&self, out: &mut Vec<u8>) {
        match self.body {
            BodyLength::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            BodyLength::Length(bytes) => write_field(&CONTENT_LENGTH, &HeaderValue::from(bytes), &[], out),
            // RFC 9110, section 8.6: send the length if the method gives a body a meaning.
            BodyLength::None if matches!(self.method.as_str(), "POST" | "PUT" | "PATCH" | "QUERY") => {
                out.extend_from_slice(b"Content-Length: 0\r\n");
            }
            BodyLength::None => {}
        }
    }
}

/// Converts text that a user wrote to a field, without blanks around the value.
///
/// # Errors
///
/// [`RequestError::InvalidFieldName`] or [`RequestError::InvalidFieldValue`], each with the byte at fault.
pub fn parse_field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), RequestError> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| RequestError::InvalidFieldName { byte: name.bytes().find(|byte| !is_token(*byte)) })?;
    match value.bytes().find(|byte| !is_text(*byte)) {
        Some(byte) => Err(RequestError::InvalidFieldValue { name: parsed, byte }),
        None => match HeaderValue::from_bytes(trim(value.as_bytes())) {
            Ok(value) => Ok((parsed, value)),
            // Unreachable: both agree on which bytes are text.
            Err(_) => Err(RequestError::InvalidFieldValue { name: parsed, byte: 0 }),
        },
    }
}

pub(crate) fn write_field(name: &HeaderName, value: &HeaderValue, spellings: &[String], out: &mut Vec<u8>) {
    write_name(name, spellings, out);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes `name` as one of `spellings` has it, or with a capital at the start of each word.
fn write_name(name: &HeaderName, spellings: &[String], out: &mut Vec<u8>) {
    let name = name.as_str();
    if let Some(spelling) = spellings.iter().find(|spelling| spelling.eq_ignore_ascii_case(name)) {
        return out.extend_from_slice(spelling.as_bytes());
    }
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    let mut is_start = true;
    for byte in &mut out[start..] {
        if is_start {
            byte.make_ascii_uppercase();
        }
        is_start = *byte == b'-';
    }
}

fn check_path(path_and_query: &str) -> Result<(), RequestError> {
    let byte = match path_and_query.bytes().next() {
        Some(b'/') => path_and_query.bytes().find(|byte| !byte.is_ascii_graphic() || *byte == b'#'),
        other => return Err(RequestError::InvalidPath { byte: other }),
    };
    byte.map_or(Ok(()), |byte| Err(RequestError::InvalidPath { byte: Some(byte) }))
}

fn check_scheme(scheme: &str) -> Result<(), RequestError> {
    let starts = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let goes_on = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if starts && goes_on { Ok(()) } else { Err(RequestError::InvalidScheme) }
}
