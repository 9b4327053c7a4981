//! Where shards go: into a directory, or to a place that takes bytes in order and shows them when they are complete.
//!
//! Owns: the interface of such places.
//! Does not own: files ([`haul_io::Staged`]), objects of a store.

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Where shards go.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Place {
    /// Into a directory, which is made with the first shard.
    Directory(PathBuf),
    /// To a store.
    Store {
        /// The store.
        store: Arc<dyn ShardStore>,
        /// Where content that is too long for memory goes first: a directory, in which nothing is left.
        spill_directory: PathBuf,
    },
}

/// A place for shards that isn't a directory, such as a bucket. Its calls may block the thread of the task that writes
/// the shard.
pub trait ShardStore: Debug + Send + Sync {
    /// What messages call the shard `name`.
    fn path(&self, name: &str) -> PathBuf;

    /// Begins the shard `name`, which will have at most `bytes_max` bytes, if that is known. Nobody sees it before it
    /// is published.
    ///
    /// # Errors
    /// If it can't be begun.
    fn begin(&self, name: &str, bytes_max: Option<u64>) -> io::Result<Box<dyn ShardUpload>>;
}

/// A shard on its way to a [`ShardStore`]. Dropped before it is published, it leaves nothing.
pub trait ShardUpload: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// If they can't be stored. The shard is then of no use.
    fn push(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Publishes the shard, durably and whole.
    ///
    /// # Errors
    /// If it can't be published; `AlreadyExists` if there is something of this name.
    fn publish(self: Box<Self>) -> io::Result<()>;
}
