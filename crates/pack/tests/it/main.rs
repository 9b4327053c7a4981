//! Packing by a run: every engine, formats of chunks, tasks that fail half-way.

mod format;
mod parts;
mod stores;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use haul_engine::{Config, Engine, Event, Job, Step, run};
use haul_io::{Blocking, Cancel, ChunkedFormat, Durability, Io, run_ready};
use haul_pack::{
    Content, Earlier, Entry, Member, PackOptions, PackSource, Packed, Packer, Place, Ticket, Trailer,
};

use format::Toy;

struct Fixture {
    dir: tempfile::TempDir,
    cancel: Cancel,
}

impl Fixture {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), cancel: Cancel::new().unwrap() }
    }

    fn packer(&self, shard_bytes: u64, format: Option<Arc<dyn ChunkedFormat>>) -> Packer {
        let place = Place::Directory(self.dir.path().to_owned());
        Packer::new(self.options(place, shard_bytes, format), Earlier::default())
    }

    fn options(&self, place: Place, shard_bytes: u64, format: Option<Arc<dyn ChunkedFormat>>) -> PackOptions {
        PackOptions {
            place,
            first_number: 0,
            prefix: "shard-".to_owned(),
            format,
            shard_bytes,
            open_max: 2,
            mode: 0o640,
            owner: 0,
            group: 0,
            durability: Durability::Eventual,
            cancel: self.cancel.clone(),
        }
    }

    fn io(&self) -> Blocking {
        Blocking::new(self.cancel.clone())
    }

    fn shards(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut shards: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        shards.sort();
        shards
    }
}

/// The members of a shard, with their contents.
fn members(shard: &[u8]) -> Vec<(Member, Vec<u8>)> {
    let trailer = Trailer::parse(&shard[shard.len() - Trailer::BYTES..]).unwrap();
    assert!(trailer.fits(shard.len() as u64));
    let members = trailer.members(&shard[trailer.offset as usize..][..trailer.bytes as usize]).unwrap();
    let content = |member: Member| {
        let content = shard[member.offset as usize..][..member.bytes as usize].to_vec();
        assert_eq!(blake3::hash(&content), member.hash);
        (member, content)
    };
    members.into_iter().map(content).collect()
}

fn content(number: usize) -> Vec<u8> {
    let bytes = [number, number >> 8].map(|byte| byte as u8);
    bytes.into_iter().cycle().take(number * 37 % 5_000).collect()
}

/// A task that packs the content of its number; every tenth fails, every seventh spills.
struct Task {
    number: usize,
    packer: Packer,
    /// How many of its kind have failed.
    failed: Arc<AtomicUsize>,
    ticket: Mutex<Option<Ticket>>,
}

impl Task {
    fn new(number: usize, packer: &Packer, failed: &Arc<AtomicUsize>) -> Self {
        Self { number, packer: packer.clone(), failed: failed.clone(), ticket: Mutex::default() }
    }
}

impl Packed for Task {
    fn ticket(&self) -> Option<Ticket> {
        self.ticket.lock().unwrap().clone()
    }
}

struct PackNumbers;

impl Job for PackNumbers {
    type Task = Task;
    type State = ();
    type Output = PathBuf;
    type Error = io::Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<(), PathBuf>, io::Error> {
        if let Some(ticket) = task.ticket() {
            return Ok(Step::Done(task.packer.settle(io, &ticket).await?.0));
        }
        let bytes = content(task.number);
        let content = match task.number {
            number if number % 10 == 9 => {
                let mut spill = task.packer.spill(io).await?;
                spill.push(io, b"half of it").await?;
                task.failed.fetch_add(1, Ordering::Relaxed);
                return Err(io::Error::other("it fails"));
            }
            number if number % 7 == 0 => {
                let mut spill = task.packer.spill(io).await?;
                for piece in bytes.chunks(700) {
                    spill.push(io, piece).await?;
                }
                Content::Spill(Box::new(spill))
            }
            _ => Content::Memory(&bytes),
        };
        let entry = task.packer.entry(task.number.to_string().as_bytes(), bytes.len() as u64, Some(7));
        *task.ticket.lock().unwrap() = Some(task.packer.add(io, &entry, content).await?);
        Ok(Step::Again)
    }

    async fn part<I: Io>(&self, _: &I, _: &Task, (): &(), _: u64) -> Result<(), io::Error> {
        Ok(())
    }

    async fn finish<I: Io>(&self, _: &I, _: &Task, (): &(), _: bool) -> Result<PathBuf, io::Error> {
        unreachable!("no task is split")
    }

    fn is_cancelled(error: &io::Error) -> bool {
        haul_io::is_cancelled(error)
    }
}

fn plain(shard: &Path, is_encoded: bool) -> Vec<u8> {
    let stored = std::fs::read(shard).unwrap();
    if is_encoded { format::decoded(&stored) } else { stored }
}

