//! Receiving the body of a response.
//!
//! Owns: undoing framing and content codings piece by piece, the limits on length and speed.
//! Does not own: heads ([`crate::transfer::exchange`]), the codings ([`crate::body::coding`]), what becomes of the
//! content ([`crate::body::receiver`]).

use std::io::ErrorKind;
use std::time::Duration;

use haul_http1::{Body, BodyState, Framing, ResponseHead};
use haul_io::{Buf, Io};

use crate::body::coding::decoding::Decoding;
use crate::body::receiver::Receiver;
use crate::route::connection::Connection;
use crate::transfer::attempt::Attempt;
use crate::transfer::bulk::Bulk;
use crate::transfer::exchange::Answered;
use crate::transfer::pace::{Share, Slowness};
use crate::{Error, Phase, TransferEvent};

/// Bytes that are decoded at a time.
const DECODED_BYTES: usize = 128 * 1024;
/// No file, and no other result, can be longer.
const FILE_BYTES_MAX: u64 = i64::MAX as u64;
/// How much longer than the body its encoded form may be.
const ENCODING_ADDS_BYTES_MAX: u64 = 1 << 20;

/// A response whose body was received, or as much of it as was needed.
pub(crate) struct Received {
    pub(crate) connection: Connection,
    pub(crate) head: ResponseHead,
    /// The state of the framing, which shows how the body ended.
    pub(crate) body: Body,
    /// Bytes received after the body.
    pub(crate) leftover_bytes: usize,
    pub(crate) request_sent: bool,
}

