//! Streams that end in a file.
//!
//! Owns: that the file appears when the stream is complete, and not at all otherwise.
//! Does not own: staging ([`haul_io::Staged`]), the stream.

use std::path::{Path, PathBuf};

use haul_io::{Blocking, Cancel, Staged, StreamWriter, run_ready};

use crate::pair::Pair;
use crate::{During, Error, FileOptions, Task};

/// Lets `work` write into a file that appears as `target` when it has succeeded. As a stream has no mode and time to keep, the
/// file gets the mode that `options` name.
///
/// # Errors
/// What `work` says; [`Error::Exists`] where the name is taken and `options` refuse that, before `work` begins if it can be seen
/// by then; [`Error::Io`] with [`During::Create`] or [`During::Publish`]. Nothing is left of the file.
pub fn into_file<T>(
    target: &Path,
    options: &FileOptions,
    cancel: &Cancel,
    work: impl FnOnce(StreamWriter) -> Result<T, Error>,
) -> Result<T, Error> {
    let io = Blocking::new(cancel.clone());
    let task = Task::file(PathBuf::new(), target);
    run_ready(options.check_target(&io, Pair::of(&task)))?;
    let publish = options.publish_new(Pair::of(&task).target());
    let staged = run_ready(Staged::create(&io, &publish)).map_err(Error::at(During::Create))?;
    let writer = StreamWriter::new(staged.file().clone(), cancel.clone()).map_err(Error::at(During::Create));
    match writer.and_then(work) {
        Ok(value) => {
            run_ready(staged.publish(&io, &publish)).map_err(Error::at(During::Publish))?;
            Ok(value)
        }
        Err(error) => {
            run_ready(staged.discard(&io));
            Err(error)
        }
    }
}
