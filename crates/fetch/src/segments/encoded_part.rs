//! Encoding one part of a file that is fetched in segments and stored in a format of chunks.
//!
//! Content waits until a chunk of it is complete; then the chunk is reserved, encoded and written. What waits at the
//! end of a response is dropped, still unreserved, and requested again. So each chunk is encoded once, whatever becomes
//! of the connections.
//!
//! Owns: the content that waits.
//! Does not own: which bytes are requested ([`crate::segments::spans`]), the format ([`haul_io::ChunkedFormat`]).

use std::sync::Arc;

use haul_io::{Buf, ChunkedFile, File, Io, Offset};
use zeroize::Zeroizing;

use crate::Error;
use crate::segments::spans::SpanClaim;

/// Room for the chunks that one received piece completes, as a rule.
const OUT_BYTES: usize = 4 * 64 * 1024;

/// The part as it is encoded.
pub(crate) struct EncodedPart {
    encoded: Arc<dyn ChunkedFile>,
    /// The length of the whole content.
    total: u64,
    /// Content of the next chunk.
    waiting: Zeroizing<Vec<u8>>,
    /// Whether a chunk was encoded.
    has_progressed: bool,
}

/// Chunks that were encoded and are written at once.
struct Run {
    /// The number of the first one.
    first: u64,
    out: Buf,
}

impl EncodedPart {
    /// For a part of a file with `total` bytes of content.
    pub(crate) fn new(encoded: Arc<dyn ChunkedFile>, total: u64) -> Self {
        Self { encoded, total, waiting: Zeroizing::default(), has_progressed: false }
    }

    /// Whether a chunk was encoded.
    pub(crate) fn has_progressed(&self) -> bool {
        self.has_progressed
    }

    /// Takes `content`, which continues the claimed span, and writes to `file` the chunks that are complete. Returns
    /// how many bytes belong to other lanes.
    pub(crate) async fn take(
        &mut self,
        io: &impl Io,
        file: &File,
        claim: &SpanClaim,
        mut content: &[u8],
    ) -> Result<usize, Error> {
        let chunk_bytes = self.encoded.chunk_bytes();
        let mut run = None;
        let mut surplus = 0;
        while !content.is_empty() {
            let left = self.total - claim.next().min(self.total);
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(chunk_bytes);
            if wanted == 0 {
                surplus = content.len();
                break;
            }
            if self.waiting.is_empty() && content.len() >= wanted {
                let (chunk, rest) = content.split_at(wanted);
                if !encode(&*self.encoded, io, claim, self.total, chunk, &mut run) {
                    surplus = content.len();
                    break;
                }
                content = rest;
            } else {
                let (now, rest) = content.split_at(content.len().min(wanted - self.waiting.len()));
                if self.waiting.capacity() == 0 {
                    // Never moved, so that no copy of the content is left behind.
                    self.waiting.reserve_exact(chunk_bytes);
                }
                self.waiting.extend_from_slice(now);
                content = rest;
                if self.waiting.len() == wanted {
                    let is_ours = encode(&*self.encoded, io, claim, self.total, &self.waiting, &mut run);
                    self.waiting.clear();
                    if !is_ours {
                        surplus = content.len() + now.len();
                        break;
                    }
                }
            }
            self.has_progressed |= run.is_some();
        }
        if let Some(Run { first, out }) = run {
            let offset = Offset::At(self.encoded.offset_of(first));
            let (written, out) = io.write_all(file, out, offset).await;
            io.give_buf(out);
            written.map_err(Error::write)?;
        }
        Ok(surplus)
    }
}

/// Reserves the next chunk of the span and encodes it. Returns false if it belongs to another lane.
fn encode(
    encoded: &dyn ChunkedFile,
    io: &impl Io,
    claim: &SpanClaim,
    total: u64,
    chunk: &[u8],
    run: &mut Option<Run>,
) -> bool {
    let (offset, reserved) = claim.reserve(chunk.len());
    if reserved < chunk.len() {
        debug_assert_eq!(reserved, 0, "spans are whole chunks");
        return false;
    }
    let (index, stored_bytes) = (offset / encoded.chunk_bytes() as u64, chunk.len() + encoded.added_bytes());
    let run = run.get_or_insert_with(|| Run { first: index, out: io.take_buf(OUT_BYTES) });
    if run.out.spare_mut().len() < stored_bytes {
        let mut longer = io.take_buf(2 * run.out.capacity());
        longer.append(run.out.filled());
        io.give_buf(std::mem::replace(&mut run.out, longer));
    }
    let is_last = offset + chunk.len() as u64 == total;
    encoded.encode(index, is_last, chunk, &mut run.out.spare_mut()[..stored_bytes]);
    run.out.commit(stored_bytes);
    true
}
