//! Writing the bytes of a buffer that belong to a body.
//!
//! Owns: copying only where other bytes follow them.
//! Does not own: which bytes these are ([`crate::body::receiver`]).

use haul_io::{Buf, File, Io, Offset};

use crate::Error;

/// Writes the first `count` filled bytes of `input`; without a copy if these are all of them.
pub(crate) async fn write_first(
    io: &impl Io,
    file: &File,
    mut input: Buf,
    count: usize,
    offset: Offset,
) -> (Result<(), Error>, Buf) {
    if count == input.filled().len() {
        let (written, input) = io.write_all(file, input, offset).await;
        return (written.map_err(Error::write), input);
    }
    let mut first = io.take_buf(count);
    first.append(&input.filled()[..count]);
    input.consume(count);
    let (written, first) = io.write_all(file, first, offset).await;
    io.give_buf(first);
    (written.map_err(Error::write), input)
}
