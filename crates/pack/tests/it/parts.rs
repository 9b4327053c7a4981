//! Parts of a run, each with one shard: when it ends, who decides whether it is published, names that are taken.

use std::io::{self, Cursor};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use haul_engine::{Config, Engine, run};
use haul_io::{ChunkedFormat, is_cancelled, run_ready};
use haul_pack::{Content, PackSource, Packer, PartGate, PartShard, ShardIdentity, Ticket};

use crate::format::Toy;
use crate::{Fixture, PackNumbers, Task, members, plain};

/// A part of so many members, one of which fails.
struct Gate {
    count: usize,
    /// How many members have failed.
    failed: Arc<AtomicUsize>,
    /// How often it doesn't know yet.
    unknown: AtomicUsize,
    may_publish: bool,
    shard: Mutex<Option<PartShard>>,
    is_taken: AtomicBool,
}

impl Gate {
    fn new(count: usize, may_publish: bool) -> Arc<Self> {
        let (failed, unknown, is_taken) = (Arc::default(), AtomicUsize::new(3), AtomicBool::new(false));
        Arc::new(Self { count, failed, unknown, may_publish, shard: Mutex::default(), is_taken })
    }
}

impl PartGate for Gate {
    fn is_complete(&self, waiting: usize) -> bool {
        self.failed.load(Ordering::Relaxed) + waiting == self.count
    }

    fn may_publish(&self, shard: &PartShard) -> Option<bool> {
        *self.shard.lock().unwrap() = Some(shard.clone());
        if self.unknown.load(Ordering::Relaxed) > 0 {
            self.unknown.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(self.may_publish)
    }

    fn is_taken(&self) {
        self.is_taken.store(true, Ordering::Relaxed);
    }
}

fn add(packer: &Packer, fixture: &Fixture, name: &str, bytes: usize) -> io::Result<Ticket> {
    let entry = packer.entry(name.as_bytes(), bytes as u64, Some(0));
    run_ready(packer.add(&fixture.io(), &entry, Content::Memory(&vec![7; bytes])))
}

#[test]
fn each_part_becomes_one_shard_and_a_refused_one_none() {
    for engine in ["serial", "threads=4", "uring=2x4"] {
        for is_encoded in [false, true] {
            let fixture = Fixture::new();
            let format = is_encoded.then(|| Arc::new(Toy::default()) as Arc<dyn ChunkedFormat>);
            // Shorter than a part, and yet each has one.
            let packer = fixture.packer(10_000, format);
            let gates: Vec<_> = (0..4).map(|part| Gate::new(30, part != 2)).collect();
            let parts: Vec<_> = gates
                .iter()
                .enumerate()
                .map(|(part, gate)| packer.part(&format!("p{part}"), gate.clone()))
                .collect();
            let failed: Vec<_> = gates.iter().map(|gate| gate.failed.clone()).collect();
            let tasks =
                (0..120).map(move |number| Task::new(number, &parts[number / 30], &failed[number / 30]));
            let source = PackSource::new(tasks, Some(packer.clone()));
            let config = Config::new(engine.parse::<Engine>().unwrap(), fixture.cancel.clone());
            let report = run(&PackNumbers, source, &config, |_| {});
            assert_eq!((report.succeeded, report.failed, report.cancelled_tasks), (81, 12, 27), "{engine}");
            let shards = fixture.shards();
            let suffix = if is_encoded { "tar.toy" } else { "tar" };
            let names = ["p0", "p1", "p3"].map(|stem| fixture.dir.path().join(format!("{stem}.{suffix}")));
            assert_eq!(shards, names, "{engine}");
            for (shard, gate) in shards.iter().zip([&gates[0], &gates[1], &gates[3]]) {
                let found = members(&plain(shard, is_encoded));
                let announced = gate.shard.lock().unwrap().clone().unwrap();
                let bytes: usize = found.iter().map(|(_, content)| content.len()).sum();
                assert_eq!((announced.members, announced.content_bytes), (27, bytes as u64));
                assert_eq!(shard.file_name().unwrap(), &*announced.name);
                let stored = std::fs::read(shard).unwrap();
                assert!(
                    announced.identity.is_of(&mut Cursor::new(&stored)).unwrap(),
                    "{}",
                    announced.identity
                );
                let others = gates.iter().filter(|other| !Arc::ptr_eq(other, gate));
                for other in others {
                    let other = other.shard.lock().unwrap().clone().unwrap().identity;
                    assert!(!other.is_of(&mut Cursor::new(&stored)).unwrap());
                }
            }
        }
    }
}

#[test]
fn a_name_that_is_taken_is_told_and_nothing_comes_later() {
    let fixture = Fixture::new();
    let (packer, gate) = (fixture.packer(1 << 20, None), Gate::new(1, true));
    let part = packer.part("p", gate.clone());
    let ticket = add(&part, &fixture, "a", 5).unwrap();
    assert!(run_ready(packer.block(&fixture.io(), "p.tar")).unwrap());
    assert!(!run_ready(packer.block(&fixture.io(), "p.tar")).unwrap(), "it is there already");
    assert!(is_cancelled(&run_ready(part.settle(&fixture.io(), &ticket)).unwrap_err()));
    assert!(gate.is_taken.load(Ordering::Relaxed));
    assert!(is_cancelled(&add(&part, &fixture, "b", 5).unwrap_err()));
    let blocking = std::fs::read(fixture.dir.path().join("p.tar")).unwrap();
    assert!(members(&blocking).is_empty());
    let identity = gate.shard.lock().unwrap().clone().unwrap().identity;
    assert!(!identity.is_of(&mut Cursor::new(&blocking)).unwrap());
    assert_eq!(identity.to_string().parse::<ShardIdentity>(), Ok(identity));
}

#[test]
fn a_cancelled_run_publishes_what_may_be_and_does_not_wait_for_ever() {
    let fixture = Fixture::new();
    let packer = fixture.packer(1 << 20, None);
    let gates = [Gate::new(1, true), Gate::new(1, true)];
    gates[1].unknown.store(usize::MAX, Ordering::Relaxed);
    let parts = [packer.part("known", gates[0].clone()), packer.part("unknown", gates[1].clone())];
    let tickets = parts.each_ref().map(|part| add(part, &fixture, "a", 5).unwrap());
    fixture.cancel.trigger();
    run_ready(parts[0].settle(&fixture.io(), &tickets[0])).unwrap();
    assert!(is_cancelled(&run_ready(parts[1].settle(&fixture.io(), &tickets[1])).unwrap_err()));
    assert_eq!(fixture.shards(), [fixture.dir.path().join("known.tar")]);
}
