//! Requests as the scripted server received them.
//!
//! Owns: reading one request (head and body) from a connection, leniently, because tests judge the bytes.
//! Does not own: connections, answers.

use std::io::{self, Read, Write};

/// Longer heads and bodies are a bug of the client under test.
const HEAD_MAX_BYTES: usize = 1 << 20;
const BODY_MAX_BYTES: usize = 64 << 20;

/// A request that reached the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number of its connection: 0 for the first that the server accepted.
    pub connection: usize,
    /// The TLS handshake of that connection; none on a plain one.
    pub tls: Option<Handshake>,
    /// The number of earlier requests on that connection.
    pub index: usize,
    /// As sent.
    pub method: String,
    /// The request target as sent: a path with its query, an absolute URL (to a proxy), or an authority.
    pub target: String,
    /// As sent, e.g. `HTTP/1.1`.
    pub version: String,
    /// Names and values in order; values without surrounding white space.
    pub headers: Vec<(String, String)>,
    /// The bytes of the head as received, including the final empty line.
    pub head: Vec<u8>,
    /// The body without its framing. Empty when the server doesn't read bodies.
    pub body: Vec<u8>,
}

/// The handshake of a TLS connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Whether it resumed a session of an earlier connection.
    pub resumed: bool,
    /// The protocol negotiated by ALPN.
    pub alpn: Option<String>,
    /// The server name that the client sent (SNI).
    pub name: Option<String>,
}

impl Request {
    /// The first value of the header `name`, in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of the header `name`, in order.
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// True when the client asked to close the connection after the answer.
    pub(crate) fn wants_close(&self) -> bool {
        self.header_all("connection").any(|value| value.eq_ignore_ascii_case("close"))
            || self.version == "HTTP/1.0"
    }

    fn parse(head: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.split("\r\n");
        let mut words = lines.next().unwrap_or_default().splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        let (method, target, version) = (word(), word(), word());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Self { connection: 0, tls: None, index: 0, method, target, version, headers, head, body: Vec::new() }
    }
}

/// The receiving half of a connection, with the bytes read but not yet used.
pub(crate) struct Incoming<W> {
    pub(crate) wire: W,
    /// Bytes read that aren't part of a request yet.
    pub(crate) unused: Vec<u8>,
}

impl<W: Read + Write> Incoming<W> {
    pub(crate) fn new(wire: W) -> Self {
        Self { wire, unused: Vec::new() }
    }

    /// The head of the next request; none when the client closed before it began.
    pub(crate) fn head(&mut self) -> io::Result<Option<Request>> {
        loop {
            if let Some(at) = find(&self.unused, b"\r\n\r\n") {
                return Ok(Some(Request::parse(self.take(at + 4))));
            }
            if self.unused.len() > HEAD_MAX_BYTES {
                return Err(io::Error::other("a request head without an end"));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// The body that the head of `request` announces. Sends 100 Continue first if the request expects it and
    /// `goes_ahead` is set.
    pub(crate) fn body(&mut self, request: &Request, goes_ahead: bool) -> io::Result<Vec<u8>> {
        let chunked = request
            .header_all("transfer-encoding")
            .any(|value| value.to_ascii_lowercase().contains("chunked"));
        let length = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        if goes_ahead && (chunked || length > 0) && request.header("expect").is_some() {
            self.wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            self.wire.flush()?;
        }
        if chunked { self.chunked_body() } else { self.exactly(length) }
    }

    fn chunked_body(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let len = usize::from_str_radix(digits, 16).map_err(io::Error::other)?;
            if len == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            if body.len().saturating_add(len) > BODY_MAX_BYTES {
                return Err(io::Error::other("a request body without an end"));
            }
            body.extend(self.exactly(len)?);
            self.exactly(2)?;
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = find(&self.unused, b"\r\n") {
                let line = self.take(at + 2);
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            self.more_or_fail()?;
        }
    }

    fn exactly(&mut self, len: usize) -> io::Result<Vec<u8>> {
        if len > BODY_MAX_BYTES {
            return Err(io::Error::other("a request body that is too long"));
        }
        while self.unused.len() < len {
            self.more_or_fail()?;
        }
        Ok(self.take(len))
    }

    fn more_or_fail(&mut self) -> io::Result<()> {
        if self.more()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn more(&mut self) -> io::Result<bool> {
        let mut piece = [0; 16 << 10];
        let len = self.wire.read(&mut piece)?;
        self.unused.extend_from_slice(&piece[..len]);
        Ok(len > 0)
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let rest = self.unused.split_off(len);
        std::mem::replace(&mut self.unused, rest)
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
