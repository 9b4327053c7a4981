//! A thread that encodes the chunks of one large body while the next ones arrive.
//!
//! Receiving and writing a large body take one core about as long as encoding it. A body that arrives over one
//! connection is the work of one thread; this is the second one. There are fewer helpers than cores: where many bodies
//! arrive at once, the cores are busy anyway.
//!
//! Owns: the thread, the batch that it works on, how many of them there may be.
//! Does not own: which chunks are encoded, and that each is encoded once ([`crate::body::encoded::encoder`]).

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle, available_parallelism};

use haul_io::{Buf, ChunkedFile};
use zeroize::Zeroizing;

/// Shorter bodies are encoded by the thread that receives them.
pub(crate) const BODY_BYTES_MIN: u64 = 8 << 20;
/// Chunks that are handed over at a time: of 64 KiB, they stay in a core's own cache.
pub(crate) const BATCH_CHUNKS: usize = 4;

/// The helpers of a run or a client. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Helpers(Arc<AtomicUsize>);

/// Whole chunks, none of which is the last of its file.
pub(crate) struct Batch {
    pub(crate) content: Zeroizing<Vec<u8>>,
    /// The index of the first chunk.
    pub(crate) first: u64,
    /// Where the encoded chunks are appended; has room for them.
    pub(crate) out: Buf,
}

/// The thread, until this is dropped.
pub(crate) struct Helper {
    work: Option<SyncSender<Batch>>,
    done: Receiver<Batch>,
    /// Whether it has a batch that wasn't collected.
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
    _permit: Permit,
}

/// The right to a thread.
struct Permit(Helpers);

impl Helper {
    /// A helper for `file`; `None` if there are enough, or no thread can be had.
    pub(crate) fn start(helpers: &Helpers, file: &Arc<dyn ChunkedFile>) -> Option<Self> {
        let permit = helpers.permit(available_parallelism().map_or(0, |cores| cores.get() - 1))?;
        let (work, batches) = sync_channel::<Batch>(1);
        let (encoded, done) = sync_channel(1);
        let file = file.clone();
        let run = move || {
            for mut batch in batches {
                batch.encode(&*file);
                if encoded.send(batch).is_err() {
                    return;
                }
            }
        };
        let thread = Builder::new().name("encode".to_owned()).spawn(run).ok()?;
        Some(Self { work: Some(work), done, is_busy: false, thread: Some(thread), _permit: permit })
    }

    /// Begins to encode `batch`. The one before it has been collected.
    pub(crate) fn begin(&mut self, batch: Batch) {
        debug_assert!(!self.is_busy, "one batch at a time");
        self.is_busy = true;
        if self.work.as_ref().expect("until it is dropped").send(batch).is_err() {
            self.fail();
        }
    }

    /// The batch that was begun, if there is one, encoded. Waits for as long as encoding takes: a fraction of a
    /// millisecond.
    pub(crate) fn collect(&mut self) -> Option<Batch> {
        if !std::mem::take(&mut self.is_busy) {
            return None;
        }
        match self.done.recv() {
            Ok(batch) => Some(batch),
            Err(_) => self.fail(),
        }
    }

    /// The thread has panicked, and so does its user.
    fn fail(&mut self) -> ! {
        let thread = self.thread.take().expect("a thread fails once");
        match thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => unreachable!("the thread goes on until its work is dropped"),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.work = None;
        // No content stays behind: the thread wipes what it has.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Batch {
    fn encode(&mut self, file: &dyn ChunkedFile) {
        for (index, chunk) in (self.first..).zip(self.content.chunks(file.chunk_bytes())) {
            let stored_bytes = chunk.len() + file.added_bytes();
            file.encode(index, false, chunk, &mut self.out.spare_mut()[..stored_bytes]);
            self.out.commit(stored_bytes);
        }
    }
}

impl Helpers {
    fn permit(&self, count_max: usize) -> Option<Permit> {
        let more = |taken| (taken < count_max).then_some(taken + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok().map(|_| Permit(self.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
