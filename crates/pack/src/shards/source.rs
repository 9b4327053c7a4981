//! The tasks of a run that packs.
//!
//! A task whose member waits for the end of its shard is held here, without a worker. It starts once more when the
//! shard is published or has failed, only to say so. When no other task is left, a held task starts to publish its
//! shard.
//!
//! Owns: which tasks are held, when the last shards are published.
//! Does not own: shards ([`super::packer`]), the order of other tasks.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Again, Next, Source, TaskId};

use super::gate::PartGate;
use super::packer::Packer;
use super::ticket::Ticket;

/// A task whose result may be a member of a shard.
pub trait Packed {
    /// The ticket of the member, from the moment on when the shard has it.
    fn ticket(&self) -> Option<Ticket>;
}

/// The tasks of another source, some of which wait for the ends of their shards.
pub struct PackSource<S> {
    source: S,
    /// `None` if nothing is packed.
    packer: Option<Packer>,
    /// Held tasks by their shards.
    held: HashMap<u64, Waiting>,
    /// Held tasks whose shards have ended.
    ready: Vec<TaskId>,
    /// Tasks that were given out and have neither ended nor come back.
    under_way: usize,
    /// Whether only held tasks are left.
    is_ending: bool,
}

/// Tasks that wait for the end of a shard.
struct Waiting {
    tasks: Vec<TaskId>,
    /// Decides about the shard of a part, before one of the tasks was given out to publish it.
    gate: Option<Arc<dyn PartGate>>,
}

impl<S> PackSource<S> {
    /// The tasks of `source`. Without a packer, it is passed through.
    pub fn new(source: S, packer: Option<Packer>) -> Self {
        let (held, ready) = (HashMap::new(), Vec::new());
        Self { source, packer, held, ready, under_way: 0, is_ending: false }
    }

    /// The source of the tasks.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.source
    }

    fn next_held(&mut self) -> Option<TaskId> {
        let packer = self.packer.as_ref()?;
        for id in packer.take_settled() {
            self.ready.extend(self.held.remove(&id).into_iter().flat_map(|waiting| waiting.tasks));
        }
        self.ready.pop().or_else(|| self.next_of_complete_part())
    }

    /// A task that publishes the shard of a part to which nothing more comes.
    fn next_of_complete_part(&mut self) -> Option<TaskId> {
        self.held.values_mut().find_map(|waiting| {
            let gate = waiting.gate.take_if(|gate| gate.is_complete(waiting.tasks.len()));
            gate.and_then(|_| waiting.tasks.pop())
        })
    }

    /// After the last other task: a task that publishes its shard, one after the other.
    fn next_to_publish<T>(&mut self) -> Next<T> {
        self.is_ending = true;
        if self.under_way > 0 {
            return Next::Later;
        }
        let first = self.held.keys().min().copied();
        let Some(task) = first.and_then(|id| self.held.get_mut(&id)?.tasks.pop()) else { return Next::End };
        if let Some(packer) = &self.packer {
            packer.set_ending();
        }
        self.under_way += 1;
        Next::Again(task)
    }
}

impl<T: Packed, S: Source<T>> Source<T> for PackSource<S> {
    fn next(&mut self) -> Next<T> {
        if self.packer.is_none() {
            return self.source.next();
        }
        self.is_ending = false;
        if let Some(id) = self.next_held() {
            self.under_way += 1;
            return Next::Again(id);
        }
        match self.source.next() {
            Next::End => self.next_to_publish(),
            Next::Later => Next::Later,
            given => {
                self.under_way += 1;
                given
            }
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.source.set_waker(waker);
    }

    fn ask_again_in(&mut self) -> Duration {
        if self.is_ending { Duration::MAX } else { self.source.ask_again_in() }
    }

    fn again(&mut self, id: TaskId, task: &T) -> Again {
        if self.packer.is_none() {
            return self.source.again(id, task);
        }
        let again = match task.ticket() {
            None => self.source.again(id, task),
            Some(ticket) => {
                // The limits of the source are for the work, which is done.
                self.source.ended(task);
                if ticket.is_settled() {
                    return Again::AtOnce;
                }
                let gate = || ticket.0.gate.clone();
                let waiting = self.held.entry(ticket.0.id);
                waiting.or_insert_with(|| Waiting { tasks: Vec::new(), gate: gate() }).tasks.push(id);
                Again::WhenGiven
            }
        };
        if again == Again::WhenGiven {
            self.under_way -= 1;
        }
        again
    }

    fn ended(&mut self, task: &T) {
        if self.packer.is_none() {
            return self.source.ended(task);
        }
        self.under_way -= 1;
        if task.ticket().is_none() {
            self.source.ended(task);
        }
    }
}
