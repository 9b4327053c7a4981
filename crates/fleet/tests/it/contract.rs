//! Fleets in a simulation: calls and answers are lost or late, nodes are killed and stopped, the server restarts.
//!
//! Owns: the simulation and what must hold in it.
//! Does not own: the real server ([`super::redis`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use haul_fleet::{
    Ended, Failure, Finished, Member, Next, Outcome, Reply, Run, Server, Settings, pack, unpack,
};

use crate::fake::FakeServer;

/// Numbers that follow from a seed: SplitMix64.
#[derive(Clone)]
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    fn next(&mut self) -> u64 {
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

type Random = Box<dyn FnMut(&mut [u8])>;

struct Node {
    member: Member<Random>,
    /// The lines of each slice that it has not worked on.
    open: BTreeMap<String, Vec<Vec<u8>>>,
    /// An answer on its way, and when it arrives.
    answer: Option<(u64, Result<Reply, Failure>)>,
    stopped_until: u64,
    ended: Option<Ended>,
}

/// What goes wrong.
#[derive(Clone, Copy)]
struct Faults {
    /// One call of so many is lost, and one answer of so many.
    losses: u64,
    /// One step of so many kills or stops a node.
    deaths: u64,
    /// One step of so many restarts the server with the state of some steps before.
    rollbacks: u64,
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
    /// Whether owners are unique: not if the server forgets.
    is_exact: bool,
}

const LEASE: u64 = 3_000;
const NEVER: u64 = u64::MAX;

impl World {
    fn new(seed: u64, slices: u64, faults: Faults) -> Self {
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
        Node { member, open: BTreeMap::new(), answer: None, stopped_until: 0, ended: None }
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
                self.work(index);
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
            Outcome::Taken { id, content, .. } => {
                node.open.insert(id, unpack(&content).unwrap());
            }
            Outcome::Lost(ids) => ids.iter().for_each(|id| drop(node.open.remove(id))),
            Outcome::Acknowledged(id) => *self.acknowledged.entry(id).or_default() += 1,
            Outcome::Ended(ended) => node.ended = Some(ended),
            Outcome::Fenced(_) | Outcome::Unreached(_) | Outcome::Nothing => {}
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
            let totals = vec![("lines_done", 3)];
            node.member.finish(Finished { id, report: b"{}".to_vec(), failures: Vec::new(), totals });
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
fn simulate(seed: u64, faults: Faults) {
    const SLICES: u64 = 12;
    const CALM: Faults = Faults { losses: NEVER, deaths: NEVER, rollbacks: NEVER };
    let mut world = World::new(seed, SLICES, faults);
    for _ in 0..300 {
        world.step(faults);
        // A server may forget the end that a node has seen: others come then.
        for index in 0..world.nodes.len() {
            if !world.is_exact && world.nodes[index].ended.is_some() {
                world.nodes[index] = world.node();
            }
        }
    }
    let mut steps = 0;
    while world.nodes.iter().any(|node| node.ended.is_none() || !node.member.is_idle()) {
        world.step(CALM);
        steps += 1;
        assert!(steps < 5_000, "seed {seed}: the fleet never ends");
    }
    assert_eq!(world.server.total("done"), SLICES as i64, "seed {seed}");
    assert_eq!(world.server.total("lines_done"), 3 * SLICES as i64, "seed {seed}: counted once");
    assert_eq!(world.published.len(), 3 * SLICES as usize, "seed {seed}: every line was done");
    if world.is_exact {
        assert!(
            world.acknowledged.values().all(|count| *count == 1),
            "seed {seed}: {:?}",
            world.acknowledged
        );
    }
}

#[test]
fn every_slice_has_one_owner_and_counts_once() {
    for seed in 0..400 {
        simulate(seed, Faults { losses: 8, deaths: 40, rollbacks: NEVER });
    }
}

#[test]
fn a_server_that_forgets_its_last_changes_loses_no_slice() {
    for seed in 0..400 {
        simulate(seed, Faults { losses: 8, deaths: 60, rollbacks: 60 });
    }
}

#[test]
fn a_fleet_without_faults_does_each_line_once() {
    simulate(1, Faults { losses: NEVER, deaths: NEVER, rollbacks: NEVER });
}

fn counting(from: u64) -> Random {
    let mut random = Seeded(from);
    Box::new(move |out| out.iter_mut().for_each(|byte| *byte = random.next() as u8))
}

/// Makes the calls of `member` until it sleeps. Returns what they meant.
fn settle(member: &mut Member<Random>, server: &mut FakeServer) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    loop {
        let now = Duration::from_millis(server.now_ms);
        let Next::Call(call) = member.next(now) else { return outcomes };
        let outcome = member.answered(server.call(&call), now);
        if outcome != Outcome::Nothing {
            outcomes.push(outcome);
        }
    }
}

fn one_slice(deliveries_max: u32) -> FakeServer {
    let mut run = Run::new(FakeServer::default());
    let settings = Settings { lease: Duration::from_millis(LEASE), deliveries_max, ..Settings::default() };
    run.create(&settings, &[]).unwrap();
    run.add(1, 1, pack(&["a"])).unwrap();
    run.fill(&[]).unwrap();
    run.into_server()
}

#[test]
fn a_slice_that_outlives_its_nodes_is_set_aside_with_the_reasons() {
    let mut server = one_slice(3);
    for number in 1..=3 {
        let mut member = Member::new(&format!("node-{number}"), counting(number));
        member.want(1);
        let taken = settle(&mut member, &mut server);
        assert!(
            matches!(&taken[..], [Outcome::Taken { deliveries, .. }] if *deliveries == number),
            "{taken:?}"
        );
        server.now_ms += LEASE;
    }
    let mut last = Member::new("last", counting(9));
    last.want(1);
    assert_eq!(settle(&mut last, &mut server), [Outcome::Ended(Ended::Complete)]);
    assert_eq!(server.set_aside(), 1);
    let (mut run, mut said) = (Run::new(server), Vec::new());
    run.each(haul_fleet::Kept::Reasons, |id, text| said.push((id.to_owned(), text.to_vec()))).unwrap();
    let text = String::from_utf8(said[0].1.clone()).unwrap();
    assert!((1..=3).all(|number| text.contains(&format!("node-{number} was silent"))), "{text}");
    // It can be tried again, once.
    assert!(run.retry("1-0", 1, None).unwrap());
    assert!(!run.retry("1-0", 1, None).unwrap());
    assert_eq!(run.status().unwrap().total("slices"), 2);
}

#[test]
fn a_late_finisher_is_fenced_and_a_lost_answer_is_not() {
    let mut server = one_slice(5);
    let mut late = Member::new("late", counting(1));
    late.want(1);
    let [Outcome::Taken { id, .. }] = &settle(&mut late, &mut server)[..] else { panic!("nothing taken") };
    let id = id.clone();
    let finished = || Finished {
        id: id.clone(),
        report: Vec::new(),
        failures: Vec::new(),
        totals: vec![("succeeded", 1)],
    };
    server.now_ms += LEASE;
    assert!(!late.may_start(&id, Duration::from_millis(server.now_ms)));
    let mut other = Member::new("other", counting(2));
    other.want(1);
    assert!(matches!(settle(&mut other, &mut server)[..], [Outcome::Taken { deliveries: 2, .. }]));

    late.want(0);
    assert!(late.finish(finished()), "it doesn't know yet");
    assert_eq!(settle(&mut late, &mut server), [Outcome::Fenced(id.clone())]);
    assert_eq!(server.total("succeeded"), 0);

    // The answer to the acknowledgement is lost: it is repeated, and counts once.
    other.want(0);
    assert!(other.finish(finished()));
    let now = Duration::from_millis(server.now_ms);
    let Next::Call(call) = other.next(now) else { panic!("no call") };
    server.call(&call).unwrap();
    other.answered(Err(Failure::Lost(String::new())), now);
    server.now_ms += 10_000;
    assert_eq!(settle(&mut other, &mut server), [Outcome::Acknowledged(id)]);
    assert_eq!((server.total("succeeded"), server.total("done")), (1, 1));
}

#[test]
fn a_node_that_knows_that_its_lease_is_lost_hears_so_when_it_finishes() {
    let mut server = one_slice(5);
    let (mut late, mut other) = (Member::new("late", counting(1)), Member::new("other", counting(2)));
    late.want(1);
    settle(&mut late, &mut server);
    server.now_ms += LEASE;
    other.want(1);
    settle(&mut other, &mut server);
    late.want(0);
    assert_eq!(settle(&mut late, &mut server), [Outcome::Lost(vec!["1-0".to_owned()])]);
    let (id, totals) = ("1-0".to_owned(), Vec::new());
    assert!(!late.finish(Finished { id, report: Vec::new(), failures: Vec::new(), totals }));
    assert!(late.is_idle());
}

#[test]
fn a_node_that_is_given_its_own_slice_goes_on_with_it() {
    let mut server = one_slice(5);
    let mut member = Member::new("slow", counting(1));
    member.want(1);
    settle(&mut member, &mut server);
    // The call for another slice is on its way for longer than the lease; meanwhile the work is done.
    member.want(2);
    let Next::Call(call) = member.next(Duration::from_millis(server.now_ms)) else { panic!("no call") };
    server.now_ms += LEASE;
    let finished = Finished {
        id: "1-0".to_owned(),
        report: Vec::new(),
        failures: Vec::new(),
        totals: vec![("succeeded", 1)],
    };
    assert!(member.finish(finished));
    let now = Duration::from_millis(server.now_ms);
    assert_eq!(member.answered(server.call(&call), now), Outcome::Nothing);
    let outcomes = settle(&mut member, &mut server);
    assert_eq!(outcomes, [Outcome::Acknowledged("1-0".to_owned()), Outcome::Ended(Ended::Complete)]);
    assert!(member.is_idle());
    assert_eq!(server.total("succeeded"), 1);
}

#[test]
fn a_node_that_leaves_gives_back_without_blame() {
    let mut server = one_slice(1);
    for number in 0..5 {
        let mut member = Member::new("leaver", counting(number));
        member.want(1);
        let taken = settle(&mut member, &mut server);
        assert!(matches!(taken[..], [Outcome::Taken { deliveries: 1, .. }]), "{number}: {taken:?}");
        member.leave();
        settle(&mut member, &mut server);
        assert_eq!(member.next(Duration::from_millis(server.now_ms)), Next::Left);
    }
    assert_eq!(server.set_aside(), 0);
}
