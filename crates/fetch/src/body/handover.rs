//! The hand-over of a body, piece by piece, from a transfer to a reader.
//!
//! Both ends share one slot for one piece. The transfer is suspended while the slot is full; the reader polls the
//! transfer while the slot is empty.
//!
//! Owns: the slot.
//! Does not own: polling the transfer ([`crate::client::reader`]).

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use haul_io::Buf;

use crate::Response;

/// One end of a hand-over; clones share the slot.
#[derive(Clone, Default)]
pub(crate) struct Handover(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    response: Option<Response>,
    piece: Option<Piece>,
    has_begun: bool,
}

/// Bytes of the body.
struct Piece {
    buf: Buf,
    /// How many of the filled bytes the reader still has to read.
    unread: usize,
}

impl Handover {
    /// Announces the response whose body follows.
    pub(crate) fn announce(&self, response: &Response) {
        self.lock().response = Some(response.clone());
    }

    /// The response that was announced, once.
    pub(crate) fn take_response(&self) -> Option<Response> {
        self.lock().response.take()
    }

    /// Hands over the first `count` filled bytes of `buf`; ready when they have been read.
    pub(crate) async fn take(&self, buf: Buf, count: usize) -> Buf {
        {
            let mut slot = self.lock();
            slot.has_begun |= count > 0;
            slot.piece = Some(Piece { buf, unread: count });
        }
        poll_fn(|_| self.lock().take_back().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Whether nothing has been handed over, so that another response may still replace this one.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.lock().has_begun
    }

    /// Reads bytes of the current piece into `out`; `None` if none are left.
    pub(crate) fn read(&self, out: &mut [u8]) -> Option<usize> {
        self.lock().read(out)
    }

    /// No foreign code runs under this lock, so a poisoned state is still consistent.
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn read(&mut self, out: &mut [u8]) -> Option<usize> {
        let piece = self.piece.as_mut().filter(|piece| piece.unread > 0)?;
        let count = out.len().min(piece.unread);
        out[..count].copy_from_slice(&piece.buf.filled()[..count]);
        piece.buf.consume(count);
        piece.unread -= count;
        Some(count)
    }

    fn take_back(&mut self) -> Option<Buf> {
        self.piece.take_if(|piece| piece.unread == 0).map(|piece| piece.buf)
    }
}
