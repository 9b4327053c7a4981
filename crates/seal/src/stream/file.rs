//! Streams that write a file.
//!
//! Owns: publishing the file when the stream is complete, and discarding it otherwise.
//! Does not own: staging ([`haul_io::Staged`]), the stream.

use std::io;
use std::path::Path;

use haul_io::{Blocking, Cancel, File, Location, Published, Staged, StreamWriter, run_ready};

use crate::error::{During, Error};
use crate::task::FileOptions;
use crate::walk::Sweeper;

/// Lets `work` write a file, and publishes it as `target` if `work` succeeds. Returns what `work` returned, and what
/// the file system couldn't do. Removes temporary files of killed runs from the directory of `target`. A stream has no
/// permission bits to keep, so the file gets `options.mode`; it gets the time of modification `modified`, in seconds
/// since the epoch and nanoseconds, if there is one.
///
/// # Errors
/// The error of `work`; [`Error::Exists`] if `target` exists and `options` refuse to replace it, if possible before
/// `work` begins; [`Error::Io`] with [`During::Create`] or [`During::Publish`]. After an error nothing is left of the
/// file.
pub fn into_file<T>(
    target: &Path,
    modified: Option<(i64, u32)>,
    options: &FileOptions,
    cancel: &Cancel,
    work: impl FnOnce(StreamWriter) -> Result<T, Error>,
) -> Result<(T, Published), Error> {
    Sweeper::new(Blocking::new(cancel.clone())).sweep(Location::named(target));
    into_file_at(Location::named(target), modified, options, cancel, work)
}

/// As [`into_file`], for one of many results: links beneath the root of `target` are errors, and nothing that killed
/// runs left is removed.
///
/// # Errors
/// As [`into_file`].
pub fn into_file_at<T>(
    target: Location<'_>,
    modified: Option<(i64, u32)>,
    options: &FileOptions,
    cancel: &Cancel,
    work: impl FnOnce(StreamWriter) -> Result<T, Error>,
) -> Result<(T, Published), Error> {
    let io = Blocking::new(cancel.clone());
    run_ready(options.check_target(&io, target))?;
    let mut publish = options.publish_new(target);
    publish.preserve.modified = modified;
    let staged = run_ready(Staged::create(&io, &publish)).map_err(Error::at(During::Create))?;
    let writer = StreamWriter::new(staged.file().clone(), cancel.clone()).map_err(Error::at(During::Create));
    let worked = writer.and_then(|writer| work(writer.sparse(options.sparse))).and_then(|value| {
        let ended = if options.sparse { end_at_position(staged.file()) } else { Ok(()) };
        ended.map(|()| value).map_err(Error::at(During::Write))
    });
    match worked {
        Ok(value) => {
            let published = run_ready(staged.publish(&io, &publish)).map_err(Error::at(During::Publish))?;
            Ok((value, published))
        }
        Err(error) => {
            run_ready(staged.discard(&io));
            Err(error)
        }
    }
}

/// Makes the file end where the next byte would be written, which may lie behind a hole.
fn end_at_position(file: &File) -> io::Result<()> {
    Ok(rustix::fs::ftruncate(file, rustix::fs::tell(file)?)?)
}
