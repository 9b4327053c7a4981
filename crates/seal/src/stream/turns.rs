//! Workers that read and write in turn and compute in parallel.
//!
//! A worker that reads a piece gets the next turn number, under the input's lock. To write the result it waits for its
//! turn, under the output's lock. No number is skipped: each belongs to a piece or an error, and its worker either
//! reaches the output or stops all workers. So the worker with the lowest number can always proceed, and no worker
//! waits forever.
//!
//! Owns: the threads, the order of reads and writes, stopping at the first failure in that order.
//! Does not own: dividing the source ([`super::pieces`]), the transformation (an argument).

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use haul_io::{Buf, Cancel};

use super::pieces::Pieces;
use crate::error::{During, Error};
use crate::payload::chunks::ChunkRun;

/// How much longer the result of a piece may be than the piece: the tags of four chunks.
const GROWTH_BYTES: usize = 64;

/// The numbers of bytes that were read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) read: u64,
    pub(super) written: u64,
}

/// The state that the workers share.
pub(super) struct Turns<'a, R, W> {
    input: Mutex<Input<R>>,
    output: Mutex<Output<W>>,
    /// Notified when the turn passes to the next worker or all workers must stop.
    passed: Condvar,
    stopped: AtomicBool,
    cancel: Option<&'a Cancel>,
}

struct Input<R> {
    pieces: Pieces<R>,
    /// The turn number of the next piece.
    turn: u64,
}

struct Output<W> {
    sink: W,
    /// The turn number that may write.
    turn: u64,
    moved: Moved,
    failure: Option<Error>,
}

impl<'a, R: Read + Send, W: Write + Send> Turns<'a, R, W> {
    pub(super) fn new(pieces: Pieces<R>, sink: W, cancel: Option<&'a Cancel>) -> Self {
        Self {
            input: Mutex::new(Input { pieces, turn: 0 }),
            output: Mutex::new(Output { sink, turn: 0, moved: Moved::default(), failure: None }),
            passed: Condvar::new(),
            stopped: AtomicBool::new(false),
            cancel,
        }
    }

    /// Transforms the whole source with `workers` threads, including the calling thread; with fewer if the system has
    /// no more. `transform` appends the result of a piece; what it appends before an error is written too.
    pub(super) fn run<F>(self, workers: NonZeroUsize, transform: F) -> Result<Moved, Error>
    where
        F: Fn(ChunkRun, &[u8], &mut Buf) -> Result<(), Error> + Sync,
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
        let mut output = self.output.into_inner().unwrap_or_else(PoisonError::into_inner);
        match output.failure {
            Some(error) => Err(error),
            None => output.sink.flush().map(|()| output.moved).map_err(Error::at(During::Write)),
        }
    }

    fn work(&self, transform: &impl Fn(ChunkRun, &[u8], &mut Buf) -> Result<(), Error>) {
        let _stops = StopsOnPanic(self);
        let capacity = lock(&self.input).pieces.piece_bytes_max() + GROWTH_BYTES;
        let (mut piece, mut transformed) = (Buf::with_capacity(capacity), Buf::with_capacity(capacity));
        while let Some((turn, chunks)) = self.take(&mut piece) {
            let result = chunks.and_then(|chunks| transform(chunks, piece.filled(), &mut transformed));
            if !self.deliver(turn, piece.filled().len(), transformed.filled(), result) {
                return;
            }
            piece.clear();
            transformed.clear();
        }
    }

    /// Reads the next piece and returns its turn number.
    fn take(&self, piece: &mut Buf) -> Option<(u64, Result<ChunkRun, Error>)> {
        let mut input = lock(&self.input);
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let chunks = if self.cancel.is_some_and(Cancel::is_triggered) {
            Err(haul_io::cancelled())
        } else {
            input.pieces.take(piece)?
        };
        let turn = input.turn;
        input.turn += 1;
        Some((turn, chunks.map_err(Error::of_read)))
    }

    /// Writes the result of the piece with turn number `turn`. Returns whether the worker must continue.
    fn deliver(&self, turn: u64, read: usize, transformed: &[u8], result: Result<(), Error>) -> bool {
        let mut output = lock(&self.output);
        while output.turn != turn && !self.stopped.load(Ordering::Relaxed) {
            output = self.passed.wait(output).unwrap_or_else(PoisonError::into_inner);
        }
        if self.stopped.load(Ordering::Relaxed) {
            return false;
        }
        let written = output.sink.write_all(transformed).map_err(Error::at(During::Write));
        match result.and(written) {
            Ok(()) => {
                output.turn += 1;
                output.moved.read += read as u64;
                output.moved.written += transformed.len() as u64;
                self.passed.notify_all();
                true
            }
            Err(error) => {
                output.failure = Some(error);
                self.stop(&output);
                false
            }
        }
    }

    /// Stops all workers. The caller holds the output's lock, so no worker is between its check and its wait.
    fn stop(&self, _output: &MutexGuard<'_, Output<W>>) {
        self.stopped.store(true, Ordering::Relaxed);
        self.passed.notify_all();
        // A worker may be waiting for the source.
        self.cancel.iter().for_each(|cancel| cancel.trigger());
    }
}

/// Stops the other workers if a worker panics, because it won't pass its turn on.
struct StopsOnPanic<'a, 'b, R: Read + Send, W: Write + Send>(&'a Turns<'b, R, W>);

impl<R: Read + Send, W: Write + Send> Drop for StopsOnPanic<'_, '_, R, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(&lock(&self.0.output));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