impl<I: Io> Attempt<'_, I> {
    /// Receives the body of `answered` into `receiver`, decoded by `decoding`.
    pub(crate) async fn receive_body(
        &self,
        answered: Answered,
        mut decoding: Option<Decoding>,
        receiver: &mut impl Receiver,
    ) -> Result<Received, Error> {
        let Answered { mut connection, head, mut input, request_sent, .. } = answered;
        if decoding.is_none() {
            self.check_announced(&head, receiver)?;
        }
        let config = self.config();
        let mut body = Body::new(head.framing, &config.limits);
        let mut share = self.shared.throttle.share(self.io.now());
        let mut slowness = Slowness::new(config.rate_min, config.rate_min_window);
        // Large pieces would make a limited rate uneven.
        let may_grow = decoding.is_none() && config.rate_max.is_none() && receiver.takes_large_pieces();
        let mut bulk = Bulk::new(self, head.framing, may_grow);
        loop {
            let step = body.decode(input.filled())?;
            let trailing = step.consumed - step.data.end;
            input.consume(step.data.start);
            if !step.data.is_empty() {
                let count = step.data.len();
                let (taken, back) = self.take(input, count, decoding.as_mut(), receiver).await;
                input = back;
                taken?;
                self.note_arrived(count - receiver.surplus());
                self.pause_for_rate(&mut share, count).await?;
            }
            if receiver.is_full() {
                break;
            }
            input.consume(trailing);
            match step.state {
                BodyState::Complete => break,
                BodyState::More => {}
                BodyState::NeedMore => {
                    if input.filled().is_empty() {
                        let was_full = step.consumed == input.capacity();
                        let begun = self.io.now();
                        let (moved, back) =
                            bulk.advance(&connection, &mut body, receiver, input, was_full).await;
                        input = back;
                        match moved? {
                            0 => {}
                            count => {
                                slowness.measure(self.io.now() - begun, count)?;
                                self.note_arrived(count);
                                continue;
                            }
                        }
                    }
                    let (count, back) = self.receive_more(&mut connection, input, &mut slowness).await?;
                    input = back;
                    if count == 0 {
                        body.finish(connection.ended_cleanly())?;
                        break;
                    }
                }
            }
        }
        if let Some(decoding) = &mut decoding {
            Box::pin(self.decode(&[], decoding, receiver)).await?;
            decoding.finish()?;
        }
        let leftover_bytes = input.filled().len();
        self.io.give_buf(input);
        Ok(Received { connection, head, body, leftover_bytes, request_sent })
    }

    /// `bytes` more bytes of the body have arrived.
    fn note_arrived(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.io.progress(bytes);
        self.tell(&TransferEvent::Received { bytes });
    }

    /// Checks that a body with the length in `head` is acceptable.
    pub(crate) fn check_announced(&self, head: &ResponseHead, receiver: &impl Receiver) -> Result<(), Error> {
        let Framing::Length(bytes) = head.framing else { return Ok(()) };
        let bytes = receiver.bytes().saturating_add(bytes);
        check_length(bytes, self.config().body_bytes_max)?;
        check_length(bytes, Some(FILE_BYTES_MAX))?;
        receiver.check_room(bytes)
    }

    /// Passes the first `count` filled bytes of `input` on to `receiver`.
    async fn take(
        &self,
        mut input: Buf,
        count: usize,
        decoding: Option<&mut Decoding>,
        receiver: &mut impl Receiver,
    ) -> (Result<(), Error>, Buf) {
        let Some(decoding) = decoding else {
            let bytes = receiver.bytes() + count as u64;
            return match check_length(bytes, self.config().body_bytes_max) {
                Ok(()) => receiver.take(self.io, input, count).await,
                Err(error) => (Err(error), input),
            };
        };
        let piece = &input.filled()[..count];
        receiver.see_encoded(piece);
        let decoded = Box::pin(self.decode(piece, decoding, receiver)).await;
        input.consume(count);
        (decoded, input)
    }

    /// Decodes all of `piece` into `receiver`.
    async fn decode(
        &self,
        mut piece: &[u8],
        decoding: &mut Decoding,
        receiver: &mut impl Receiver,
    ) -> Result<(), Error> {
        let bytes_max = self.config().body_bytes_max;
        loop {
            let mut decoded = self.io.take_buf(DECODED_BYTES);
            let step = decoding.step(piece, decoded.spare_mut())?;
            decoded.commit(step.made);
            piece = &piece[step.taken..];
            check_length(receiver.bytes() + step.made as u64, bytes_max)?;
            let encoded_bytes_max = bytes_max.map(|bytes| bytes.saturating_add(ENCODING_ADDS_BYTES_MAX));
            check_length(decoding.encoded_bytes(), encoded_bytes_max)?;
            if step.made > 0 {
                let (taken, back) = receiver.take(self.io, decoded, step.made).await;
                decoded = back;
                taken?;
            }
            self.io.give_buf(decoded);
            if step.is_idle() {
                return Ok(());
            }
            self.io.yield_now().await;
        }
    }

    async fn receive_more(
        &self,
        connection: &mut Connection,
        mut input: Buf,
        slowness: &mut Slowness,
    ) -> Result<(usize, Buf), Error> {
        input.compact();
        let timeout = self.clock.read_timeout;
        let mut silent = Duration::ZERO;
        loop {
            let left = self.limit(timeout.saturating_sub(silent))?;
            let window = slowness.time_left().filter(|window| *window < left);
            let started = self.io.now();
            let mut wait = self.wait(left)?;
            if let Some(window) = window {
                wait = wait.at_most_until(started.saturating_add(window));
            }
            let (received, back) = connection.receive(self.io, input, wait).await;
            input = back;
            match received {
                Ok(count) => {
                    slowness.measure(self.io.now() - started, count)?;
                    return Ok((count, input));
                }
                Err(error) => {
                    if let Some(window) = window
                        && error.kind() == ErrorKind::TimedOut
                    {
                        slowness.measure(window, 0)?;
                        silent += window;
                        continue;
                    }
                    return Err(self.judge(Error::transport(error, Phase::Transfer)));
                }
            }
        }
    }

    /// Pauses after `count` bytes, as the rate limit demands.
    async fn pause_for_rate(&self, share: &mut Share<'_>, count: usize) -> Result<(), Error> {
        let pause = share.pause(self.io.now(), count);
        if pause.is_zero() {
            return Ok(());
        }
        let slept = self.io.sleep(self.limit(pause)?).await;
        slept.map_err(|error| Error::transport(error, Phase::Total))
    }
}

fn check_length(bytes: u64, bytes_max: Option<u64>) -> Result<(), Error> {
    match bytes_max {
        Some(bytes_max) if bytes > bytes_max => Err(Error::TooLarge { bytes_max }),
        _ => Ok(()),
    }
}
