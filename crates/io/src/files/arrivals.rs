//! Moving what arrives at a socket to a file.
//!
//! Owns: asking for it, and for the pages of huge files to be dropped behind it.
//! Does not own: how it is done ([`Op::Move`]).

use std::io;

use crate::io::moved;
use crate::{File, Io, Offset, Op, Pipe, Socket, Value};

/// [`Op::Move`]. `None` if nothing can be moved.
///
/// # Errors
/// If the bytes can't be written.
pub async fn move_arrived(
    io: &impl Io,
    socket: &Socket,
    pipe: &Pipe,
    file: &File,
    offset: u64,
    bytes_max: usize,
) -> io::Result<Option<usize>> {
    let (socket, pipe) = (socket.clone(), pipe.clone());
    let op = Op::Move { socket, pipe, file: file.clone(), offset, bytes_max };
    match io.submit(op).await.result? {
        Value::Count(count) => {
            moved(io, file, Offset::At(offset), count).await;
            Ok(Some(count))
        }
        Value::Flag(_) => Ok(None),
        other => panic!("expected a count or a flag, got {other:?}"),
    }
}
