//! The answer of a scripted server to one request: its bytes, its pauses, and its end.
//!
//! Owns: building valid and invalid responses, and the steps of sending them.
//! Does not own: sending them (see [`crate::Server`]).
//!
//! Source: RFC 9112 for valid responses.

use std::net::SocketAddr;
use std::time::Duration;

use super::gate::Gate;
use super::head::{Framing, Head};
use super::request::Request;

/// One answer. Offsets count from the first byte of the body as framed (of everything, for [`Answer::raw`]).
///
/// ```
/// use haul_testkit::{Answer, End};
///
/// // Promises eleven bytes, delivers five, and resets the connection.
/// let answer = Answer::ok("hello world").header("ETag", "\"1\"").cut_after(5, End::Reset);
/// ```
#[derive(Clone, Debug)]
pub struct Answer {
    head: Option<Head>,
    before: Vec<u8>,
    body: Vec<u8>,
    after: Vec<u8>,
    cut_bytes: Option<usize>,
    start_gates: Vec<Gate>,
    gates: Vec<(usize, Gate)>,
    end_gate: Option<Gate>,
    drip: Option<(usize, Gate)>,
    delay: Duration,
    end: End,
    close_notify: bool,
}

/// What the server does with the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server waits for the next request.
    KeepAlive,
    /// The server shuts down its sending direction and reads until the client closes.
    Close,
    /// The server closes the socket; later bytes from the client are answered by a reset.
    Drop,
    /// The server resets the connection. Bytes that the client hasn't read yet may be lost.
    Reset,
    /// Nothing more happens until the server is dropped.
    Hold,
    /// The server connects to this address and copies bytes in both directions until either side ends, as a proxy does
    /// after CONNECT. TLS inside the tunnel is between client and origin.
    Tunnel(SocketAddr),
}

/// One step of sending an answer.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Bytes(Vec<u8>),
    Gate(Gate),
    Delay(Duration),
}

impl Answer {
    /// A response with this status, no headers of its own and an empty body.
    pub fn new(status: u16) -> Self {
        let head = Head { status, headers: Vec::new(), framing: Framing::Length(None), trailers: Vec::new() };
        Self { head: Some(head), ..Self::raw("") }
    }

