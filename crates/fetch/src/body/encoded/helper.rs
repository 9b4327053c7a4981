//! A thread that encodes the chunks of one large body, and writes those of a file, while the next ones arrive.
//!
//! Receiving a large body takes one core about as long as encoding it, and as writing it. A body that arrives over one
//! connection is the work of one thread; this is the second one. There are fewer helpers than cores: where many bodies
//! arrive at once, the cores are busy anyway.
//!
//! Owns: the thread, the batch that it works on, how many of them there may be.
//! Does not own: which chunks are encoded, and that each is encoded once ([`crate::body::encoded::encoder`]).

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle, available_parallelism};

use haul_io::{Blocking, Buf, Cancel, ChunkedFile, Io, Offset, run_ready};
use zeroize::Zeroizing;

use crate::body::write::FilePlace;

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
    /// Where `out` is then written, if it goes to a file.
    pub(crate) place: Option<FilePlace>,
}

/// A batch that has been encoded, and written if it had a place.
pub(crate) struct Done {
    pub(crate) content: Zeroizing<Vec<u8>>,
    pub(crate) out: Buf,
    /// How many bytes were written, if they had a place.
    pub(crate) written: Option<io::Result<u64>>,
}

/// The thread, until this is dropped.
pub(crate) struct Helper {
    work: Option<SyncSender<Batch>>,
    done: Receiver<Done>,
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
        // What is begun is written: the run waits for it.
        let io = Blocking::new(Cancel::new().ok()?);
        let run = move || {
            for batch in batches {
                if encoded.send(batch.done(&*file, &io)).is_err() {
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

    /// The batch that was begun, if there is one. Waits for as long as encoding and writing it takes, a fraction of a
    /// millisecond if the file system has memory.
    pub(crate) fn collect(&mut self) -> Option<Done> {
        if !std::mem::take(&mut self.is_busy) {
            return None;
        }
        match self.done.recv() {
            Ok(done) => Some(done),
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
    fn done(mut self, file: &dyn ChunkedFile, io: &Blocking) -> Done {
        self.encode(file);
        let Self { content, mut out, place, .. } = self;
        let written = place.map(|FilePlace { file, offset }| {
            let count = out.filled().len() as u64;
            let (written, mut rest) = run_ready(io.write_all(
                &file,
                std::mem::replace(&mut out, Buf::with_capacity(0)),
                Offset::At(offset),
            ));
            rest.clear();
            out = rest;
            written.map(|()| count)
        });
        Done { content, out, written }
    }

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
