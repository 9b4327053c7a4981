//! The contract under shuttle: nodes are threads, which a scheduler stops anywhere, for as long as others run.
//!
//! Owns: a fleet under random and priority-based schedules.
//! Does not own: the server ([`super::fake`]), faults in an order that seeds choose ([`super::simulation`]).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use haul_fleet::{Failure, Member, Next, Outcome, Prepared, Results, Run, Server, Settings, pack, unpack};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use crate::fake::FakeServer;
use crate::simulation::{LEASE, finished};

const SCHEDULES: usize = 400;
const SEED: u64 = 0x0066_6c65_6574;
const NODES: usize = 3;
const SLICES: u64 = 3;

/// What all nodes see.
struct World {
    server: Mutex<FakeServer>,
    /// The time in milliseconds.
    clock: AtomicU64,
    /// The shards that were published, by name. Empty ones keep others from appearing.
    sink: Mutex<BTreeMap<String, Vec<Vec<u8>>>>,
    acknowledged: AtomicU64,
}

/// The work of a node on a slice.
struct Work {
    left: Vec<Vec<u8>>,
    done: Vec<Vec<u8>>,
    attempt: usize,
    announced: Announced,
}

#[derive(PartialEq)]
enum Announced {
    No,
    Asked,
    Yes,
}

impl World {
    fn new() -> Self {
        let mut run = Run::new(FakeServer::default());
        let settings =
            Settings { lease: Duration::from_millis(LEASE), deliveries_max: 1_000, ..Settings::default() };
        run.create(&settings, &[]).unwrap();
        for number in 1..=SLICES {
            run.add(number, 2, pack(&[format!("{number}.0"), format!("{number}.1")])).unwrap();
        }
        run.fill(&[]).unwrap();
        let (server, sink) = (Mutex::new(run.into_server()), Mutex::default());
        Self { server, clock: AtomicU64::new(0), sink, acknowledged: AtomicU64::new(0) }
    }

    /// Some time goes by. Returns what the clock shows then.
    fn tick(&self) -> Duration {
        let passed = thread_rng().gen_range(0..200);
        Duration::from_millis(self.clock.fetch_add(passed, Ordering::SeqCst) + passed)
    }

    /// Others run, at times for longer than a lease.
    fn stop(&self) {
        if thread_rng().gen_range(0..3) == 0 {
            let until = self.tick() + Duration::from_millis(3 * LEASE);
            while self.tick() < until {
                thread::yield_now();
            }
        }
    }

    /// Makes a call, of which the request or the answer may be lost.
    fn call(&self, call: &haul_fleet::Call) -> Result<haul_fleet::Reply, Failure> {
        let lost = || Err(Failure::Lost("lost".to_owned()));
        if thread_rng().gen_range(0..10) == 0 {
            return lost();
        }
        let answer = {
            let mut server = self.server.lock().unwrap();
            server.now_ms = self.clock.load(Ordering::SeqCst);
            server.call(call)
        };
        if thread_rng().gen_range(0..10) == 0 { lost() } else { answer }
    }

    /// One node, until the run has ended.
    fn node(&self) {
        let mut member = Member::new("node", |out: &mut [u8]| {
            out.iter_mut().for_each(|byte| *byte = thread_rng().r#gen())
        });
        member.want(1);
        let (mut work, mut has_ended) = (BTreeMap::new(), false);
        while !has_ended || !member.is_idle() {
            let now = self.tick();
            match member.next(now) {
                Next::Call(call) => {
                    let answer = self.call(&call);
                    let outcome = member.answered(answer, self.tick());
                    match outcome {
                        Outcome::Taken { id, content, prepared, .. } => match self.adoptable(&prepared) {
                            Some(attempt) => drop(member.adopt(&id, attempt)),
                            None => {
                                let (left, done) = (unpack(&content).unwrap(), Vec::new());
                                let attempt = prepared.len();
                                work.insert(id, Work { left, done, attempt, announced: Announced::No });
                            }
                        },
                        Outcome::Prepared(id) => {
                            work.get_mut(&id).into_iter().for_each(|work| work.announced = Announced::Yes);
                        }
                        Outcome::Lost(ids) => ids.iter().for_each(|id| drop(work.remove(id))),
                        Outcome::Acknowledged(_) => drop(self.acknowledged.fetch_add(1, Ordering::SeqCst)),
                        Outcome::Ended(_) => has_ended = true,
                        Outcome::Fenced(_) | Outcome::Unreached(_) | Outcome::Nothing => {}
                    }
                }
                Next::Sleep(_) => thread::yield_now(),
                Next::Left => return,
            }
            work.retain(|id, work| self.goes_on(&mut member, id, work));
        }
    }

    /// Which of the shards that others have prepared has appeared. The rest can't appear any more.
    fn adoptable(&self, prepared: &[Results]) -> Option<usize> {
        prepared.iter().position(|results| {
            let mut sink = self.sink.lock().unwrap();
            sink.entry(results.name.clone()).or_default().len().to_string() == results.identity
        })
    }

    /// One step of work on a slice. Returns whether there is more to do.
    fn goes_on<R: FnMut(&mut [u8])>(&self, member: &mut Member<R>, id: &str, work: &mut Work) -> bool {
        let name = format!("{id}.{}", work.attempt);
        if !work.left.is_empty() {
            if member.may_start(id, self.tick()) {
                work.done.extend(work.left.pop());
            }
            return true;
        }
        match work.announced {
            Announced::Asked => return true,
            Announced::No => {
                work.announced = Announced::Asked;
                let results = Results { name, identity: work.done.len().to_string() };
                member.prepare(Prepared { end: finished(id), attempt: work.attempt, results });
                return true;
            }
            Announced::Yes => {}
        }
        self.stop();
        match self.sink.lock().unwrap().entry(name) {
            Entry::Vacant(free) => {
                free.insert(work.done.clone());
                member.finish(finished(id));
            }
            Entry::Occupied(_) => member.release(id),
        }
        false
    }
}

fn fleet() {
    let world = Arc::new(World::new());
    let nodes: Vec<_> = (0..NODES)
        .map(|_| {
            let world = world.clone();
            thread::spawn(move || world.node())
        })
        .collect();
    nodes.into_iter().for_each(|node| node.join().unwrap());
    let server = world.server.lock().unwrap();
    assert_eq!((server.total("done"), server.total("lines_done")), (SLICES as i64, 3 * SLICES as i64));
    assert_eq!(world.acknowledged.load(Ordering::SeqCst), SLICES);
    let mut lines: Vec<_> = world.sink.lock().unwrap().values().flatten().cloned().collect();
    let count = lines.len();
    lines.sort();
    lines.dedup();
    assert_eq!((count, lines.len()), (2 * SLICES as usize, 2 * SLICES as usize), "each line in one shard");
}

#[test]
fn under_any_schedule_each_slice_counts_once_and_each_line_is_in_one_shard() {
    let config = shuttle::Config::default;
    shuttle::Runner::new(RandomScheduler::new_from_seed(SEED, SCHEDULES), config()).run(fleet);
    shuttle::Runner::new(PctScheduler::new_from_seed(SEED, 3, SCHEDULES), config()).run(fleet);
}
