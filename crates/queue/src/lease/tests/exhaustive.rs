//! All interleavings of a supervisor and two workers on two slots, with a death possible before every step.
//!
//! Owns: each party as a list of steps of one access to shared memory each; the search; the properties.
//! Does not own: memory orderings and event counts (see `modelled.rs`). A sleep can end at any time here.
//!
//! The transitions are those of `word.rs`, so a wrong rule there fails here. Ghost fields record facts that no party
//! knows.

use crate::lease::word::{Reaped, State, Suspicion, Word};
use std::collections::HashSet;

const SLOTS: usize = 2;
const WORKERS: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Setup {
    tasks: u8,
    /// The number of deaths, real or supposed, that a run may see.
    deaths: u8,
    deaths_max: u8,
    /// The supervisor may reap an owner that is alive.
    supposed: bool,
    /// Attempts record intents. Not in combination with `supposed`: a worker that is reaped alive may tear one.
    intents: bool,
}

/// A worker's next step.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Worker {
    /// K1: load the word of some slot.
    Look,
    /// K2: claim the slot, if its word is still as seen.
    Claim {
        slot: usize,
        seen: Word,
    },
    /// T1, T2.
    Read {
        slot: usize,
        lease: Word,
    },
    /// I1 in two halves, then I2.
    Intent {
        slot: usize,
        lease: Word,
        task: u8,
        part: usize,
    },
    /// F1 in two halves, so that a death can tear an outcome.
    Write {
        slot: usize,
        lease: Word,
        task: u8,
        half: usize,
    },
    /// F2.
    Finish {
        slot: usize,
        lease: Word,
    },
    /// F3. Only the length of a sleep depends on it.
    Notify,
    Dead,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Supervisor {
    /// Choose: offer, collect, or reap.
    Choose,
    /// O2, after O1.
    Publish { slot: usize },
    /// G1 found the slot done: read it, then G2.
    Free { slot: usize },
    /// R1 at this slot; `gone` if the owner was dead before.
    Reap { owner: usize, gone: bool, slot: usize },
    /// R2, with the word that R1 saw.
    TakeBack { owner: usize, gone: bool, slot: usize, seen: Word },
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    words: [Word; SLOTS],
    tasks: [u8; SLOTS],
    /// The two buffers for an intent, and which one is current.
    intents: [([[u8; 2]; 2], Option<usize>); SLOTS],
    outcomes: [[u8; 2]; SLOTS],
    workers: [Worker; WORKERS],
    supervisor: Supervisor,
    /// Tasks 1 to `offered` were offered.
    offered: u8,
    deaths: u8,
    // Ghost fields, indexed by task number − 1.
    finished: [u8; 3],
    reported: [u8; 3],
    poisoned: [u8; 3],
    /// The number of its leases that were reclaimed.
    killed: [u8; 3],
    /// The last intent whose recording was completed.
    recorded: [u8; 3],
}

fn owner(worker: usize) -> u16 {
    worker as u16 + 1
}

impl World {
    fn new() -> Self {
        Self {
            words: [Word(0); SLOTS],
            tasks: [0; SLOTS],
            intents: [([[0; 2]; 2], None); SLOTS],
            outcomes: [[0; 2]; SLOTS],
            workers: [Worker::Look; WORKERS],
            supervisor: Supervisor::Choose,
            offered: 0,
            deaths: 0,
            finished: [0; 3],
            reported: [0; 3],
            poisoned: [0; 3],
            killed: [0; 3],
            recorded: [0; 3],
        }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        change(&mut next);
        next
    }

    fn swap(&mut self, slot: usize, seen: Word, next: Word) -> bool {
        let same = self.words[slot] == seen;
        if same {
            self.words[slot] = next;
        }
        same
    }

    /// The worlds that one step of one party leads to.
    fn successors(&self, setup: &Setup) -> Vec<Self> {
        let mut next = Vec::new();
        for worker in 0..WORKERS {
            self.worker_steps(setup, worker, &mut next);
            if self.workers[worker] != Worker::Dead && self.deaths < setup.deaths {
                next.push(self.with(|world| {
                    world.workers[worker] = Worker::Dead;
                    world.deaths += 1;
                }));
            }
        }
        self.supervisor_steps(setup, &mut next);
        next
    }

