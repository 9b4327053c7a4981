//! Workers that take turns at a source and at a sink and compute in between.
//!
//! Whoever reads a piece gets the next turn number with it, under the source's lock; whoever writes waits for its number, under
//! the sink's. A number is never skipped: each is given with a piece or an error, and its holder comes to the sink or the
//! whole line stops. So the holder of the lowest number can always go on, and nobody waits for ever.
//!
//! Owns: the threads, the order of reads and writes, stopping at the first failure in that order.
//! Does not own: what a piece is, what is computed.

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use haul_io::{Buf, Cancel};

use super::source::{Piece, Source};
use crate::{During, Error};

/// What sealing adds to a piece of four chunks, and what is to spare.
const ROOM_BYTES: usize = 64;

/// What went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) read: u64,
    pub(super) written: u64,
}

pub(super) struct Turns<'a, R, W> {
    entrance: Mutex<Entrance<R>>,
    exit: Mutex<Exit<W>>,
    /// The turn has passed on, or nobody gets another.
    passed: Condvar,
    stopped: AtomicBool,
    cancel: &'a Cancel,
}

struct Entrance<R> {
    source: Source<R>,
    /// The number of the next piece.
    turn: u64,
}

struct Exit<W> {
    sink: W,
    /// Whose turn it is.
    turn: u64,
    moved: Moved,
    failure: Option<Error>,
}

impl<'a, R: Read + Send, W: Write + Send> Turns<'a, R, W> {
    pub(super) fn new(source: Source<R>, sink: W, cancel: &'a Cancel) -> Self {
        Self {
            entrance: Mutex::new(Entrance { source, turn: 0 }),
            exit: Mutex::new(Exit { sink, turn: 0, moved: Moved::default(), failure: None }),
            passed: Condvar::new(),
            stopped: AtomicBool::new(false),
            cancel,
        }
    }

    /// Moves everything, by as many threads as `workers`, the calling one among them; fewer where the system has no more.
    /// `transform` appends what becomes of a piece; what it appended before an error is written too.
    pub(super) fn run<F>(self, workers: NonZeroUsize, transform: F) -> Result<Moved, Error>
    where
        F: Fn(Piece, &[u8], &mut Buf) -> Result<(), Error> + Sync,
    {
        std::thread::scope(|scope| {
            for _ in 1..workers.get() {
                let work = || self.work(&transform);
                let name = "stream".to_owned();
                if std::thread::Builder::new().name(name).spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            self.work(&transform);
        });
        let mut exit = self.exit.into_inner().unwrap_or_else(PoisonError::into_inner);
        match exit.failure {
            Some(error) => Err(error),
            None => exit.sink.flush().map(|()| exit.moved).map_err(Error::at(During::Write)),
        }
    }

    fn work(&self, transform: &impl Fn(Piece, &[u8], &mut Buf) -> Result<(), Error>) {
        let _stops = StopsOnPanic(self);
        let capacity = lock(&self.entrance).source.piece_bytes_max() + ROOM_BYTES;
        let (mut input, mut output) = (Buf::with_capacity(capacity), Buf::with_capacity(capacity));
        while let Some((turn, piece)) = self.take(&mut input) {
            let result = piece.and_then(|piece| transform(piece, input.filled(), &mut output));
            if !self.deliver(turn, input.filled().len(), output.filled(), result) {
                return;
            }
            input.clear();
            output.clear();
        }
    }

    /// The next piece and its turn.
    fn take(&self, input: &mut Buf) -> Option<(u64, Result<Piece, Error>)> {
        let mut entrance = lock(&self.entrance);
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let piece = match self.cancel.is_triggered() {
            true => Err(haul_io::cancelled()),
            false => entrance.source.take(input)?,
        };
        let turn = entrance.turn;
        entrance.turn += 1;
        Some((turn, piece.map_err(Error::of_read)))
    }

    /// Writes what became of the piece whose turn is `turn`. Whether the work goes on.
    fn deliver(&self, turn: u64, read: usize, output: &[u8], result: Result<(), Error>) -> bool {
        let mut exit = lock(&self.exit);
        while exit.turn != turn && !self.stopped.load(Ordering::Relaxed) {
            exit = self.passed.wait(exit).unwrap_or_else(PoisonError::into_inner);
        }
        if self.stopped.load(Ordering::Relaxed) {
            return false;
        }
        let written = exit.sink.write_all(output).map_err(Error::at(During::Write));
        match result.and(written) {
            Ok(()) => {
                exit.turn += 1;
                exit.moved.read += read as u64;
                exit.moved.written += output.len() as u64;
                self.passed.notify_all();
                true
            }
            Err(error) => {
                exit.failure = Some(error);
                self.stop(&exit);
                false
            }
        }
    }

    /// Ends the work; the sink's lock is held so that nobody is between looking and waiting.
    fn stop(&self, _exit: &MutexGuard<'_, Exit<W>>) {
        self.stopped.store(true, Ordering::Relaxed);
        self.passed.notify_all();
        // Whoever waits for the source is to wait no longer.
        self.cancel.trigger();
    }
}

/// A worker that panics gives its turn to nobody: the others must not wait for it.
struct StopsOnPanic<'a, 'b, R: Read + Send, W: Write + Send>(&'a Turns<'b, R, W>);

impl<R: Read + Send, W: Write + Send> Drop for StopsOnPanic<'_, '_, R, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(&lock(&self.0.exit));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