    /// A response 200 with this body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200).body(body)
    }

    /// A redirect to `location`.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status).header("Location", location)
    }

    /// A proxy's successful response to CONNECT, followed by the tunnel to `target`.
    pub fn tunnel(target: SocketAddr) -> Self {
        // RFC 9110, 9.3.6: no Content-Length and no body in this one.
        Self::raw("HTTP/1.1 200 Connected\r\n\r\n").then(End::Tunnel(target))
    }

    /// Exactly these bytes; the connection stays open unless an end says otherwise.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            head: None,
            before: Vec::new(),
            body: bytes.into(),
            after: Vec::new(),
            cut_bytes: None,
            start_gates: Vec::new(),
            gates: Vec::new(),
            end_gate: None,
            drip: None,
            delay: Duration::ZERO,
            end: End::KeepAlive,
            close_notify: true,
        }
    }

    /// No bytes at all; the connection is held until the server is dropped.
    pub fn never() -> Self {
        Self::nothing(End::Hold)
    }

    /// No bytes, and this end. With [`End::Drop`] for the second request of a connection, the connection is stale.
    pub fn nothing(end: End) -> Self {
        Self::raw("").then(end)
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// On a raw answer, like all methods that change the head.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head_mut().headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Frames the body in chunks of these sizes in turn; the last size repeats. Zeros are ignored.
    #[track_caller]
    pub fn chunked(mut self, sizes: &[usize]) -> Self {
        let sizes = sizes.iter().copied().filter(|&size| size > 0).collect();
        self.head_mut().framing = Framing::Chunked(sizes);
        self
    }

    /// Adds a trailer after the last chunk.
    #[track_caller]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.head_mut().trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Delimits the body by closing the connection, without a length.
    #[track_caller]
    pub fn until_close(mut self) -> Self {
        self.head_mut().framing = Framing::UntilClose;
        self.then(End::Close)
    }

    /// Sends `len` as Content-Length, whatever the body's actual length.
    #[track_caller]
    pub fn claim_length(mut self, len: u64) -> Self {
        self.head_mut().framing = Framing::Length(Some(len));
        self
    }

    /// Sends these bytes before the response: interim responses, or garbage.
    pub fn preceded_by(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.before = bytes.into();
        self
    }

    /// Sends these bytes after the response.
    pub fn followed_by(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.after = bytes.into();
        self
    }

    /// Sends only the bytes before `offset`, then ends this way.
    pub fn cut_after(mut self, offset: usize, end: End) -> Self {
        self.cut_bytes = Some(offset);
        self.then(end)
    }

    /// Sets what happens to the connection afterwards. Defaults to [`End::KeepAlive`].
    pub fn then(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Sends `Connection: close` and closes.
    #[track_caller]
    pub fn close(self) -> Self {
        self.header("Connection", "close").then(End::Close)
    }

    /// Closes a TLS connection without close_notify, as a truncation attack would.
    pub fn without_close_notify(mut self) -> Self {
        self.close_notify = false;
        self
    }

    /// Waits at `gate` before the first byte.
    pub fn gate_at_start(mut self, gate: &Gate) -> Self {
        self.start_gates.push(gate.clone());
        self
    }

    /// Waits at `gate` after the bytes before `offset` were sent.
    pub fn gate_at(mut self, offset: usize, gate: &Gate) -> Self {
        self.gates.push((offset, gate.clone()));
        self
    }

    /// Waits at `gate` after the last byte, before the end. With [`End::Drop`], an idle connection becomes stale when
    /// the test opens the gate.
    pub fn gate_at_end(mut self, gate: &Gate) -> Self {
        self.end_gate = Some(gate.clone());
        self
    }

    /// Waits at `gate` before every piece of `piece_bytes`: a slow server whose pace the test sets.
    pub fn drip(mut self, piece_bytes: usize, gate: &Gate) -> Self {
        self.drip = Some((piece_bytes.max(1), gate.clone()));
        self
    }

    /// Waits `delay` before the first byte. This imitates the latency of a distant server and must not order events.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same bytes as a raw answer, so that offsets count from the first byte of the head.
    pub fn into_raw(mut self) -> Self {
        self.body = self.framed(false).concat();
        Self { head: None, before: Vec::new(), after: Vec::new(), ..self }
    }

    /// The end after this request; a connection with an unread body can't be reused.
    pub(crate) fn end_for(&self, request: &Request, body_was_read: bool) -> End {
        let must_close = request.wants_close() || !body_was_read;
        if self.end == End::KeepAlive && must_close { End::Close } else { self.end }
    }

    pub(crate) fn sends_close_notify(&self) -> bool {
        self.close_notify
    }

    /// The steps that send this answer to `request`.
    pub(crate) fn script(&self, request: &Request) -> Vec<Step> {
        let [start, rest] = self.framed(request.method == "HEAD");
        let rest = &rest[..rest.len().min(self.cut_bytes.unwrap_or(usize::MAX))];
        let mut steps: Vec<Step> = self.start_gates.iter().cloned().map(Step::Gate).collect();
        if !self.delay.is_zero() {
            steps.push(Step::Delay(self.delay));
        }
        steps.push(Step::Bytes(start));
        let mut sent = 0;
        for (offset, gate) in self.gates_within(rest.len()) {
            steps.push(Step::Bytes(rest[sent..offset].to_vec()));
            steps.push(Step::Gate(gate));
            sent = offset;
        }
        steps.push(Step::Bytes(rest[sent..].to_vec()));
        steps.extend(self.end_gate.clone().map(Step::Gate));
        steps.retain(|step| !matches!(step, Step::Bytes(bytes) if bytes.is_empty()));
        steps
    }

    fn gates_within(&self, len: usize) -> Vec<(usize, Gate)> {
        let mut gates: Vec<_> = self.gates.iter().filter(|(offset, _)| *offset <= len).cloned().collect();
        if let Some((piece_bytes, gate)) = &self.drip {
            gates.extend((0..len).step_by(*piece_bytes).map(|offset| (offset, gate.clone())));
        }
        gates.sort_by_key(|(offset, _)| *offset);
        gates
    }

    /// The bytes before offset 0 and the bytes from offset 0 on.
    fn framed(&self, is_head: bool) -> [Vec<u8>; 2] {
        let mut start = self.before.clone();
        let mut rest = Vec::new();
        match &self.head {
            None => rest.extend(&self.body),
            Some(head) => {
                start.extend(head.encode(self.body.len()));
                if !is_head {
                    head.encode_body(&self.body, &mut rest);
                }
            }
        }
        // In one write with the end of the response: no client can tell later bytes from the next response.
        let end = if rest.is_empty() { &mut start } else { &mut rest };
        end.extend(&self.after);
        [start, rest]
    }

    #[track_caller]
    fn head_mut(&mut self) -> &mut Head {
        self.head.as_mut().expect("a raw answer has no head to shape")
    }
}
