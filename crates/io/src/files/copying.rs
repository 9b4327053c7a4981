//! Copying a part of a file into another one.
//!
//! Owns: reading and writing by turns.
//! Does not own: the files; sharing blocks instead of copying them ([`Op::CloneFile`](crate::Op::CloneFile)).

use std::io;

use crate::{File, Io, Offset};

/// The bytes that are copied at a time.
const COPY_BYTES: usize = 256 * 1024;

/// What is copied.
#[derive(Clone, Copy, Debug)]
pub struct Copying<'a> {
    /// The file to read.
    pub source: &'a File,
    /// The position of the first byte in `source`.
    pub from: u64,
    /// The file to write.
    pub target: &'a File,
    /// The position of the first byte in `target`.
    pub to: u64,
    /// The number of bytes.
    pub bytes: u64,
}

/// Copies a part of a file. Returns the number of bytes copied, which is smaller if the source ends before.
///
/// # Errors
/// The system's error of reading or writing.
pub async fn copy_range(io: &impl Io, copying: Copying<'_>) -> io::Result<u64> {
    let Copying { source, from, target, to, bytes } = copying;
    let mut buf = io.take_buf(COPY_BYTES);
    let mut done = 0;
    while done < bytes {
        let bytes_max = (bytes - done).min(COPY_BYTES as u64) as usize;
        let (count, back) = io.read_full(source, buf, bytes_max, Offset::At(from + done)).await;
        let count = count?;
        let (written, back) = io.write_all(target, back, Offset::At(to + done)).await;
        written?;
        buf = back;
        done += count as u64;
        if count < bytes_max {
            break;
        }
        io.yield_now().await;
    }
    io.give_buf(buf);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Files, Sim};
    use crate::{Op, OpenMode, Publish, Staged};

    /// A part of a file of 600 000 bytes: `from`, `to`, `bytes`, and how many there are.
    const PARTS: [(u64, u64, u64, u64); 4] =
        [(0, 0, 600_000, 600_000), (200, 300, 500_000, 500_000), (599_999, 1, 50, 1), (600_000, 0, 9, 0)];

    #[test]
    fn parts_arrive_whole_also_over_a_clone() {
        let content: Vec<u8> = (0..600_000).map(|index: u32| (index * 7) as u8).collect();
        for (from, to, bytes, copied) in PARTS {
            for clones in [false, true] {
                let mut files = Files::default();
                files.put("d/source", &content);
                let sim = Sim::with_files(bytes, files);
                let publish = Publish::new("d/target");
                let done = sim.run(async {
                    let mode = OpenMode::Read { follow: false };
                    let source = sim.open(None, "d/source".as_ref(), mode).await.unwrap();
                    let staged = Staged::create(&sim, &publish).await.unwrap();
                    let file = staged.file().clone();
                    if clones {
                        sim.done(Op::CloneFile { source: source.clone(), file }).await.unwrap();
                    }
                    let copying = Copying { source: &source, from, target: staged.file(), to, bytes };
                    let done = copy_range(&sim, copying).await.unwrap();
                    staged.publish(&sim, &publish).await.unwrap();
                    done
                });
                assert_eq!(done, Some(copied));
                let mut expected = if clones { content.clone() } else { Vec::new() };
                let end = (to + copied) as usize;
                expected.resize(expected.len().max(if copied > 0 { end } else { 0 }), 0);
                if copied > 0 {
                    let part = &content[from as usize..(from + copied) as usize];
                    expected[to as usize..end].copy_from_slice(part);
                }
                assert!(sim.files().get("d/target") == Some(&expected), "{from} {to} {bytes} {clones}");
            }
        }
    }
}
