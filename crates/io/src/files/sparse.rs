//! Writing a file with holes.
//!
//! Owns: which bytes become holes.
//! Does not own: the length of the file, which may end with a hole ([`crate::Op::SetLength`]).

use crate::{Buf, BufResult, File, Io, Offset};

/// The size of blocks that become holes, at multiples of it in the file: that of most file systems.
const BLOCK_BYTES: u64 = 4096;

/// Writes the filled bytes of `buf` at `offset`, without those blocks that are zero. The buffer comes back empty on
/// success. The file must have no content there.
///
/// # Errors
/// The system's error of writing.
pub async fn write_sparse(io: &impl Io, file: &File, mut buf: Buf, offset: u64) -> BufResult<()> {
    let mut done = 0;
    while done < buf.filled().len() {
        let at = offset + done as u64;
        let (hole, data) = split_hole(&buf.filled()[done..], at);
        if data.len() == buf.filled().len() {
            return io.write_all(file, buf, Offset::At(at)).await;
        }
        if !data.is_empty() {
            let (written, _) = io.write_all(file, Buf::from(data.to_vec()), Offset::At(at)).await;
            if let Err(error) = written {
                return (Err(error), buf);
            }
        }
        done += hole + data.len();
    }
    buf.clear();
    (Ok(()), buf)
}

/// The length of the hole at the start of `bytes`, which lie at `offset`; if there is none, the data up to the next.
pub(crate) fn split_hole(bytes: &[u8], offset: u64) -> (usize, &[u8]) {
    let run = |of_zeros| {
        let run = blocks(bytes, offset).take_while(|block| is_zero(block) == of_zeros);
        run.map(<[u8]>::len).sum()
    };
    match run(true) {
        0 => (0, &bytes[..run(false)]),
        hole => (hole, &[]),
    }
}

/// Divides `bytes`, which lie at `offset`, at the borders of blocks.
fn blocks(bytes: &[u8], offset: u64) -> impl Iterator<Item = &[u8]> {
    let first = (BLOCK_BYTES - offset % BLOCK_BYTES) as usize;
    let (first, rest) = bytes.split_at(first.min(bytes.len()));
    std::iter::once(first).chain(rest.chunks(BLOCK_BYTES as usize)).filter(|block| !block.is_empty())
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_begin_and_end_at_blocks() {
        let mut bytes = vec![0; 20_000];
        bytes[9_000] = 1;
        for (offset, hole) in [(0, 8_192), (4_096, 8_192), (1, 4_095 + 4_096), (4_000, 96 + 8_192)] {
            assert_eq!(split_hole(&bytes, offset).0, hole, "{offset}");
        }
        assert_eq!(split_hole(&bytes[9_000..], 9_000), (0, &bytes[9_000..12_288]));
        assert_eq!(split_hole(&bytes[..100], 7), (100, &[][..]));
        assert_eq!(split_hole(&[], 7), (0, &[][..]));
    }
}
