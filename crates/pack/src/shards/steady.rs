//! Operations that end although the run was cancelled: a shard holds the results of tasks that are complete.
//!
//! Owns: doing over what was refused.
//! Does not own: which work is worth that ([`super::shard`]).

use std::io;

use haul_io::{Blocking, Buf, BufResult, Cancel, File, Io, Offset, Op, is_cancelled, run_ready};

/// Writes the filled bytes of `buf` at `offset`. The buffer comes back empty on success.
pub(super) async fn write(io: &impl Io, file: &File, buf: Buf, offset: u64) -> BufResult<()> {
    let end = offset + buf.filled().len() as u64;
    let (written, buf) = io.write_all(file, buf, Offset::At(offset)).await;
    match written {
        Err(error) if is_cancelled(&error) => match calm() {
            Ok(calm) => {
                let left = Offset::At(end - buf.filled().len() as u64);
                run_ready(calm.write_all(file, buf, left))
            }
            Err(error) => (Err(error), buf),
        },
        written => (written, buf),
    }
}

/// Carries out the operation that `op` makes, whose value is nothing.
pub(super) async fn done(io: &impl Io, op: impl Fn() -> Op) -> io::Result<()> {
    match io.done(op()).await {
        Err(error) if is_cancelled(&error) => run_ready(calm()?.done(op())),
        done => done,
    }
}

/// System calls that no signal refuses.
fn calm() -> io::Result<Blocking> {
    Ok(Blocking::new(Cancel::new()?))
}

/// Reads `bytes` bytes at `offset`, or fewer at the end of the file.
pub(super) async fn read(io: &impl Io, file: &File, bytes: usize, offset: u64) -> BufResult<usize> {
    let (count, buf) = io.read_full(file, Buf::with_capacity(bytes), bytes, Offset::At(offset)).await;
    match count {
        Err(error) if is_cancelled(&error) => match calm() {
            Ok(calm) => run_ready(calm.read_full(file, Buf::with_capacity(bytes), bytes, Offset::At(offset))),
            Err(error) => (Err(error), buf),
        },
        count => (count, buf),
    }
}
