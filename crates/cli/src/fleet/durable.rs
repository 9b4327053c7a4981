//! Making the results of a slice durable before the slice is acknowledged.
//!
//! Owns: the thread that waits for the disk.
//! Does not own: which slices are finished ([`super::slices`]), acknowledging them ([`haul_fleet`]).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use haul_fleet::{Finished, Node};

use crate::report::voice::Voice;

/// Hands finished slices on, each after its results are durable.
pub(super) struct Durable {
    sender: Sender<Finished>,
    has_failed: Arc<AtomicBool>,
}

impl Durable {
    /// For results in `directory`, or in a bucket, whose objects are durable when they are confirmed.
    pub(super) fn start(
        directory: Option<PathBuf>,
        node: Arc<Node>,
        voice: Voice,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, finished) = channel::<Finished>();
        let has_failed = Arc::new(AtomicBool::new(false));
        let failed = has_failed.clone();
        let serve = move || {
            for slice in finished {
                match directory.as_deref().map_or(Ok(()), sync) {
                    Ok(()) => node.finish(slice),
                    Err(error) => {
                        let reason = haul_io::reason(&error);
                        voice.error(format!(
                            "a slice can't be acknowledged: the results aren't durable: {reason}"
                        ));
                        failed.store(true, Ordering::Relaxed);
                        node.release(&slice.id);
                        wake();
                    }
                }
            }
        };
        std::thread::Builder::new().name("durable".to_owned()).spawn(serve)?;
        Ok(Self { sender, has_failed })
    }

    pub(super) fn finish(&self, slice: Finished) {
        // The thread ends only with this.
        let _ = self.sender.send(slice);
    }

    /// Whether results could not be made durable. Their slices were given back.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

/// Waits until everything on the file system of `directory` is on its device.
fn sync(directory: &Path) -> io::Result<()> {
    match File::open(directory) {
        Ok(directory) => Ok(rustix::fs::syncfs(&directory)?),
        // Without a result there is no directory.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
