//! What a place must be able to do that results are uploaded to.
//!
//! Owns: this contract.
//! Does not own: any such place, the threads that call it ([`super::offload`]).

use std::fmt;
use std::io;
use std::sync::Arc;

/// A place that results are uploaded to. All methods may block, and are called from any thread.
pub trait Uploader: fmt::Debug + Send + Sync {
    /// The length that the parts of a result should have: of one of `bytes` bytes, if that is known. Parts are whole
    /// numbers of the chunks of [`Config::format`](crate::Config::format), and may be a little longer.
    fn part_bytes(&self, bytes: Option<u64>) -> u64;

    /// Begins the result `name`. Sends nothing yet.
    ///
    /// # Errors
    /// If the place has no such names.
    fn begin(&self, name: &str, about: UploadAbout) -> io::Result<Arc<dyn Upload>>;

    /// What the place has under `name`; none if there is nothing.
    ///
    /// # Errors
    /// If that can't be found out.
    fn look(&self, name: &str) -> io::Result<Option<Uploaded>>;
}

/// A result in the making, of which nothing is visible. Its errors are those of the place; the kind
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) means that the name is taken.
pub trait Upload: Send + Sync {
    /// Sends `bytes` as the part `number`, counted from 1. Parts may be sent in any order, and at the same time.
    ///
    /// # Errors
    /// If it can't be sent, repetitions included.
    fn send(&self, number: u32, bytes: Vec<u8>) -> io::Result<()>;

    /// Publishes what was sent.
    ///
    /// # Errors
    /// If the place doesn't have all bytes, or the name is taken.
    fn publish(&self) -> io::Result<()>;

    /// Publishes `bytes` as the whole; no part was sent.
    ///
    /// # Errors
    /// As [`Upload::publish`].
    fn publish_at_once(&self, bytes: Vec<u8>) -> io::Result<()>;

    /// Removes what was sent. Nothing is under way, and nothing follows.
    fn abandon(&self);
}

/// What is known of a result before it is uploaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadAbout {
    /// Whether it may replace what has its name.
    pub replace: bool,
    /// Its length in bytes, if that is known.
    pub bytes: Option<u64>,
    /// The length of its content, if that is known and the result holds it in a
    /// [`Config::format`](crate::Config::format).
    pub content_bytes: Option<u64>,
    /// When its content was last modified, in seconds since the epoch, if the server says.
    pub modified: Option<i64>,
}

/// A result that was uploaded earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Its length in bytes.
    pub bytes: u64,
    /// The length of its content, if it holds it in a format and that was kept with it.
    pub content_bytes: Option<u64>,
    /// When its content was last modified, in seconds since the epoch, if that was kept with it.
    pub modified: Option<i64>,
}

/// The name of a result at an [`Uploader`].
#[derive(Clone)]
pub struct UploadName {
    /// The place.
    pub uploader: Arc<dyn Uploader>,
    /// The name there, which is shown in messages.
    pub name: String,
    /// Whether the result may replace what has the name.
    pub replace: bool,
}

impl fmt::Debug for UploadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadName").field("name", &self.name).field("replace", &self.replace).finish()
    }
}
