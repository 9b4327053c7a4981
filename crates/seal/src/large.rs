//! A large file on its way: what its segments share, and its end.
//!
//! Owns: publishing the result after the last segment, or discarding it.
//! Does not own: what happens to a segment.

use std::sync::{Mutex, PoisonError};

use haul_age_format::{Layout, PayloadKey};
use haul_io::{File, Io, Staged, Stat};

use crate::task::check_unchanged;
use crate::{Done, Error, FileOptions, Step, Task};

/// A large file being sealed or opened.
pub struct Large {
    pub(crate) source: File,
    pub(crate) source_stat: Stat,
    pub(crate) layout: Layout,
    /// Where the payload begins in the age file.
    pub(crate) payload_offset: u64,
    pub(crate) key: PayloadKey,
    pub(crate) result: File,
    /// Invariant: there until the file is finished.
    pub(crate) staged: Mutex<Option<Staged>>,
}

impl Large {
    pub(crate) fn staged(staged: Staged) -> Mutex<Option<Staged>> {
        Mutex::new(Some(staged))
    }

    /// Publishes the result if every segment `succeeded` and the source is what it was, else discards it.
    pub(crate) async fn finish(
        &self,
        io: &impl Io,
        options: &FileOptions,
        task: &Task,
        succeeded: bool,
    ) -> Result<Done, Error> {
        let unchanged = check_unchanged(io, &self.source, &self.source_stat).await;
        let staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner).take();
        let staged = staged.expect("a task is finished once");
        let Task::File { target, .. } = task else { unreachable!("only files are split") };
        if !succeeded || unchanged.is_err() {
            staged.discard(io).await;
        } else {
            let publish = options.publish(target, &self.source_stat);
            staged.publish(io, &publish).await.map_err(Error::at(Step::Publish))?;
        }
        let sealed_bytes = self.payload_offset + self.layout.sealed_bytes();
        unchanged.map(|()| Done::File { plain_bytes: self.layout.plain_bytes(), sealed_bytes })
    }
}
