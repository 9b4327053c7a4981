//! Limits of hosts in a simulation: calls and answers are lost or late, nodes are killed and stopped.
//!
//! Owns: the simulation of shares and what must hold in it.
//! Does not own: slices ([`super::contract`]), the real server ([`super::redis`]).

use std::collections::BTreeMap;
use std::time::Duration;

use haul_fleet::{Call, Failure, HostNews, Next, Reply, Run, Server, Settings, Shares, Terms};

use crate::fake::FakeServer;
use crate::simulation::Seeded;

const LEASE: u64 = 3_000;
const HOST: &str = "http://h:80";
const WHOLE: f64 = 50.0;

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// A server with a run.
fn server() -> FakeServer {
    let mut run = Run::new(FakeServer::default());
    run.create(&Settings::default(), &[]).unwrap();
    run.into_server()
}

fn terms(per_host: Option<u32>, rate: Option<f64>) -> Terms {
    Terms { lease: ms(LEASE), per_host, rate }
}

/// Makes the calls of `shares` until it sleeps. Returns what it says.
fn settle(shares: &mut Shares, server: &mut FakeServer) -> Vec<HostNews> {
    let now = ms(server.now_ms);
    for _ in 0..20 {
        let Next::Call(call) = shares.next(now) else { break };
        assert_eq!(shares.answered(server.call(&call), now), None);
    }
    shares.news()
}

/// The last share in the news.
fn share(news: &[HostNews]) -> Option<(u32, Option<f64>)> {
    news.iter().rev().find_map(|news| match news {
        HostNews::Share { permits, rate, .. } => Some((*permits, *rate)),
        HostNews::Paused { .. } => None,
    })
}

#[test]
fn a_host_is_shared_and_what_one_gives_up_others_get() {
    let mut server = server();
    let mut one = Shares::new("a", terms(Some(10), Some(WHOLE)));
    let mut other = Shares::new("b", terms(Some(10), Some(WHOLE)));
    assert!(!one.may_start(HOST, ms(0)));
    one.want(HOST, 0, 16, ms(0));
    assert_eq!(share(&settle(&mut one, &mut server)), Some((10, Some(50.0))));
    assert!(one.may_start(HOST, ms(0)));
    one.want(HOST, 10, 16, ms(0));
    other.want(HOST, 0, 16, ms(0));
    assert_eq!(share(&settle(&mut other, &mut server)), Some((0, Some(0.0))), "nothing is free yet");
    // The news reach the first at its next look; what runs there ends bit by bit.
    server.now_ms = 100;
    assert_eq!(share(&settle(&mut one, &mut server)), Some((5, Some(50.0))));
    server.now_ms = 250;
    assert_eq!(share(&settle(&mut other, &mut server)), None, "ten still run");
    for running in (3..10).rev() {
        one.want(HOST, running, 16, ms(server.now_ms));
        settle(&mut one, &mut server);
    }
    server.now_ms = 400;
    assert_eq!(
        share(&settle(&mut other, &mut server)),
        Some((0, Some(0.0))),
        "permits, but no part of the rate"
    );
    server.now_ms = 550;
    assert_eq!(share(&settle(&mut one, &mut server)), Some((5, Some(25.0))));
    server.now_ms = 700;
    assert_eq!(share(&settle(&mut other, &mut server)), Some((5, Some(25.0))));
    // One leaves: the other has all.
    one.leave(ms(700));
    settle(&mut one, &mut server);
    assert_eq!(one.next(ms(700)), Next::Left);
    server.now_ms = 850;
    assert_eq!(share(&settle(&mut other, &mut server)), Some((10, Some(50.0))));
}

#[test]
fn the_share_of_a_silent_node_is_free_after_its_lease_and_not_before() {
    let mut server = server();
    let (mut dead, mut live) =
        (Shares::new("a", terms(Some(4), None)), Shares::new("b", terms(Some(4), None)));
    dead.want(HOST, 0, 4, ms(0));
    settle(&mut dead, &mut server);
    live.want(HOST, 0, 4, ms(0));
    while server.now_ms + 100 < LEASE {
        assert_eq!(share(&settle(&mut live, &mut server)).unwrap_or((0, None)).0, 0, "{}", server.now_ms);
        server.now_ms += 100;
    }
    assert!(dead.may_start(HOST, ms(LEASE - 1)) && !dead.may_start(HOST, ms(LEASE)));
    server.now_ms = LEASE + 100;
    assert_eq!(share(&settle(&mut live, &mut server)), Some((4, None)));
}

