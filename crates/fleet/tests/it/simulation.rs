//! Fleets in a simulation: calls and answers are lost or late, nodes are killed and stopped, the server restarts.
//!
//! Owns: the simulation, and what must hold in each.
//! Does not own: its server ([`super::fake`]).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use haul_fleet::{
    Ended, Failure, Finished, Member, Next, Outcome, Prepared, Reply, Results, Run, Server, Settings, pack,
    unpack,
};

use crate::fake::FakeServer;

/// Numbers that follow from a seed: SplitMix64.
#[derive(Clone)]
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn chance(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

pub(crate) type Random = Box<dyn FnMut(&mut [u8])>;

struct Node {
    member: Member<Random>,
    /// The lines of each slice that it has not worked on.
    open: BTreeMap<String, Vec<Vec<u8>>>,
    /// An answer on its way, and when it arrives.
    answer: Option<(u64, Result<Reply, Failure>)>,
    stopped_until: u64,
    ended: Option<Ended>,
    /// The shards of its slices, if it packs.
    shards: BTreeMap<String, Shard>,
}

/// The results of a slice, which appear at once.
struct Shard {
    lines: Vec<Vec<u8>>,
    attempt: usize,
    is_asked: bool,
    is_announced: bool,
}

/// What goes wrong.
#[derive(Clone, Copy)]
pub(crate) struct Faults {
    /// One call of so many is lost, and one answer of so many.
    pub(crate) losses: u64,
    /// One step of so many kills or stops a node.
    pub(crate) deaths: u64,
    /// One step of so many restarts the server with the state of some steps before.
    pub(crate) rollbacks: u64,
}

struct World {
    random: Seeded,
    server: FakeServer,
    earlier: FakeServer,
    now: u64,
    nodes: Vec<Node>,
    /// How often each slice was acknowledged.
    acknowledged: BTreeMap<String, u32>,
    published: BTreeSet<Vec<u8>>,
    /// Whether the results of a slice become a shard.
    packs: bool,
    /// The shards that were published, by name. Empty ones keep others from appearing.
    sink: BTreeMap<String, Vec<Vec<u8>>>,
    /// Whether no node dies any more.
    is_calm: bool,
    /// Whether owners are unique: not if the server forgets.
    is_exact: bool,
}

pub(crate) const LEASE: u64 = 3_000;
pub(crate) const NEVER: u64 = u64::MAX;

impl World {
    fn new(seed: u64, slices: u64, packs: bool, faults: Faults) -> Self {
        let mut run = Run::new(FakeServer::default());
        let settings =
            Settings { lease: Duration::from_millis(LEASE), deliveries_max: 1_000, ..Settings::default() };
        run.create(&settings, &[]).unwrap();
        for number in 1..=slices {
            let lines: Vec<_> = (0..3).map(|line| format!("{number}.{line}")).collect();
            run.add(number, 3, pack(&lines)).unwrap();
        }
        run.fill(&[]).unwrap();
        let server = run.into_server();
        let mut world = Self {
            random: Seeded(seed),
            earlier: server.clone(),
            server,
            now: 0,
            nodes: Vec::new(),
            acknowledged: BTreeMap::new(),
            published: BTreeSet::new(),
            packs,
            sink: BTreeMap::new(),
            is_calm: false,
            is_exact: faults.rollbacks == NEVER,
        };
        for _ in 0..3 {
            let node = world.node();
            world.nodes.push(node);
        }
        world
    }

    fn node(&mut self) -> Node {
        let mut random = Seeded(self.random.next());
        let fill: Random = Box::new(move |out| out.iter_mut().for_each(|byte| *byte = random.next() as u8));
        let mut member = Member::new("node", fill);
        member.want(2);
        Node {
            member,
            open: BTreeMap::new(),
            answer: None,
            stopped_until: 0,
            ended: None,
            shards: BTreeMap::new(),
        }
    }

    fn time(&self) -> Duration {
        Duration::from_millis(self.now)
    }

    /// One step of each node that isn't stopped.
    fn step(&mut self, faults: Faults) {
        self.now += 1 + self.random.below(200);
        self.server.now_ms = self.now;
        if self.random.chance(faults.rollbacks) {
            self.server.clone_from(&self.earlier);
            self.server.now_ms = self.now;
        } else if self.random.chance(20) {
            self.earlier = self.server.clone();
        }
        for index in 0..self.nodes.len() {
            if self.random.chance(faults.deaths) {
                if self.random.chance(2) {
                    self.nodes[index] = self.node();
                } else {
                    self.nodes[index].stopped_until = self.now + self.random.below(4 * LEASE);
                }
            }
            if self.nodes[index].stopped_until <= self.now {
                self.call(index, faults);
                if self.packs {
                    self.pack(index);
                } else {
                    self.work(index);
                }
            }
        }
        self.check_owners();
    }

    fn call(&mut self, index: usize, faults: Faults) {
        let time = self.time();
        if let Some((at, _)) = &self.nodes[index].answer {
            if *at > self.now {
                return;
            }
            if let Some((_, answer)) = self.nodes[index].answer.take() {
                let outcome = self.nodes[index].member.answered(answer, time);
                self.handle(index, outcome);
            }
        }
        let Next::Call(call) = self.nodes[index].member.next(time) else { return };
        let lost = || Err(Failure::Lost("lost".to_owned()));
        let late_max = if self.random.chance(10) { 2 * LEASE } else { 20 };
        let late = self.random.below(late_max);
        let answer = if self.random.chance(faults.losses) {
            lost()
        } else {
            let answer = self.server.call(&call);
            if self.random.chance(faults.losses) { lost() } else { answer }
        };
        self.nodes[index].answer = Some((self.now + late, answer));
    }

    fn handle(&mut self, index: usize, outcome: Outcome) {
        let node = &mut self.nodes[index];
        match outcome {
            Outcome::Taken { id, content, prepared, .. } => self.take(index, id, &content, &prepared),
            Outcome::Prepared(id) => {
                node.shards.get_mut(&id).into_iter().for_each(|shard| shard.is_announced = true);
            }
            Outcome::Lost(ids) => {
                for id in ids {
                    node.open.remove(&id);
                    node.shards.remove(&id);
                }
            }
            Outcome::Acknowledged(id) => *self.acknowledged.entry(id).or_default() += 1,
            Outcome::Ended(ended) => node.ended = Some(ended),
            Outcome::Fenced(_) | Outcome::Unreached(_) | Outcome::Nothing => {}
        }
    }

    /// Begins a slice. Shards that others were about to publish are looked for, and kept from appearing later.
    fn take(&mut self, index: usize, id: String, content: &[u8], prepared: &[Results]) {
        for (attempt, results) in prepared.iter().enumerate() {
            let found = self.sink.entry(results.name.clone()).or_default();
            if found.len().to_string() == results.identity {
                self.nodes[index].member.adopt(&id, attempt);
                return;
            }
            if !self.is_calm && self.random.chance(5) {
                self.nodes[index] = self.node();
                return;
            }
        }
        let node = &mut self.nodes[index];
        if self.packs {
            let attempt = prepared.len();
            let shard = Shard { lines: Vec::new(), attempt, is_asked: false, is_announced: false };
            node.shards.insert(id.clone(), shard);
        }
        node.open.insert(id, unpack(content).unwrap());
    }

    /// Packs a line of each slice. Those that have no others are announced, and, when that is known, published.
    fn pack(&mut self, index: usize) {
        let (time, node) = (self.time(), &mut self.nodes[index]);
        let mut ended = Vec::new();
        for (id, lines) in &mut node.open {
            let Some(shard) = node.shards.get_mut(id) else { continue };
            let name = format!("{id}.{}", shard.attempt);
            if !lines.is_empty() {
                if node.member.may_start(id, time) {
                    shard.lines.extend(lines.pop());
                }
            } else if !shard.is_asked {
                shard.is_asked = true;
                let results = Results { name, identity: shard.lines.len().to_string() };
                node.member.prepare(Prepared { end: finished(id), attempt: shard.attempt, results });
            } else if shard.is_announced {
                match self.sink.entry(name) {
                    Entry::Vacant(free) => {
                        free.insert(shard.lines.clone());
                        node.member.finish(finished(id));
                    }
                    Entry::Occupied(_) => node.member.release(id),
                }
                ended.push(id.clone());
            }
        }
        for id in ended {
            node.open.remove(&id);
            node.shards.remove(&id);
        }
    }

    /// Does a line of each slice, and finishes those that have no others.
    fn work(&mut self, index: usize) {
        let (time, node) = (self.time(), &mut self.nodes[index]);
        let mut complete = Vec::new();
        for (id, lines) in &mut node.open {
            if lines.is_empty() {
                complete.push(id.clone());
            } else if node.member.may_start(id, time) {
                self.published.extend(lines.pop());
            }
        }
        for id in complete {
            node.open.remove(&id);
            node.member.finish(finished(&id));
        }
    }

    /// At no time may two nodes start work on one slice.
    fn check_owners(&self) {
        let mut owned = BTreeSet::new();
        for node in &self.nodes {
            for id in node.open.keys().filter(|id| node.member.may_start(id, self.time())) {
                assert!(owned.insert(id.clone()) || !self.is_exact, "two owners of {id} at {}", self.now);
            }
        }
    }
}

/// Runs a fleet with faults, then without until it is done.
pub(crate) fn simulate(seed: u64, packs: bool, faults: Faults) {
    const SLICES: u64 = 12;
    const CALM: Faults = Faults { losses: NEVER, deaths: NEVER, rollbacks: NEVER };
    let mut world = World::new(seed, SLICES, packs, faults);
    for _ in 0..300 {
        world.step(faults);
        // A server may forget the end that a node has seen: others come then.
        for index in 0..world.nodes.len() {
            if !world.is_exact && world.nodes[index].ended.is_some() {
                world.nodes[index] = world.node();
            }
        }
    }
    world.is_calm = true;
    let mut steps = 0;
    while world.nodes.iter().any(|node| node.ended.is_none() || !node.member.is_idle()) {
        world.step(CALM);
        steps += 1;
        assert!(steps < 5_000, "seed {seed}: the fleet never ends");
    }
    assert_eq!(world.server.total("done"), SLICES as i64, "seed {seed}");
    assert_eq!(world.server.total("lines_done"), 3 * SLICES as i64, "seed {seed}: counted once");
    let packed: Vec<_> = world.sink.values().flatten().cloned().collect();
    if packs && world.is_exact {
        assert_eq!(packed.len(), 3 * SLICES as usize, "seed {seed}: every line is in one shard");
    }
    world.published.extend(packed);
    assert_eq!(world.published.len(), 3 * SLICES as usize, "seed {seed}: every line was done");
    if world.is_exact {
        assert!(
            world.acknowledged.values().all(|count| *count == 1),
            "seed {seed}: {:?}",
            world.acknowledged
        );
    }
}

/// The end of the slice `id`.
pub(crate) fn finished(id: &str) -> Finished {
    let totals = vec![("lines_done", 3)];
    Finished { id: id.to_owned(), report: b"{}".to_vec(), failures: Vec::new(), totals }
}
