//! Bodies of responses: which of the bytes that come are data, and when it is whole.
//!
//! Owns: bodies of known length, until close, and absent; whether an end of the connection is an end of the
//! body.
//! Does not own: the chunked coding (see [`crate::chunked`]), content codings.
//!
//! Source: RFC 9112, section 6 (message body), 8 (incomplete messages), 9.8 (TLS closure).

use std::ops::Range;

use http::HeaderMap;

use crate::chunked::Chunked;
use crate::{Framing, Limits, ProtocolError};

/// What a body wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyState {
    /// All of the input was used; give me what comes next.
    NeedMore,
    /// Call again with `input[consumed..]`, which isn't empty.
    More,
    /// The body is whole. Bytes after `consumed` don't belong to this response.
    Complete,
}

/// One step of decoding. Nothing is copied: `data` is a part of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many bytes of the input are dealt with.
    pub consumed: usize,
    /// Which of them are body data; empty where a step only got past framing.
    pub data: Range<usize>,
    /// What to do next.
    pub state: BodyState,
}

/// Decodes one body. Holds no data, only the trailers if there are any.
///
/// Cost: one step for each run of data, whatever its length. Only framing bytes are looked at one by one.
#[derive(Clone, Debug)]
pub struct Body {
    kind: Kind,
    received_bytes: u64,
    /// Once set, every further step gives it again: a body in error can't recover by itself.
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
    /// Starts a body. [`Framing::None`] and [`Framing::Tunnel`] are complete at once: bytes that follow
    /// aren't theirs.
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        let kind = match framing {
            Framing::None | Framing::Tunnel => Kind::Length { left_bytes: 0, total_bytes: 0 },
            Framing::Length(bytes) => Kind::Length { left_bytes: bytes, total_bytes: bytes },
            Framing::UntilClose => Kind::UntilClose { closed: false },
            Framing::Chunked => Kind::Chunked(Chunked::new(limits)),
        };
        Self { kind, received_bytes: 0, failed: None }
    }

    /// Decodes the start of `input`, the bytes which weren't consumed yet. An empty `input` only asks for the
    /// state.
    ///
    /// # Errors
    ///
    /// Any [`ProtocolError`] about chunks and trailers; the same one, after the same data, however the input
    /// is split. The body is over then and never becomes complete.
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

    /// The peer closed the connection, or will never be heard again. Everything received must have been
    /// decoded before.
    ///
    /// `clean` says whether the transport ended in an orderly way: true for the end of a plain TCP stream;
    /// over TLS only after `close_notify`; false for a reset.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Incomplete`] where length or last chunk are missing (RFC 9112, section 8), and
    /// [`ProtocolError::UncleanClose`] where only the close could have ended the body and it wasn't clean
    /// (section 9.8).
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

    /// Whether all of the body was received. A body until close is complete only after [`Body::finish`].
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

    /// Data bytes that are known to follow before the next framing: the rest of the body or of the current
    /// chunk. `None` where that isn't known. A caller may read that many bytes straight to where they belong,
    /// and still pass them through [`Body::decode`].
    pub fn run_bytes(&self) -> Option<u64> {
        match &self.kind {
            Kind::Length { left_bytes, .. } => Some(*left_bytes),
            Kind::UntilClose { .. } => None,
            Kind::Chunked(chunked) => chunked.run_bytes(),
        }
    }

    /// The trailer section, once the body is complete and if it has one. Never merged into the headers: no
    /// sender can vouch there for framing, routing or authentication (RFC 9110, section 6.5.1).
    pub fn trailers(&self) -> Option<&HeaderMap> {
        match &self.kind {
            Kind::Chunked(chunked) => chunked.trailers(),
            Kind::Length { .. } | Kind::UntilClose { .. } => None,
        }
    }
}
