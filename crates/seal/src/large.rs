//! A large file on its way: what its segments share, and its end.
//!
//! Owns: publishing the result after the last segment, or discarding it.
//! Does not own: what happens to a segment.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use haul_age_format::{Layout, PayloadKey};
use haul_io::{File, Io, Staged, Stat};

use crate::task::check_unchanged;
use crate::{Error, FileOptions, Step, Task};

/// A large file being transformed; `K` is what its segments need besides.
pub struct Large<K> {
    pub(crate) source: File,
    pub(crate) source_stat: Stat,
    pub(crate) layout: Layout,
    pub(crate) key: K,
    pub(crate) result: File,
    /// Invariant: there until the file is finished.
    pub(crate) staged: Mutex<Option<Staged>>,
}

/// What segments of an age file need.
pub struct Payload {
    pub(crate) key: PayloadKey,
    /// Where the payload begins in the age file.
    pub(crate) offset: u64,
}

impl<K> Large<K> {
    /// A large file whose result is staged, `bytes` long.
    pub(crate) async fn begin(
        io: &impl Io,
        (source, source_stat): (File, Stat),
        target: &Path,
        (layout, key): (Layout, K),
        bytes: u64,
    ) -> Result<Self, Error> {
        let staged = Staged::create(io, target).await.map_err(Error::at(Step::Create))?;
        let result = staged.file().clone();
        if let Err(error) = io.allocate(&result, bytes).await {
            staged.discard(io).await;
            return Err(Error::at(Step::Write)(error));
        }
        Ok(Self { source, source_stat, layout, key, result, staged: Mutex::new(Some(staged)) })
    }

    /// Leaves nothing of the result.
    pub(crate) async fn discard(&self, io: &impl Io) {
        self.take_staged().discard(io).await;
    }

    fn take_staged(&self) -> Staged {
        let staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner).take();
        staged.expect("a task is finished once")
    }

    /// Publishes the result if every segment `succeeded` and the source is what it was, else discards it.
    pub(crate) async fn finish(
        &self,
        io: &impl Io,
        options: &FileOptions,
        task: &Task,
        succeeded: bool,
    ) -> Result<(), Error> {
        let staged = self.take_staged();
        if !succeeded {
            staged.discard(io).await;
            return Ok(());
        }
        if let Err(error) = check_unchanged(io, &self.source, &self.source_stat).await {
            staged.discard(io).await;
            return Err(error);
        }
        let Task::File { target, .. } = task else { unreachable!("only files are split") };
        let publish = options.publish(target, &self.source_stat);
        staged.publish(io, &publish).await.map_err(Error::at(Step::Publish))
    }
}
