//! Bodies that nobody needs: those of redirects, errors and answers that change nothing.
//!
//! Reading such a body to its end keeps its connection usable. That is worth it only if the body is short and nearly
//! there; otherwise a new connection is cheaper, and the server may never end the body at all.
//!
//! Owns: which of these bodies are read, and for how long.
//! Does not own: bodies that are needed ([`crate::transfer::receive`]), whether a connection is reusable
//! ([`crate::transfer::answered`]).

use std::time::Duration;

use haul_http1::{Body, BodyState, Framing};
use haul_io::Io;

use crate::transfer::attempt::Attempt;
use crate::transfer::exchange::Answered;
use crate::transfer::receive::Received;
use crate::{Error, Request, Response};

/// The longest body that is read, and the most bytes of framing around a chunked one.
const BYTES_MAX: u64 = 64 * 1024;
/// The longest beginning of the body of a failed request that is kept.
const STATUS_BODY_BYTES_MAX: usize = 8 * 1024;
/// How long to wait for its end: about what a new connection costs.
const TIME_MAX: Duration = Duration::from_millis(150);

/// The beginning of a body.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Kept {
    fn take(&mut self, piece: &[u8]) {
        let room = self.bytes_max - self.bytes.len();
        self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= self.bytes_max
    }
}

impl<I: Io> Attempt<'_, I> {
    /// Reads the body of `answered`, to reuse the connection. If it is long or late, or ends only with the connection,
    /// the connection is closed instead.
    pub(crate) async fn drain(&self, request: &Request, answered: Answered) {
        self.drain_into(request, answered, &mut Kept::default()).await;
    }

    /// The error of the status of `answered`, with the head and the beginning of the body.
    pub(crate) async fn status_error(&self, request: &Request, answered: Answered) -> Error {
        let head = answered.head.clone();
        let mut kept = Kept { bytes: Vec::new(), bytes_max: STATUS_BODY_BYTES_MAX };
        Box::pin(self.drain_into(request, answered, &mut kept)).await;
        let (body_bytes, body) = (kept.bytes.len() as u64, kept.bytes);
        Error::Status(Box::new(Response { body, body_bytes, ..self.response(request, head) }))
    }

    /// As [`Attempt::drain`], and keeps the beginning of the body, even of one that is long.
    async fn drain_into(&self, request: &Request, answered: Answered, kept: &mut Kept) {
        let is_short = match answered.head.framing {
            Framing::None | Framing::Chunked => true,
            Framing::Length(bytes) => bytes <= BYTES_MAX,
            Framing::UntilClose | Framing::Tunnel => false,
        };
        if !is_short && kept.is_full() {
            return;
        }
        if let Some(received) = Box::pin(self.discard(answered, is_short, kept)).await {
            self.keep(request, received);
        }
    }

    /// Discards the body of `answered` but for what is `kept`; `None` if it didn't end in time or within the limit, or
    /// needn't be read to its end.
    async fn discard(&self, answered: Answered, to_end: bool, kept: &mut Kept) -> Option<Received> {
        let Answered { mut connection, head, mut input, request_sent, .. } = answered;
        let mut body = Body::new(head.framing, &self.config().limits);
        let wait = self.wait(TIME_MAX).ok()?.at_most_until(self.io.now() + TIME_MAX);
        let mut bytes = 0;
        loop {
            let step = body.decode(input.filled()).ok()?;
            kept.take(&input.filled()[step.data.clone()]);
            input.consume(step.consumed);
            if !to_end && kept.is_full() {
                return None;
            }
            bytes += step.consumed as u64;
            match step.state {
                BodyState::Complete => break,
                _ if bytes > BYTES_MAX => return None,
                BodyState::More => {}
                BodyState::NeedMore => {
                    wait.check(self.io.now()).ok()?;
                    input.compact();
                    let (received, back) = connection.receive(self.io, input, wait).await;
                    input = back;
                    if received.ok()? == 0 {
                        return None;
                    }
                }
            }
        }
        let leftover_bytes = input.filled().len();
        self.io.give_buf(input);
        Some(Received { connection, head, body, leftover_bytes, request_sent })
    }
}