#[test]
fn a_share_counts_from_the_time_when_it_was_asked_for() {
    let mut server = server();
    let mut shares = Shares::new("a", terms(Some(4), None));
    shares.want(HOST, 0, 4, ms(0));
    let Next::Call(call) = shares.next(ms(0)) else { panic!("nothing is asked") };
    // The answer is on its way for a while.
    assert_eq!(shares.answered(server.call(&call), ms(1_000)), None);
    assert!(shares.may_start(HOST, ms(LEASE - 1)) && !shares.may_start(HOST, ms(LEASE)));
}

#[test]
fn fewer_permits_than_nodes_go_round() {
    let mut server = server();
    let mut nodes: Vec<_> = ["a", "b", "c"].map(|name| Shares::new(name, terms(Some(1), None))).into();
    let mut had = BTreeMap::new();
    nodes.iter_mut().for_each(|node| node.want(HOST, 0, 3, ms(0)));
    for _ in 0..200 {
        server.now_ms += 50;
        let mut valid = 0;
        for (index, node) in nodes.iter_mut().enumerate() {
            settle(node, &mut server);
            if node.may_start(HOST, ms(server.now_ms)) {
                valid += 1;
                *had.entry(index).or_insert(0) += 1;
            }
        }
        assert!(valid <= 1);
    }
    assert_eq!(had.len(), 3);
    assert!(had.values().all(|turns| (40..=75).contains(turns)), "{had:?}");
}

#[test]
fn a_pause_reaches_all_nodes_also_those_that_join_later() {
    for rate in [None, Some(WHOLE)] {
        let mut server = server();
        let (mut one, mut other) = (Shares::new("a", terms(None, rate)), Shares::new("b", terms(None, rate)));
        settle(&mut other, &mut server);
        one.pause(HOST, ms(5_000), ms(0));
        one.pause(HOST, ms(2_000), ms(0));
        settle(&mut one, &mut server);
        let paused = |left| HostNews::Paused { host: HOST.to_owned(), pause: ms(left) };
        server.now_ms = 100;
        assert_eq!(settle(&mut other, &mut server), [paused(4_900)]);
        server.now_ms = 200;
        assert_eq!(settle(&mut other, &mut server), [], "once");
        let mut late = Shares::new("c", terms(None, rate));
        server.now_ms = 1_000;
        assert_eq!(settle(&mut late, &mut server), [paused(4_000)]);
        let mut later = Shares::new("d", terms(None, rate));
        server.now_ms = 5_000;
        assert_eq!(settle(&mut later, &mut server), []);
    }
}

#[test]
fn pauses_during_a_partition_are_heard_of_after_it() {
    let mut server = server();
    let (mut one, mut cut) = (Shares::new("a", terms(None, None)), Shares::new("b", terms(None, None)));
    settle(&mut cut, &mut server);
    server.now_ms = 1_000;
    let Next::Call(_) = cut.next(ms(1_000)) else { panic!("no look") };
    assert!(cut.answered(Err(Failure::Lost(String::new())), ms(1_000)).is_some());
    one.pause(HOST, ms(60_000), ms(1_000));
    settle(&mut one, &mut server);
    // More than the server keeps news of.
    (0..1_100).for_each(|number| one.pause(&format!("http://h{number}:80"), ms(60_000), ms(1_000)));
    settle(&mut one, &mut server);
    server.now_ms = 11_000;
    let news = settle(&mut cut, &mut server);
    assert!(news.contains(&HostNews::Paused { host: HOST.to_owned(), pause: ms(50_000) }));
    assert_eq!(news.len(), 1_101);
}

#[test]
fn a_share_that_is_given_back_and_wanted_again_is_told_again() {
    let mut server = server();
    let mut shares = Shares::new("a", terms(Some(2), None));
    shares.want(HOST, 0, 2, ms(0));
    assert_eq!(share(&settle(&mut shares, &mut server)), Some((2, None)));
    // Soon after: it still has the share.
    shares.want(HOST, 0, 0, ms(10));
    shares.want(HOST, 0, 1, ms(20));
    assert_eq!(share(&shares.news()), Some((2, None)));
    shares.want(HOST, 0, 0, ms(30));
    server.now_ms = 1_000;
    settle(&mut shares, &mut server);
    assert!(!shares.may_start(HOST, ms(1_000)));
    shares.want(HOST, 0, 1, ms(1_000));
    assert_eq!(share(&settle(&mut shares, &mut server)), Some((1, None)));
}