#[test]
fn a_task_ends_when_its_shard_has_its_name() {
    for engine in ["serial", "threads=4", "uring=2x4"] {
        for is_encoded in [false, true] {
            let fixture = Fixture::new();
            let format = is_encoded.then(|| Arc::new(Toy::default()) as Arc<dyn ChunkedFormat>);
            let packer = fixture.packer(40_000, format);
            packer.add_directory(Entry { mode: 0o555, ..Entry::file(b"directory/", 0) });
            let failed = Arc::default();
            let of_task = (packer.clone(), failed);
            let tasks = (0..200).map(move |number| Task::new(number, &of_task.0, &of_task.1));
            let source = PackSource::new(tasks, Some(packer.clone()));
            let config = Config::new(engine.parse::<Engine>().unwrap(), fixture.cancel.clone());
            let mut said: BTreeMap<usize, PathBuf> = BTreeMap::new();
            let report = run(&PackNumbers, source, &config, |event| {
                if let Event::Settled(settled) = event
                    && let Ok(shard) = &settled.outcome
                {
                    assert!(shard.exists(), "{engine}");
                    assert!(said.insert(settled.task.number, shard.clone()).is_none());
                }
            });
            assert_eq!((report.succeeded, report.failed), (180, 20), "{engine}");
            let mut found = BTreeMap::new();
            let shards = fixture.shards();
            for shard in &shards {
                for (member, bytes) in members(&plain(shard, is_encoded)) {
                    let number: usize = String::from_utf8(member.name).unwrap().parse().unwrap();
                    assert!(bytes == content(number) && member.modified == 7, "{engine}: {number}");
                    found.insert(number, shard.clone());
                }
            }
            assert_eq!(found, said, "{engine}");
            assert!(shards.len() > 5, "{engine}: {shards:?}");
            let has_directory =
                |shard: &PathBuf| plain(shard, is_encoded).windows(10).any(|window| window == b"directory/");
            let last: Vec<_> = shards.iter().map(has_directory).collect();
            assert!(last.ends_with(&[true]) && !last[..last.len() - 1].contains(&true), "{engine}: {last:?}");
            run_ready(packer.finish(&fixture.io())).unwrap();
            assert_eq!(fixture.shards(), shards, "nothing is left for another shard");
        }
    }
}

#[test]
fn directories_alone_make_a_shard() {
    let fixture = Fixture::new();
    let packer = fixture.packer(1 << 20, None);
    run_ready(packer.finish(&fixture.io())).unwrap();
    assert!(fixture.shards().is_empty());
    packer.add_directory(Entry::file(b"a/", 0));
    run_ready(packer.finish(&fixture.io())).unwrap();
    assert_eq!(fixture.shards().len(), 1);
}

#[test]
fn a_member_longer_than_a_shard_has_one_of_its_own_and_taken_numbers_are_left_out() {
    let fixture = Fixture::new();
    std::fs::write(fixture.dir.path().join("shard-000000.tar"), "not ours").unwrap();
    let (packer, io) = (fixture.packer(20_000, None), fixture.io());
    let add = |name: &str, bytes: usize| {
        let content = vec![1; bytes];
        let entry = packer.entry(name.as_bytes(), bytes as u64, Some(0));
        run_ready(packer.add(&io, &entry, Content::Memory(&content))).unwrap()
    };
    let tickets = [add("small", 5), add("long", 60_000), add("next", 5)];
    assert_eq!(tickets.each_ref().map(Ticket::is_settled), [false, true, false]);
    let ends = tickets.map(|ticket| run_ready(packer.settle(&io, &ticket)).unwrap().0);
    assert!(ends[0] == ends[2] && ends[1] != ends[0]);
    assert_eq!(ends[1].file_name().unwrap(), "shard-000001.tar");
    assert_eq!(std::fs::read(fixture.dir.path().join("shard-000000.tar")).unwrap(), b"not ours");
}

#[test]
fn a_task_that_panics_while_it_writes_takes_its_shard_with_it() {
    let fixture = Fixture::new();
    let toy = Toy { panics_at: Some(10) };
    let (packer, io) = (fixture.packer(1 << 30, Some(Arc::new(toy))), fixture.io());
    let add = |bytes: usize| {
        let content = vec![1; bytes];
        let entry = packer.entry(b"a", bytes as u64, Some(0));
        run_ready(packer.add(&io, &entry, Content::Memory(&content)))
    };
    let first = add(1_000).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| add(2_000_000))).is_err());
    let error = run_ready(packer.settle(&io, &first)).unwrap_err();
    assert!(error.to_string().contains("ended early"), "{error}");
    assert!(fixture.shards().is_empty());
}

#[test]
fn a_cancelled_run_takes_no_member_and_publishes_what_it_has() {
    let fixture = Fixture::new();
    let format: Arc<dyn ChunkedFormat> = Arc::new(Toy::default());
    let (packer, io) = (fixture.packer(1 << 30, Some(format)), fixture.io());
    let add = |bytes: usize| {
        let content = vec![1; bytes];
        let entry = packer.entry(b"a", bytes as u64, Some(0));
        run_ready(packer.add(&io, &entry, Content::Memory(&content)))
    };
    let first = add(3_000_000).unwrap();
    fixture.cancel.trigger();
    assert!(haul_io::is_cancelled(&add(5).unwrap_err()));
    let (shard, _) = run_ready(packer.settle(&io, &first)).unwrap();
    assert_eq!(members(&plain(&shard, true)).len(), 1);
}
