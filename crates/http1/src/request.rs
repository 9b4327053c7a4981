//! Request heads: from a method, a target and fields to bytes.
//!
//! Owns: the four forms of a target, Host and the framing fields, the refusal of everything that could end a
//! line early.
//! Does not own: which fields a request should have, bodies (see [`crate::encode_chunk`]).
//!
//! Source: RFC 9112, section 3 (request line), 3.2 (target forms), 6.1 and 6.2 (framing fields); RFC 9110,
//! section 5.1 and 5.5 (names and values), 7.2 (Host), 8.6 (Content-Length).

use std::fmt;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::Authority;
use crate::error::Shown;
use crate::scan::{is_text, is_token, trim};

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
///     body: BodyLength::None,
/// }
/// .encode(&mut out)?;
/// assert_eq!(out, b"GET /a?b HTTP/1.1\r\nhost: example.org:8080\r\n\r\n");
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
    /// All fields but Host, Content-Length and Transfer-Encoding, which are made from the other members.
    pub headers: &'a HeaderMap,
    /// How the body is framed.
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
        /// `http`, mostly.
        scheme: &'a str,
        /// From the first slash to before a fragment.
        path_and_query: &'a str,
    },
    /// CONNECT: host and port.
    Authority,
    /// OPTIONS for the server as a whole.
    Asterisk,
}

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// No body. POST, PUT, PATCH and QUERY then say `content-length: 0`, as their servers expect one.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks, made by [`encode_chunk`](crate::encode_chunk) and ended by
    /// [`encode_last_chunk`](crate::encode_last_chunk).
    Chunked,
}

/// Why a request can't be sent. It says which part is at fault, and at which byte.
///
/// The texts read after "cannot fetch …: ". Nothing here wraps another error, so `source()` is always `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// A field name that isn't a token.
    InvalidFieldName {
        /// The first byte that doesn't belong there; `None` where the name is empty or absurdly long.
        byte: Option<u8>,
    },
    /// CR, LF, NUL or another control character in a field value.
    InvalidFieldValue {
        /// The field.
        name: HeaderName,
        /// The first such byte.
        byte: u8,
    },
    /// A field that only the encoder may write, or one that may not be in a trailer section.
    ReservedField {
        /// The field.
        name: HeaderName,
    },
    /// A host that can't be written into a request.
    InvalidHost {
        /// The first byte that doesn't belong there; `None` where the host is empty or a malformed address.
        byte: Option<u8>,
    },
    /// A path that doesn't start with a slash, or has a byte that isn't visible ASCII or starts a fragment.
    InvalidPath {
        /// The first byte that doesn't belong there; `None` where the path is empty.
        byte: Option<u8>,
    },
    /// A scheme that isn't a letter followed by letters, digits, '+', '-' and '.'.
    InvalidScheme,
    /// A form of target that the method doesn't have: CONNECT takes only an authority, only OPTIONS an
    /// asterisk.
    TargetForm {
        /// The method.
        method: Method,
    },
    /// A body with a method that has none (CONNECT, TRACE).
    UnexpectedBody {
        /// The method.
        method: Method,
    },
}

impl RequestHead<'_> {
    /// Appends the head, its final empty line included, to `out`. On an error `out` is as it was.
    ///
    /// Names and values need no check here: the types of the `http` crate hold tokens and text only. Text
    /// that isn't of these types yet goes through [`parse_field`].
    ///
    /// # Errors
    ///
    /// Every [`RequestError`] except those about hosts, names and values, which can't have got here.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), RequestError> {
        self.check()?;
        let head_bytes: usize =
            self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        // Method, version, Host and framing field are short; the path and the authority may appear twice.
        out.reserve(head_bytes + 2 * self.authority.with_port().len() + self.path().len() + 96);

        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        self.write_target(out);
        // Host comes first, where it is best to find (RFC 9110, section 7.2).
        out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        out.extend_from_slice(self.authority.host_field().as_bytes());
        out.extend_from_slice(b"\r\n");
        for (name, value) in self.headers {
            write_field(name, value, out);
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
            BodyLength::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            BodyLength::Length(bytes) => write_field(&CONTENT_LENGTH, &HeaderValue::from(bytes), out),
            // RFC 9110, section 8.6: say so where the method gives a body a meaning.
            BodyLength::None if matches!(self.method.as_str(), "POST" | "PUT" | "PATCH" | "QUERY") => {
                out.extend_from_slice(b"content-length: 0\r\n");
            }
            BodyLength::None => {}
        }
    }
}

/// Makes a field of text that a user wrote, blanks around the value removed.
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
            // The two agree on what text is, so this is never reached.
            Err(_) => Err(RequestError::InvalidFieldValue { name: parsed, byte: 0 }),
        },
    }
}

pub(crate) fn write_field(name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
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

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidFieldName { byte: Some(byte) } => {
                write!(f, "byte {} in a header name", Shown(*byte))
            }
            Self::InvalidFieldName { byte: None } => f.write_str("header name empty or too long"),
            Self::InvalidFieldValue { name, byte } => {
                write!(f, "byte {} in the value of header \"{name}\"", Shown(*byte))
            }
            Self::ReservedField { name } => write!(f, "header \"{name}\" can't be set here"),
            Self::InvalidHost { byte: Some(byte) } => write!(f, "byte {} in the host", Shown(*byte)),
            Self::InvalidHost { byte: None } => f.write_str("host empty or not an IPv6 address"),
            Self::InvalidPath { byte: Some(byte) } => write!(f, "byte {} in the path", Shown(*byte)),
            Self::InvalidPath { byte: None } => f.write_str("empty path"),
            Self::InvalidScheme => f.write_str("malformed scheme"),
            Self::TargetForm { method } => write!(f, "method {method} doesn't go with this form of target"),
            Self::UnexpectedBody { method } => write!(f, "a {method} request has no body"),
        }
    }
}

impl std::error::Error for RequestError {}
