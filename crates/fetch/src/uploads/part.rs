//! Parts of an upload that arrives in segments: each lane collects whole parts and sends them, in any order.
//!
//! A lane reserves a part of its span only when it has all of its bytes. What it holds of one that is cut short is
//! dropped, and requested again: so no part is sent, and no chunk encoded, with bytes of two responses that don't
//! belong together.
//!
//! Owns: the places of parts, encoding a complete part.
//! Does not own: which bytes are requested (`segments::spans`), requests under way ([`super::running`]).

use std::sync::Arc;

use haul_io::{ChunkedFile, Io};
use zeroize::Zeroizing;

use crate::Error;
use crate::segments::spans::SpanClaim;
use crate::uploads::permits::{PartPermit, PartPermits};
use crate::uploads::running::Running;

/// Bytes of work between two chances for other jobs.
const YIELD_BYTES: usize = 256 * 1024;

/// The parts of one upload. Clones are the same.
#[derive(Clone)]
pub(crate) struct UploadParts(Arc<Inner>);

struct Inner {
    running: Running,
    permits: PartPermits,
    encoded: Option<Arc<dyn ChunkedFile>>,
    /// Bytes of content in every part but the last.
    unit_bytes: u64,
    /// The length of the content.
    total: u64,
}

/// A part that a lane collects.
pub(crate) struct UploadPart {
    parts: UploadParts,
    waiting: Zeroizing<Vec<u8>>,
    permit: Option<PartPermit>,
    has_progressed: bool,
}

impl UploadParts {
    /// For `total` bytes of content, in parts of about `part_bytes` bytes.
    pub(crate) fn new(
        running: Running,
        permits: PartPermits,
        part_bytes: u64,
        total: u64,
        encoded: Option<Arc<dyn ChunkedFile>>,
    ) -> Self {
        let chunk_bytes = encoded.as_ref().map_or(1, |encoded| encoded.chunk_bytes() as u64);
        let unit_bytes = part_bytes.max(1).next_multiple_of(chunk_bytes);
        Self(Arc::new(Inner { running, permits, encoded, unit_bytes, total }))
    }

    /// Bytes of content in every part but the last.
    pub(crate) fn unit_bytes(&self) -> u64 {
        self.0.unit_bytes
    }

    /// A part for a lane to collect.
    pub(crate) fn part(&self) -> UploadPart {
        UploadPart { parts: self.clone(), waiting: Zeroizing::default(), permit: None, has_progressed: false }
    }
}

impl UploadPart {
    /// Whether a part was sent.
    pub(crate) fn has_progressed(&self) -> bool {
        self.has_progressed
    }

    /// Takes `content`, which continues the claimed span, and sends the parts that are complete. Returns how many bytes
    /// belong to other lanes.
    pub(crate) async fn take(
        &mut self,
        io: &impl Io,
        claim: &SpanClaim,
        mut content: &[u8],
    ) -> Result<usize, Error> {
        while !content.is_empty() {
            let inner = &*self.parts.0;
            let left = inner.total - claim.next().min(inner.total);
            let wanted = usize::try_from(left.min(inner.unit_bytes)).unwrap_or(usize::MAX);
            if wanted == 0 {
                return Ok(content.len());
            }
            if self.permit.is_none() {
                self.permit = Some(inner.permits.take(io).await?);
            }
            if self.waiting.capacity() == 0 {
                // Never moved, so that no copy of the content is left behind.
                self.waiting.reserve_exact(wanted);
            }
            let (now, rest) = content.split_at(content.len().min(wanted - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            content = rest;
            if self.waiting.len() < wanted {
                continue;
            }
            let (offset, reserved) = claim.reserve(wanted);
            if reserved < wanted {
                debug_assert_eq!(reserved, 0, "spans are whole parts");
                return Ok(content.len() + now.len());
            }
            let index = offset / inner.unit_bytes;
            let bytes = self.encode(io, index).await;
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            self.parts.0.running.send(number, bytes, self.permit.take())?;
            self.has_progressed = true;
        }
        Ok(0)
    }

    /// The part `index` as it is sent.
    async fn encode(&mut self, io: &impl Io, index: u64) -> Vec<u8> {
        let inner = &*self.parts.0;
        let Some(encoded) = &inner.encoded else { return std::mem::take(&mut *self.waiting) };
        let chunk_bytes = encoded.chunk_bytes();
        let head = if index == 0 { encoded.head() } else { &[] };
        let chunk_count = self.waiting.len().div_ceil(chunk_bytes);
        let stored_bytes = head.len() + self.waiting.len() + chunk_count * encoded.added_bytes();
        let mut stored = Vec::with_capacity(stored_bytes);
        stored.extend_from_slice(head);
        let first = index * (inner.unit_bytes / chunk_bytes as u64);
        let last = inner.total.div_ceil(chunk_bytes as u64).max(1) - 1;
        for (index, chunk) in (first..).zip(self.waiting.chunks(chunk_bytes)) {
            let start = stored.len();
            stored.resize(start + chunk.len() + encoded.added_bytes(), 0);
            encoded.encode(index, index == last, chunk, &mut stored[start..]);
            if stored.len() % YIELD_BYTES < chunk_bytes {
                io.yield_now().await;
            }
        }
        self.waiting = Zeroizing::default();
        stored
    }
}