    fn worker_steps(&self, setup: &Setup, me: usize, next: &mut Vec<Self>) {
        let mut step = |change: &dyn Fn(&mut Self) -> Worker| {
            let mut world = self.clone();
            world.workers[me] = change(&mut world);
            next.push(world);
        };
        match self.workers[me] {
            Worker::Dead => {}
            Worker::Look => {
                for slot in 0..SLOTS {
                    let seen = self.words[slot];
                    if seen.is(State::Ready) {
                        step(&|_| Worker::Claim { slot, seen });
                    }
                }
            }
            Worker::Claim { slot, seen } => step(&|world| {
                let lease = seen.claimed(owner(me)).expect("seen ready");
                if world.swap(slot, seen, lease) { Worker::Read { slot, lease } } else { Worker::Look }
            }),
            Worker::Read { slot, lease } => step(&|world| {
                let task = world.tasks[slot];
                if world.words[slot] != lease {
                    return Worker::Look;
                }
                if !setup.intents {
                    return Worker::Write { slot, lease, task, half: 0 };
                }
                world.check_intent(slot);
                Worker::Intent { slot, lease, task, part: 0 }
            }),
            Worker::Intent { slot, lease, task, part } => step(&|world| {
                let intent = 8 * task + world.killed[usize::from(task) - 1] + 1;
                let (places, counts) = &mut world.intents[slot];
                let spare = counts.map_or(0, |place| 1 - place);
                if part < 2 {
                    places[spare][part] = intent;
                    return Worker::Intent { slot, lease, task, part: part + 1 };
                }
                *counts = Some(spare);
                world.recorded[usize::from(task) - 1] = intent;
                Worker::Write { slot, lease, task, half: 0 }
            }),
            Worker::Write { slot, lease, task, half } => step(&|world| {
                world.outcomes[slot][half] = task;
                if half == 0 {
                    Worker::Write { slot, lease, task, half: 1 }
                } else {
                    Worker::Finish { slot, lease }
                }
            }),
            Worker::Finish { slot, lease } => step(&|world| {
                let finished = world.swap(slot, lease, lease.finished().expect("a lease is running"));
                world.finished[usize::from(world.tasks[slot]) - 1] += u8::from(finished);
                if finished { Worker::Notify } else { Worker::Look }
            }),
            Worker::Notify => step(&|_| Worker::Look),
        }
    }

    fn supervisor_steps(&self, setup: &Setup, next: &mut Vec<Self>) {
        match self.supervisor {
            Supervisor::Choose => self.supervisor_choices(setup, next),
            Supervisor::Publish { slot } => next.push(self.with(|world| {
                world.words[slot] = world.words[slot].offered(0).expect("free");
                world.supervisor = Supervisor::Choose;
            })),
            Supervisor::Free { slot } => next.push(self.with(|world| {
                world.report(slot, setup);
                world.words[slot] = world.words[slot].collected().expect("done");
                world.supervisor = Supervisor::Choose;
            })),
            Supervisor::Reap { owner, gone, slot: SLOTS } => next.push(self.with(|world| {
                // A replacement starts under the same number. A worker that was reaped alive continues and is fenced;
                // if it died during the reaping, it must be reaped again.
                if gone {
                    world.workers[owner] = Worker::Look;
                }
                world.supervisor = Supervisor::Choose;
            })),
            Supervisor::Reap { owner, gone, slot } => next.push(self.with(|world| {
                world.supervisor = Supervisor::TakeBack { owner, gone, slot, seen: world.words[slot] };
            })),
            Supervisor::TakeBack { owner, gone, slot, seen } => next.push(self.with(|world| {
                world.take_back(owner, slot, seen, setup);
                world.supervisor = Supervisor::Reap { owner, gone, slot: slot + 1 };
            })),
        }
    }

    fn supervisor_choices(&self, setup: &Setup, next: &mut Vec<Self>) {
        for slot in 0..SLOTS {
            if self.words[slot].is(State::Free) && self.offered < setup.tasks {
                next.push(self.with(|world| {
                    world.offered += 1;
                    world.tasks[slot] = world.offered;
                    world.intents[slot].1 = None;
                    world.supervisor = Supervisor::Publish { slot };
                }));
            }
            if self.words[slot].is(State::Done) {
                next.push(self.with(|world| world.supervisor = Supervisor::Free { slot }));
            }
        }
        for owner in 0..WORKERS {
            let gone = self.workers[owner] == Worker::Dead;
            let supposed = setup.supposed && !gone && self.deaths < setup.deaths;
            if gone || supposed {
                next.push(self.with(|world| {
                    world.deaths += u8::from(supposed);
                    world.supervisor = Supervisor::Reap { owner, gone, slot: 0 };
                }));
            }
        }
    }

