//! The parts of one upload, sent by several threads.
//!
//! Owns: the threads, the bound on parts in flight, parts that the store has already.
//! Does not own: cutting bytes into parts ([`super::writer`]).

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

use haul_engine::ThreadPool;

use crate::Error;
use crate::access::address::Object;
use crate::call::body::Content;
use crate::call::store::Store;
use crate::object::multipart::{Part, Target};

/// An upload in progress.
pub(super) struct Parts {
    pub(super) object: Object,
    pub(super) id: String,
    pool: ThreadPool<Ticket>,
    answers: (Sender<Answer>, Receiver<Answer>),
    in_flight: usize,
    in_flight_max: usize,
    /// What an earlier run has sent, by number.
    known: BTreeMap<u32, Part>,
    done: Vec<Part>,
}

type Answer = Result<Part, Error>;

struct Ticket {
    object: Object,
    id: String,
    number: u32,
    bytes: Vec<u8>,
    known: Option<Part>,
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
    /// `known` are the parts that the upload has already.
    pub(super) fn start(
        store: &Store,
        object: &Object,
        id: String,
        in_flight_max: usize,
        known: BTreeMap<u32, Part>,
    ) -> Result<Self, Error> {
        let in_flight_max = in_flight_max.max(1);
        let (cancel, store) = (store.cancel().child().map_err(Error::Local)?, store.clone());
        let serve = move |_: &haul_io::Blocking, ticket: Ticket| serve(&store, ticket);
        let pool = ThreadPool::start(in_flight_max, in_flight_max, cancel, serve).map_err(Error::Local)?;
        let object = object.clone();
        Ok(Self {
            object,
            id,
            pool,
            answers: channel(),
            in_flight: 0,
            in_flight_max,
            known,
            done: Vec::new(),
        })
    }

    /// Sends a part, after waiting until fewer than the limit are in flight.
    ///
    /// # Errors
    /// That of any part.
    pub(super) fn send(&mut self, number: u32, bytes: Vec<u8>) -> Result<(), Error> {
        while self.in_flight >= self.in_flight_max {
            self.take_answer()?;
        }
        let (object, id, known) = (self.object.clone(), self.id.clone(), self.known.remove(&number));
        let reply = Reply(Some(self.answers.0.clone()));
        self.in_flight += 1;
        // A ticket that is returned answers by being dropped.
        let _ = self.pool.submit(Ticket { object, id, number, bytes, known, reply });
        Ok(())
    }

    /// Waits for all parts, and returns them in order.
    pub(super) fn join(&mut self) -> Result<Vec<Part>, Error> {
        while self.in_flight > 0 {
            self.take_answer()?;
        }
        let mut done = std::mem::take(&mut self.done);
        done.sort_unstable_by_key(|part| part.number);
        Ok(done)
    }

    /// Waits until nothing is in flight, whatever became of it: a part that arrives after an upload was aborted would
    /// stay.
    pub(super) fn settle(&mut self) {
        while self.in_flight > 0 {
            let _ = self.take_answer();
        }
    }

    fn take_answer(&mut self) -> Result<(), Error> {
        self.in_flight -= 1;
        let answer = self.answers.1.recv().map_err(|error| Error::Local(io::Error::other(error)))?;
        self.done.push(answer?);
        Ok(())
    }
}

fn serve(store: &Store, ticket: Ticket) {
    let Ticket { object, id, number, bytes, known, reply } = ticket;
    let content = Content::new(bytes, !store.endpoint().is_tls());
    let is_there = |part: &Part| part.bytes == content.bytes && part.crc.as_ref() == Some(&content.crc);
    reply.send(match known.filter(is_there) {
        Some(part) => Ok(part),
        None => store.upload_part(Target { object: &object, id: &id }, number, &content),
    });
}