/// A node that starts transfers as its shares allow.
struct Worker {
    shares: Shares,
    /// When the last call about the host was sent, and until when those that were answered hold.
    sent: u64,
    valid_until: u64,
    /// When each transfer ends.
    running: Vec<u64>,
    /// The same, of those whose share ran out meanwhile: they run on.
    outlived: Vec<u64>,
    answer: Option<(u64, Result<Reply, Failure>)>,
    stopped_until: u64,
}

/// What the nodes may do and what they do at one time.
struct World {
    random: Seeded,
    server: FakeServer,
    workers: Vec<Worker>,
    names: u64,
    done: u64,
}

impl World {
    fn worker(&mut self) -> Worker {
        self.names += 1;
        let shares = Shares::new(&format!("node{}", self.names), terms(Some(5), None));
        Worker {
            shares,
            sent: 0,
            valid_until: 0,
            running: Vec::new(),
            outlived: Vec::new(),
            answer: None,
            stopped_until: 0,
        }
    }

    fn step(&mut self, index: usize, faults: bool) {
        let now = self.server.now_ms;
        let worker = &mut self.workers[index];
        let ended = worker.running.len();
        worker.running.retain(|end| *end > now);
        worker.outlived.retain(|end| *end > now);
        self.done += (ended - worker.running.len()) as u64;
        // Some nodes want much, some little, and at times nothing.
        let running = |worker: &Worker| (worker.running.len() + worker.outlived.len()) as u32;
        let wanted = [9, 2, 1, 0][((now / 4_000 + index as u64) % 4) as usize].max(running(worker));
        worker.shares.want(HOST, running(worker), wanted, ms(now));
        while running(worker) < wanted && worker.shares.may_start(HOST, ms(now)) {
            worker.running.push(now + 1 + self.random.below(LEASE / 3));
            worker.shares.want(HOST, running(worker), wanted, ms(now));
        }
        if let Some((at, _)) = &worker.answer {
            if *at > now {
                return;
            }
            if let Some((_, answer)) = worker.answer.take() {
                if answer.is_ok() && worker.sent > 0 {
                    worker.valid_until = worker.sent + LEASE;
                }
                worker.shares.answered(answer, ms(now));
            }
        }
        let Next::Call(call) = worker.shares.next(ms(now)) else { return };
        self.call(index, &call, faults);
    }

    fn call(&mut self, index: usize, call: &Call, faults: bool) {
        let lost = || Err(Failure::Lost("lost".to_owned()));
        let is_about_host = call.arguments.len() > 6;
        self.workers[index].sent = if is_about_host { self.server.now_ms } else { 0 };
        let late = self.random.below(if faults && self.random.clone().chance(10) { LEASE } else { 20 });
        let answer = if faults && self.random.chance(8) {
            lost()
        } else {
            let answer = self.server.call(call);
            if faults && self.random.chance(8) { lost() } else { answer }
        };
        self.workers[index].answer = Some((self.server.now_ms + late, answer));
    }

    /// What was begun under shares that are valid is never more than allowed.
    fn check(&mut self, seed: u64) {
        let now = self.server.now_ms;
        let mut sum = 0;
        for worker in &mut self.workers {
            if now < worker.valid_until {
                sum += worker.running.len();
            } else {
                worker.outlived.append(&mut worker.running);
            }
        }
        assert!(sum <= 5, "seed {seed}: {sum} at {now}");
    }
}

#[test]
fn there_are_never_more_permits_than_allowed_whatever_is_lost() {
    for seed in 0..100 {
        let mut world =
            World { random: Seeded(seed), server: server(), workers: Vec::new(), names: 0, done: 0 };
        for _ in 0..3 {
            let worker = world.worker();
            world.workers.push(worker);
        }
        for step in 0..600 {
            world.server.now_ms += 1 + world.random.below(60);
            let faults = step < 400;
            for index in 0..world.workers.len() {
                if faults && world.random.chance(150) {
                    if world.random.chance(2) {
                        world.workers[index] = world.worker();
                    } else {
                        world.workers[index].stopped_until =
                            world.server.now_ms + world.random.below(3 * LEASE);
                    }
                }
                if world.workers[index].stopped_until <= world.server.now_ms {
                    world.step(index, faults);
                }
            }
            world.check(seed);
        }
        assert!(world.done > 30, "seed {seed}: only {} transfers", world.done);
    }
}
