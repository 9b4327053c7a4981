//! What a node waits for at its sink: results that become durable before their slice is acknowledged, and shards that
//! other nodes may have published.
//!
//! Owns: where results go, the thread that waits.
//! Does not own: which slices are finished ([`super::slices`]), acknowledging them ([`haul_fleet`]).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haul_fleet::{Finished, Node};

use crate::packs::slices::{ShardSearch, SliceShards};
use crate::report::voice::Voice;

/// How long a look for a shard waits that may belong to another node.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the results of a node go.
pub(crate) struct FleetSink {
    /// The directory that is made durable before a slice is acknowledged; none for a bucket.
    pub(crate) directory: Option<PathBuf>,
    /// Where results are packed, if they are.
    pub(crate) shards: Option<SliceShards>,
}

/// Hands finished slices on, each after its results are durable, and opens slices whose shards may exist.
pub(super) struct Durable {
    sender: Sender<Work>,
    has_failed: Arc<AtomicBool>,
    opened: Arc<Mutex<Vec<u64>>>,
}

enum Work {
    Finish(Finished),
    Open(ShardSearch),
}

impl Durable {
    pub(super) fn start(
        sink: FleetSink,
        node: Arc<Node>,
        voice: Voice,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, work) = channel::<Work>();
        let (has_failed, opened) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<u64>>>::default());
        let (failed, newly_opened) = (has_failed.clone(), opened.clone());
        let serve = move || {
            let fail = |id: &str, what: &str, error: &io::Error| {
                let reason = haul_io::reason(error);
                voice.error(format!("a slice can't be {what}: {reason}"));
                failed.store(true, Ordering::Relaxed);
                node.release(id);
                wake();
            };
            let open = |search: ShardSearch| {
                newly_opened.lock().unwrap_or_else(PoisonError::into_inner).push(search.number);
                wake();
            };
            // Returns what is to be looked for later.
            let look = |search: ShardSearch| {
                match published(&sink, &search) {
                    Ok(Some(attempt)) => node.adopt(&search.id, attempt),
                    Ok(None) => open(search),
                    // The shard may be that of a node that has the slice by now.
                    Err(error)
                        if error.kind() == io::ErrorKind::AlreadyExists && !node.may_start(&search.id) =>
                    {
                        if node.holds(&search.id) {
                            return Some(search);
                        }
                        open(search);
                    }
                    Err(error) => fail(&search.id, "packed", &error),
                }
                None
            };
            let mut later = Vec::new();
            loop {
                let pause = if later.is_empty() { Duration::MAX } else { PAUSE };
                match work.recv_timeout(pause) {
                    // Objects are durable when they are confirmed.
                    Ok(Work::Finish(slice)) => match sink.directory.as_deref().map_or(Ok(()), sync) {
                        Ok(()) => node.finish(slice),
                        Err(error) => fail(&slice.id, "acknowledged: the results aren't durable", &error),
                    },
                    Ok(Work::Open(search)) => later.extend(look(search)),
                    Err(RecvTimeoutError::Timeout) => later = later.into_iter().filter_map(look).collect(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        std::thread::Builder::new().name("durable".to_owned()).spawn(serve)?;
        Ok(Self { sender, has_failed, opened })
    }

    pub(super) fn finish(&self, slice: Finished) {
        // The thread ends only with this.
        let _ = self.sender.send(Work::Finish(slice));
    }

    /// Looks for the shards of a slice that were prepared. It is [opened](Self::opened) then, or, if one of them has
    /// appeared, acknowledged.
    pub(super) fn open(&self, search: ShardSearch) {
        let _ = self.sender.send(Work::Open(search));
    }

    /// The numbers of the searches whose slices were opened since the last call.
    pub(super) fn opened(&self) -> Vec<u64> {
        std::mem::take(&mut self.opened.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether results could not be made durable. Their slices were given back.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

/// Which of the shards that were prepared has appeared. It is durable then.
fn published(sink: &FleetSink, search: &ShardSearch) -> io::Result<Option<usize>> {
    let Some(shards) = &sink.shards else { return Ok(None) };
    let published = shards.published(search)?;
    sink.directory.as_deref().filter(|_| published.is_some()).map_or(Ok(()), sync)?;
    Ok(published)
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