    fn report(&mut self, slot: usize, setup: &Setup) {
        let task = self.tasks[slot];
        self.reported[usize::from(task) - 1] += 1;
        // A worker that is reaped alive may tear an outcome, as documented.
        assert!(setup.supposed || self.outcomes[slot] == [task; 2], "torn outcome");
    }

    /// Checks the intent that the next attempt reads.
    fn check_intent(&self, slot: usize) {
        let (places, counts) = self.intents[slot];
        let found = counts.map_or([0; 2], |place| places[place]);
        let recorded = self.recorded[usize::from(self.tasks[slot]) - 1];
        assert!(found == [recorded; 2], "a intent was torn or forgotten");
    }

    fn take_back(&mut self, dead: usize, slot: usize, seen: Word, setup: &Setup) {
        let (next, poisoned) = match seen.reaped(owner(dead), Suspicion { more: 1, max: setup.deaths_max }) {
            None => return,
            Some(Reaped::Reclaimed(next)) => (next, 0),
            Some(Reaped::Poisoned(next)) => (next, 1),
        };
        if self.swap(slot, seen, next) {
            self.check_intent(slot);
            let task = usize::from(self.tasks[slot]) - 1;
            self.killed[task] += 1;
            self.poisoned[task] += poisoned;
        }
    }

    fn check(&self, setup: &Setup) {
        for task in 0..usize::from(setup.tasks) {
            let ends = self.finished[task] + self.poisoned[task];
            assert!(ends <= 1, "a task ended twice");
            assert!(self.reported[task] <= self.finished[task], "an outcome without a finish");
            assert!(self.killed[task] <= setup.deaths_max, "the limit of deaths was passed");
            assert_eq!(
                self.poisoned[task] == 1,
                self.killed[task] == setup.deaths_max,
                "poisoned at the limit"
            );
        }
        let running: Vec<Word> = self.words.into_iter().filter(|word| word.is(State::Running)).collect();
        for slot in running {
            assert!((1..=WORKERS as u16).contains(&slot.owner()), "running without an owner");
        }
    }

    /// Checks a world in which no step is possible: every task was reported, as done or as poisonous.
    fn check_end(&self, setup: &Setup) {
        for task in 0..usize::from(setup.tasks) {
            assert_eq!(self.reported[task] + self.poisoned[task], 1, "task {} was lost", task + 1);
        }
        assert!(self.words.iter().all(|word| word.is(State::Free)));
    }
}

/// Visits every reachable world and returns their number.
#[track_caller]
fn check(setup: Setup) -> usize {
    let mut visited = HashSet::new();
    let mut open = vec![World::new()];
    while let Some(world) = open.pop() {
        if !visited.insert(world.clone()) {
            continue;
        }
        world.check(&setup);
        let next = world.successors(&setup);
        // A death is no progress: the end is a world in which nothing else can happen.
        if next.iter().all(|next| next.deaths > world.deaths) {
            world.check_end(&setup);
        }
        open.extend(next);
    }
    visited.len()
}

#[test]
fn three_tasks_without_death() {
    assert!(check(Setup { tasks: 3, deaths: 0, deaths_max: 1, supposed: false, intents: false }) > 1_000);
}

#[test]
fn two_tasks_and_three_deaths() {
    assert!(check(Setup { tasks: 2, deaths: 3, deaths_max: 2, supposed: false, intents: false }) > 10_000);
}

#[test]
fn the_first_death_is_the_last() {
    assert!(check(Setup { tasks: 2, deaths: 2, deaths_max: 1, supposed: false, intents: false }) > 10_000);
}

#[test]
fn two_tasks_and_workers_reaped_alive() {
    assert!(check(Setup { tasks: 2, deaths: 2, deaths_max: 2, supposed: true, intents: false }) > 10_000);
}

#[test]
fn intents_and_three_deaths() {
    assert!(check(Setup { tasks: 1, deaths: 3, deaths_max: 3, supposed: false, intents: true }) > 1_000);
}

#[test]
fn intents_of_tasks_in_the_same_slot() {
    assert!(check(Setup { tasks: 2, deaths: 1, deaths_max: 2, supposed: false, intents: true }) > 10_000);
}
