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

use crate::Request;
use crate::transfer::attempt::Attempt;
use crate::transfer::exchange::Answered;
use crate::transfer::receive::Received;

/// The longest body that is read, and the most bytes of framing around a chunked one.
const BYTES_MAX: u64 = 64 * 1024;
/// How long to wait for its end: about what a new connection costs.
const TIME_MAX: Duration = Duration::from_millis(150);

impl<I: Io> Attempt<'_, I> {
    /// Reads the body of `answered`, to reuse the connection. If it is long or late, or ends only with the connection,
    /// the connection is closed instead.
    pub(crate) async fn drain(&self, request: &Request, answered: Answered) {
        let is_short = match answered.head.framing {
            Framing::None | Framing::Chunked => true,
            Framing::Length(bytes) => bytes <= BYTES_MAX,
            Framing::UntilClose | Framing::Tunnel => false,
        };
        if is_short && let Some(received) = Box::pin(self.discard(answered)).await {
            self.keep(request, received);
        }
    }

    /// Discards the body of `answered`; `None` if it didn't end in time or within the limit.
    async fn discard(&self, answered: Answered) -> Option<Received> {
        let Answered { mut connection, head, mut input, request_sent, .. } = answered;
        let mut body = Body::new(head.framing, &self.config().limits);
        let wait = self.wait(TIME_MAX).ok()?.at_most_until(self.io.now() + TIME_MAX);
        let mut bytes = 0;
        loop {
            let step = body.decode(input.filled()).ok()?;
            input.consume(step.consumed);
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
