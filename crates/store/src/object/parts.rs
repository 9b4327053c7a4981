//! The parts of an object, sent in order by several threads.
//!
//! Owns: the threads, the bound on parts in flight.
//! Does not own: cutting bytes into parts ([`super::writer`]), what becomes of them ([`super::assembly`]).

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use haul_engine::ThreadPool;

use crate::Error;
use crate::object::assembly::Assembly;

/// The parts of one object. Dropping it aborts the upload, unless it was published.
pub(super) struct Parts {
    assembly: Arc<Assembly>,
    /// Started for the first part.
    pool: Option<ThreadPool<Ticket>>,
    answers: (Sender<Answer>, Receiver<Answer>),
    /// The number of the last part that was handed over.
    number: u32,
    in_flight: usize,
    in_flight_max: usize,
}

type Answer = Result<(), Error>;

struct Ticket {
    number: u32,
    bytes: Vec<u8>,
    reply: Reply,
}

/// Answers exactly once, also if its thread panics.
struct Reply(Option<Sender<Answer>>);

impl Reply {
    fn send(mut self, answer: Answer) {
        if let Some(sender) = self.0.take() {
            // The upload was dropped, which needs no answer.
            let _ = sender.send(answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(Err(Error::Local(io::Error::other("a worker panicked"))));
        }
    }
}

impl Parts {
    pub(super) fn new(in_flight_max: usize, assembly: Assembly) -> Self {
        Self {
            assembly: Arc::new(assembly),
            pool: None,
            answers: channel(),
            number: 0,
            in_flight: 0,
            in_flight_max: in_flight_max.max(1),
        }
    }

    pub(super) fn assembly(&self) -> &Assembly {
        &self.assembly
    }

    /// Whether a part was handed over.
    pub(super) fn has_begun(&self) -> bool {
        self.number > 0
    }

    /// Sends the next part, after waiting until fewer than the limit are in flight.
    ///
    /// # Errors
    /// That of any part.
    pub(super) fn send(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        while self.in_flight >= self.in_flight_max {
            self.take_answer()?;
        }
        self.number += 1;
        let ticket = Ticket { number: self.number, bytes, reply: Reply(Some(self.answers.0.clone())) };
        let pool = match self.pool.take() {
            Some(pool) => pool,
            None => self.start()?,
        };
        self.in_flight += 1;
        // A ticket that is returned answers by being dropped.
        let _ = self.pool.insert(pool).submit(ticket);
        Ok(())
    }

    fn start(&self) -> Result<ThreadPool<Ticket>, Error> {
        let assembly = self.assembly.clone();
        let cancel = assembly.store().cancel().child().map_err(Error::Local)?;
        let serve = move |_: &haul_io::Blocking, ticket: Ticket| {
            ticket.reply.send(assembly.send(ticket.number, ticket.bytes));
        };
        ThreadPool::start(self.in_flight_max, self.in_flight_max, cancel, serve).map_err(Error::Local)
    }

    /// Waits for all parts.
    ///
    /// # Errors
    /// That of any part.
    pub(super) fn join(&mut self) -> Result<(), Error> {
        while self.in_flight > 0 {
            self.take_answer()?;
        }
        Ok(())
    }

    fn take_answer(&mut self) -> Result<(), Error> {
        self.in_flight -= 1;
        self.answers.1.recv().map_err(|error| Error::Local(io::Error::other(error)))?
    }
}

impl Drop for Parts {
    /// Waits until nothing is in flight, whatever became of it, and aborts the upload: a part that arrives after that
    /// would stay.
    fn drop(&mut self) {
        while self.in_flight > 0 {
            let _ = self.take_answer();
        }
        // An upload that can't be aborted is swept later; one that was published no longer exists.
        let _ = self.assembly.abort();
    }
}
