//! The body of a response, from the connection to where it lands.
//!
//! Owns: receiving, undoing framing and content codings piece by piece, the limit on the length.
//! Does not own: heads ([`crate::exchange`]), the codings ([`crate::coding`]), what a body is good for.

use std::io::ErrorKind;
use std::time::Duration;

use haul_http1::{Body, BodyState, Framing, ResponseHead};
use haul_io::{Buf, Io};

use crate::coding::{Decoding, Went};
use crate::connection::Connection;
use crate::exchange::{Answered, Clock};
use crate::landing::Landing;
use crate::pace::{Share, Slowness};
use crate::{Error, Phase};

/// Bytes that are decoded at a time.
const DECODED_BYTES: usize = 128 * 1024;
/// What encoding may add to the length of a body.
const ENCODING_ADDS_BYTES_MAX: u64 = 1 << 20;

/// How a response ended.
pub(crate) struct Received {
    pub(crate) head: ResponseHead,
    /// The decoder, which knows how the body ended.
    pub(crate) body: Body,
    /// Bytes behind it.
    pub(crate) leftover_bytes: usize,
    pub(crate) request_sent: bool,
}

/// Receives the body into `landing`, behind what is there, undoing its content codings by `decoding`.
pub(crate) async fn receive_body(
    io: &impl Io,
    connection: &mut Connection,
    answered: Answered,
    mut decoding: Option<Decoding>,
    landing: &mut Landing,
    clock: Clock<'_>,
) -> Result<Received, Error> {
    let Answered { head, mut input, request_sent, .. } = answered;
    if decoding.is_none() {
        check_announced(&head, landing, clock)?;
    }
    let mut body = Body::new(head.framing, &clock.config.limits);
    let mut share = clock.throttle.share(io.now());
    let mut slowness = Slowness::new(clock.config.rate_min, clock.config.rate_min_window);
    loop {
        let step = body.decode(input.filled())?;
        let trailing = step.consumed - step.data.end;
        input.consume(step.data.start);
        if !step.data.is_empty() {
            let (taken, back) = take(io, input, step.data.len(), decoding.as_mut(), landing, clock).await;
            input = back;
            taken?;
            io.progress((step.data.len() - landing.surplus()) as u64);
            keep_to(io, &mut share, step.data.len(), clock).await?;
        }
        if landing.is_full() {
            break;
        }
        input.consume(trailing);
        match step.state {
            BodyState::Complete => break,
            BodyState::More => {}
            BodyState::NeedMore => {
                let (count, back) = receive_more(io, connection, input, &mut slowness, clock).await?;
                input = back;
                if count == 0 {
                    body.finish(connection.ended_cleanly())?;
                    break;
                }
            }
        }
    }
    if let Some(decoding) = &mut decoding {
        decode(io, &[], decoding, landing, clock).await?;
        decoding.finish()?;
    }
    let leftover_bytes = input.filled().len();
    io.give_buf(input);
    Ok(Received { head, body, leftover_bytes, request_sent })
}

pub(crate) fn check_announced(head: &ResponseHead, landing: &Landing, clock: Clock<'_>) -> Result<(), Error> {
    let Framing::Length(bytes) = head.framing else { return Ok(()) };
    let bytes = landing.bytes().saturating_add(bytes);
    check_length(bytes, clock.config.body_bytes_max)?;
    landing.check_room(bytes)
}

/// Takes the first `count` filled bytes of `input`.
async fn take(
    io: &impl Io,
    mut input: Buf,
    count: usize,
    decoding: Option<&mut Decoding>,
    landing: &mut Landing,
    clock: Clock<'_>,
) -> (Result<(), Error>, Buf) {
    let Some(decoding) = decoding else {
        let bytes = landing.bytes() + count as u64;
        return match check_length(bytes, clock.config.body_bytes_max) {
            Ok(()) => landing.take(io, input, count).await,
            Err(error) => (Err(error), input),
        };
    };
    let piece = &input.filled()[..count];
    landing.see_encoded(piece);
    let decoded = decode(io, piece, decoding, landing, clock).await;
    input.consume(count);
    (decoded, input)
}

/// Decodes all of `piece` into `landing`.
async fn decode(
    io: &impl Io,
    mut piece: &[u8],
    decoding: &mut Decoding,
    landing: &mut Landing,
    clock: Clock<'_>,
) -> Result<(), Error> {
    let bytes_max = clock.config.body_bytes_max;
    loop {
        let mut decoded = io.take_buf(DECODED_BYTES);
        let went = decoding.step(piece, decoded.spare_mut())?;
        decoded.commit(went.made);
        piece = &piece[went.taken..];
        check_length(landing.bytes() + went.made as u64, bytes_max)?;
        let encoded_bytes_max = bytes_max.map(|bytes| bytes.saturating_add(ENCODING_ADDS_BYTES_MAX));
        check_length(decoding.encoded_bytes(), encoded_bytes_max)?;
        if went.made > 0 {
            let (taken, back) = landing.take(io, decoded, went.made).await;
            decoded = back;
            taken?;
        }
        io.give_buf(decoded);
        if went == Went::default() {
            return Ok(());
        }
        io.yield_now().await;
    }
}
async fn receive_more(
    io: &impl Io,
    connection: &mut Connection,
    mut input: Buf,
    slowness: &mut Slowness,
    clock: Clock<'_>,
) -> Result<(usize, Buf), Error> {
    input.compact();
    let timeout = clock.step(io, clock.read_timeout)?;
    let mut silent = Duration::ZERO;
    loop {
        let left = timeout.saturating_sub(silent);
        let patience = slowness.patience().unwrap_or(left).min(left);
        let started = io.now();
        let (received, back) = connection.receive(io, input, patience).await;
        input = back;
        match received {
            Ok(count) => {
                slowness.measure(io.now() - started, count)?;
                return Ok((count, input));
            }
            Err(error) if patience < left && error.kind() == ErrorKind::TimedOut => {
                slowness.measure(patience, 0)?;
                silent += patience;
            }
            Err(error) => return Err(clock.judge(io, Error::transport(error, Phase::Transfer))),
        }
    }
}

/// Pauses after `count` bytes as the limited rate asks.
async fn keep_to(io: &impl Io, share: &mut Share<'_>, count: usize, clock: Clock<'_>) -> Result<(), Error> {
    let pause = share.pause(io.now(), count);
    if pause.is_zero() {
        return Ok(());
    }
    let slept = io.sleep(clock.step(io, pause)?).await;
    slept.map_err(|error| Error::transport(error, Phase::Total))
}

fn check_length(bytes: u64, bytes_max: Option<u64>) -> Result<(), Error> {
    match bytes_max {
        Some(bytes_max) if bytes > bytes_max => Err(Error::TooLarge { bytes_max }),
        _ => Ok(()),
    }
}
