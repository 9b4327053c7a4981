//! Copying a part of a file into another one, within the system where it can do that.
//!
//! Owns: the length of each step, aligning steps so that file systems can share blocks, what is done instead.
//! Does not own: the files.
//!
//! Source: copy_file_range(2), ioctl_ficlonerange(2): both offsets of shared blocks begin a block.

use std::io;

use crate::{File, Io, Offset, Op, Value, is_cancelled};

/// The bytes that the system copies at a time, between which a cancelled run ends.
const STEP_BYTES: u64 = 16 << 20;
/// The bytes that are read and written at a time where the system doesn't copy.
const BUFFER_BYTES: usize = 256 * 1024;
/// The size of blocks in most file systems.
const BLOCK_BYTES: u64 = 4096;

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
/// If `from` and `to` are equally far behind the start of a block, btrfs and XFS share the blocks, which takes neither
/// space nor time. Other file systems copy in the kernel; where that isn't possible, bytes are read and written.
///
/// # Errors
/// The system's error of reading or writing.
pub async fn copy_range(io: &impl Io, copying: Copying<'_>) -> io::Result<u64> {
    let mut done = 0;
    while done < copying.bytes {
        let Copying { source, target, .. } = copying;
        let (from, to) = (copying.from + done, copying.to + done);
        let bytes = step_bytes(from, to).min(copying.bytes - done);
        let op = Op::CopyRange { source: source.clone(), from, file: target.clone(), to, bytes };
        match io.submit(op).await.result {
            Ok(Value::Count(count)) if count > 0 => done += count as u64,
            Err(error) if is_cancelled(&error) => return Err(error),
            // Reading shows whether this is the end, and gives the error its cause: some file systems only refuse to
            // copy.
            _ => {
                let rest = Copying { from, to, bytes: copying.bytes - done, ..copying };
                return read_and_write(io, rest).await.map(|copied| done + copied);
            }
        }
    }
    Ok(done)
}

/// How much is copied next: up to the next block if more blocks can follow it.
fn step_bytes(from: u64, to: u64) -> u64 {
    match from % BLOCK_BYTES {
        behind if behind > 0 && behind == to % BLOCK_BYTES => BLOCK_BYTES - behind,
        _ => STEP_BYTES,
    }
}

async fn read_and_write(io: &impl Io, copying: Copying<'_>) -> io::Result<u64> {
    let mut buf = io.take_buf(BUFFER_BYTES);
    let mut done = 0;
    while done < copying.bytes {
        let bytes_max = (copying.bytes - done).min(BUFFER_BYTES as u64) as usize;
        let (count, back) =
            io.read_full(copying.source, buf, bytes_max, Offset::At(copying.from + done)).await;
        let count = count?;
        let (written, back) = io.write_all(copying.target, back, Offset::At(copying.to + done)).await;
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
    use crate::{OpenMode, Publish, Staged};

    #[test]
    fn steps_end_at_blocks_that_can_be_shared() {
        assert_eq!(step_bytes(200, 200), 3_896);
        assert_eq!(step_bytes(200, 4_296), 3_896);
        assert_eq!(step_bytes(8_192, 4_096), STEP_BYTES);
        assert_eq!(step_bytes(200, 300), STEP_BYTES);
    }

    #[test]
    fn parts_arrive_whole_however_the_system_copies() {
        let content: Vec<u8> = (0..600_000).map(|index: u32| (index * 7) as u8).collect();
        for refuse_copies in [false, true] {
            for (from, to, bytes, copied) in [
                (0, 0, 600_000, 600_000),
                (200, 300, 500_000, 500_000),
                (599_999, 1, 50, 1),
                (600_000, 0, 9, 0),
            ] {
                let mut files = Files::default();
                files.refuse_copies = refuse_copies;
                files.put("d/source", &content);
                let sim = Sim::with_files(bytes, files);
                let publish = Publish::new("d/target");
                let done = sim.run(async {
                    let mode = OpenMode::Read { follow: false };
                    let source = sim.open(None, "d/source".as_ref(), mode).await.unwrap();
                    let staged = Staged::create(&sim, &publish).await.unwrap();
                    let copying = Copying { source: &source, from, target: staged.file(), to, bytes };
                    let done = copy_range(&sim, copying).await.unwrap();
                    staged.publish(&sim, &publish).await.unwrap();
                    done
                });
                assert_eq!(done, Some(copied));
                let files = sim.files();
                let target = files.get("d/target").unwrap();
                let expected = &content[from as usize..(from + copied) as usize];
                assert!(target.get(to as usize..).unwrap_or_default() == expected, "{from} {to} {bytes}");
            }
        }
    }
}
