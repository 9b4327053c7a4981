//! One request and the head of its response, on one connection.
//!
//! Owns: receiving heads, including those that arrive before the request was sent; waiting for 100 (Continue).
//! Does not own: the choice of the connection ([`crate::transfer::answered`]), sending ([`crate::transfer::send`]),
//! bodies ([`crate::transfer::receive`]).
//!
//! Source: RFC 9110, section 10.1.1 (Expect); RFC 9112, section 9.5 (responses to incomplete requests).

use std::time::Duration;

use haul_http1::{Authority, Exchange, Head, ProtocolError, ResponseHead};
use haul_io::{Buf, Io};
use http::StatusCode;

use crate::client::details;
use crate::route::connection::Connection;
use crate::transfer::attempt::Attempt;
use crate::transfer::send::{Outgoing, Sent};
use crate::{Error, Phase, Request};

/// Bytes that are received at a time; more than any head.
const INPUT_BYTES: usize = 128 * 1024;

/// Why there is no head, and whether a response had begun.
pub(crate) struct NoHead {
    pub(crate) error: Error,
    pub(crate) response_begun: bool,
}

impl NoHead {
    /// Whether the connection is at fault: it broke, or it carried bytes that are no response, left over from an
    /// earlier exchange.
    pub(crate) fn is_broken(&self) -> bool {
        match &self.error {
            Error::Transport(_) => true,
            Error::Protocol(error) => error.is_truncation() || *error == ProtocolError::NotHttp,
            _ => false,
        }
    }
}

/// A response whose body has not been read, and its connection.
pub(crate) struct Answered {
    pub(crate) connection: Connection,
    pub(crate) head: ResponseHead,
    /// Bytes received after the head.
    pub(crate) input: Buf,
    /// Whether the whole request had been sent before.
    pub(crate) request_sent: bool,
    /// Whether the request said that its body waits for 100 (Continue).
    pub(crate) expected_continue: bool,
}

impl<I: Io> Attempt<'_, I> {
    /// Sends `request` on `connection` and receives the head of the response. With `expects_continue`, a body waits for
    /// 100 (Continue).
    pub(crate) async fn ask(
        &self,
        connection: Connection,
        request: &Request,
        authority: &Authority,
        expects_continue: bool,
    ) -> Result<Answered, NoHead> {
        let unanswered = |error| NoHead { error, response_begun: false };
        let outgoing = Outgoing::open(self, connection.route(), request, authority, expects_continue).await;
        let mut outgoing = outgoing.map_err(unanswered)?;
        self.config().observer.tell_detail(|| details::sent(&request.url, outgoing.head()));
        let mut incoming = Incoming::start(self, connection, request);
        let expected_continue = outgoing.expects_continue();
        if expected_continue {
            match incoming.wait_for_continue(&mut outgoing).await {
                Ok(None) => {}
                // RFC 9110 section 10.1.1: a server that has answered doesn't want the body.
                Ok(Some(head)) => {
                    outgoing.put_back(request);
                    return Ok(incoming.answered(head, false, expected_continue));
                }
                Err(error) => {
                    outgoing.put_back(request);
                    return Err(incoming.no_head(error));
                }
            }
        }
        let sent = match outgoing.send(self, &mut incoming.connection).await {
            Ok(sent) => sent,
            Err(error) => return Err(incoming.no_head(error)),
        };
        match (sent, incoming.head().await) {
            (Sent::Whole, Ok(head)) => Ok(incoming.answered(head, true, expected_continue)),
            (Sent::Whole, Err(error)) => Err(incoming.no_head(error)),
            // RFC 9112 section 9.5: a server that stopped reading may have said why.
            (Sent::Partly(_), Ok(head)) => Ok(incoming.answered(head, false, expected_continue)),
            (Sent::Partly(error), Err(_)) => Err(incoming.no_head(error)),
        }
    }
}

/// What arrives for one request, up to the final head.
struct Incoming<'a, I> {
    attempt: &'a Attempt<'a, I>,
    connection: Connection,
    exchange: Exchange,
    input: Buf,
}

/// What the received bytes begin with.
enum Parsed {
    NeedMore,
    /// 100 (Continue).
    Continue,
    Final(ResponseHead),
}

impl<'a, I: Io> Incoming<'a, I> {
    fn start(attempt: &'a Attempt<'a, I>, connection: Connection, request: &Request) -> Self {
        let limits = attempt.config().limits;
        let input = attempt.io.take_buf(INPUT_BYTES.max(limits.head_bytes_max));
        let exchange = Exchange::new(&request.method, limits);
        Self { attempt, connection, exchange, input }
    }

    fn answered(self, head: ResponseHead, request_sent: bool, expected_continue: bool) -> Answered {
        let Self { connection, input, .. } = self;
        Answered { connection, head, input, request_sent, expected_continue }
    }

    fn no_head(&self, error: Error) -> NoHead {
        NoHead { error, response_begun: self.exchange.has_begun(self.input.filled()) }
    }

    /// Sends the head of `outgoing` and waits for 100 (Continue). Returns the final head if the server sends that
    /// instead. A server that stays silent may not know of expectations, so that the body is sent after a while.
    async fn wait_for_continue(&mut self, outgoing: &mut Outgoing) -> Result<Option<ResponseHead>, Error> {
        outgoing.send_head(self.attempt, &mut self.connection).await?;
        let deadline = self.attempt.io.now() + self.attempt.config().expect_timeout;
        loop {
            match self.parse()? {
                Parsed::Continue => return Ok(None),
                Parsed::Final(head) => return Ok(Some(head)),
                Parsed::NeedMore => {}
            }
            let left = deadline.saturating_sub(self.attempt.io.now());
            if left.is_zero() {
                return Ok(None);
            }
            match self.receive(deadline).await {
                Err(Error::Timeout(Phase::Transfer)) => return Ok(None),
                received => received?,
            }
        }
    }

    /// Receives the final head.
    async fn head(&mut self) -> Result<ResponseHead, Error> {
        let deadline = self.attempt.io.now() + self.attempt.config().head_timeout;
        loop {
            match self.parse()? {
                Parsed::Final(head) => return Ok(head),
                Parsed::Continue => {}
                Parsed::NeedMore => {
                    self.receive(deadline).await?;
                }
            }
        }
    }

    /// Receives more bytes, until `deadline` at most; the end of the connection is an error.
    async fn receive(&mut self, deadline: Duration) -> Result<(), Error> {
        let wait = self.attempt.wait(self.attempt.clock.read_timeout)?.at_most_until(deadline);
        self.input.compact();
        let input = std::mem::replace(&mut self.input, Vec::new().into());
        let (received, input) = self.connection.receive(self.attempt.io, input, wait).await;
        self.input = input;
        let judged = |error| self.attempt.judge(Error::transport(error, Phase::Transfer));
        match received.map_err(judged)? {
            0 => Err(self.exchange.closed(self.input.filled()).into()),
            _ => Ok(()),
        }
    }

    /// Parses the next head. Interim heads other than 100 (Continue) are dropped.
    fn parse(&mut self) -> Result<Parsed, Error> {
        loop {
            match self.exchange.head(self.input.filled())? {
                Head::NeedMore => return Ok(Parsed::NeedMore),
                Head::Interim { status, len, .. } => {
                    self.input.consume(len);
                    if status == StatusCode::CONTINUE {
                        return Ok(Parsed::Continue);
                    }
                }
                Head::Complete { response, len, .. } => {
                    self.input.consume(len);
                    return Ok(Parsed::Final(response));
                }
            }
        }
    }
}
