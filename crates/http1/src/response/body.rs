//! Response bodies: which of the received bytes are data, and when the body is complete.
//!
//! Owns: bodies of known length, bodies until close, and absent ones; whether the end of the connection ends the body.
//! Does not own: the chunked coding (see `chunked.rs`), content codings.
//!
//! Source: RFC 9112, section 6 (message body), 8 (incomplete messages), 9.8 (TLS closure).

use http::HeaderMap;

use super::chunked::Chunked;
use super::framing::Framing;
use super::step::{BodyState, Step};
use crate::error::ProtocolError;
use crate::limits::Limits;

/// Decodes one body. It buffers no data except trailers.
///
/// Cost: one step for each run of data, whatever its length. Only framing bytes are examined one by one.
#[derive(Clone, Debug)]
pub struct Body {
    kind: Kind,
    received_bytes: u64,
    /// The error of an earlier step, which every further step returns again: a failed body can't recover.
    failed: Option<ProtocolError>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Invariant: `left_bytes <= total_bytes`.
    Length {
        left_bytes: u64,
        total_bytes: u64,
    },
    UntilClose {
        closed: bool,
    },
    Chunked(Chunked),
}

impl Body {
    /// Starts a body. With [`Framing::None`] and [`Framing::Tunnel`] it is complete at once: the following bytes don't
    /// belong to it.
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        let kind = match framing {
            Framing::None | Framing::Tunnel => Kind::Length { left_bytes: 0, total_bytes: 0 },
            Framing::Length(bytes) => Kind::Length { left_bytes: bytes, total_bytes: bytes },
            Framing::UntilClose => Kind::UntilClose { closed: false },
            Framing::Chunked => Kind::Chunked(Chunked::new(limits)),
        };
        Self { kind, received_bytes: 0, failed: None }
    }

    /// Decodes the start of `input`, which holds the bytes not consumed so far. An empty `input` only queries the
    /// state.
    ///
    /// # Errors
    ///
    /// Any [`ProtocolError`] about chunks and trailers. The error and the data before it don't depend on how the
    /// input is split. The body has failed then and never becomes complete.
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let step = match &mut self.kind {
            Kind::Chunked(chunked) => {
                chunked.decode(input).inspect_err(|error| self.failed = Some(error.clone()))?
            }
            Kind::Length { left_bytes, .. } => {
                let len = usize::try_from(*left_bytes).map_or(input.len(), |left| left.min(input.len()));
                *left_bytes -= len as u64;
                let state = if *left_bytes == 0 { BodyState::Complete } else { BodyState::NeedMore };
                Step { consumed: len, data: 0..len, state }
            }
            Kind::UntilClose { closed: true } => Step { consumed: 0, data: 0..0, state: BodyState::Complete },
            Kind::UntilClose { closed: false } => {
                Step { consumed: input.len(), data: 0..input.len(), state: BodyState::NeedMore }
            }
        };
        self.received_bytes += step.data.len() as u64;
        Ok(step)
    }

    /// Ends the input, because the peer closed the connection or stopped responding. Decode all received bytes first.
    ///
    /// `clean` says whether the transport ended in an orderly way:
    ///
    /// | transport | `clean` |
    /// |---|---|
    /// | TCP, end of stream | true |
    /// | TLS, after `close_notify` | true |
    /// | TLS, end of stream alone | false |
    /// | any, reset or timeout | false |
    ///
    /// # Errors
    ///
    /// - [`ProtocolError::Incomplete`] if bytes or the last chunk are missing (RFC 9112, section 8).
    /// - [`ProtocolError::UncleanClose`] if the body lasts until close and the close wasn't clean (section 9.8).
    pub fn finish(&mut self, clean: bool) -> Result<(), ProtocolError> {
        let received_bytes = self.received_bytes;
        match &mut self.kind {
            Kind::Length { left_bytes: 0, .. } => Ok(()),
            Kind::Length { total_bytes, .. } => {
                Err(ProtocolError::Incomplete { received_bytes, expected_bytes: Some(*total_bytes) })
            }
            Kind::Chunked(chunked) if chunked.is_complete() => Ok(()),
            Kind::Chunked(_) => Err(ProtocolError::Incomplete { received_bytes, expected_bytes: None }),
            Kind::UntilClose { closed: false } if !clean => {
                Err(ProtocolError::UncleanClose { received_bytes })
            }
            Kind::UntilClose { closed } => {
                *closed = true;
                Ok(())
            }
        }
    }

    /// Whether the whole body was received. A body until close is complete only after [`Body::finish`].
    pub fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::Length { left_bytes, .. } => *left_bytes == 0,
            Kind::UntilClose { closed } => *closed,
            Kind::Chunked(chunked) => chunked.is_complete(),
        }
    }

    /// Data bytes decoded so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// The number of data bytes before the next framing byte: the remainder of the body or of the current chunk.
    /// `None` if that is unknown. A caller may read that many bytes directly to their destination, and must still
    /// pass them through [`Body::decode`] or, if the length is known, [`Body::skip`].
    pub fn run_bytes(&self) -> Option<u64> {
        match &self.kind {
            Kind::Length { left_bytes, .. } => Some(*left_bytes),
            Kind::UntilClose { .. } => None,
            Kind::Chunked(chunked) => chunked.run_bytes(),
        }
    }

    /// Counts the next `bytes` data bytes, which went to their destination without [`Body::decode`].
    ///
    /// # Panics
    ///
    /// If the length of the body isn't known, or fewer bytes are left.
    pub fn skip(&mut self, bytes: u64) {
        let Kind::Length { left_bytes, .. } = &mut self.kind else { panic!("the body has no known length") };
        *left_bytes = left_bytes.checked_sub(bytes).expect("the body is shorter");
        self.received_bytes += bytes;
    }

    /// The trailer section, once the body is complete; `None` if it has none. It is never merged into the headers, as
    /// trailers must not affect framing, routing or authentication (RFC 9110, section 6.5.1).
    pub fn trailers(&self) -> Option<&HeaderMap> {
        match &self.kind {
            Kind::Chunked(chunked) => chunked.trailers(),
            Kind::Length { .. } | Kind::UntilClose { .. } => None,
        }
    }
}
