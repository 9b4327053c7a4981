//! For each fault that the simulation injects: a faulty way to publish a file fails, and `Staged` survives.
//!
//! Owns: ways to publish a file, right and wrong; what a power cut, a failed sync and an interruption leave of each.
//! Does not own: the protocols of the jobs (the crates' own tests of them on `Sim`).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use haul_io::sim::{Files, Sim};
use haul_io::{Buf, Durability, Existing, Io, Offset, Op, OpenMode, Publish, Staged, sync_directory_of};

const RESULT: &str = "d/result";
const SEEDS: u64 = 40;

fn content() -> Vec<u8> {
    (0..30_000).map(|number: u32| (number % 251 + 1) as u8).collect()
}

fn buf() -> Buf {
    let mut buf = Buf::with_capacity(content().len());
    buf.append(&content());
    buf
}

fn machine(seed: u64) -> Sim {
    let mut files = Files::default();
    files.put("d/original", &[b'o'; 30_000]);
    Sim::with_files(seed, files)
}

/// A step of publishing a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Write,
    /// Goes on even if the write was interrupted.
    WriteAnyway,
    Sync,
    /// Tries again if it fails.
    SyncUntilItSucceeds,
    Name,
    SyncDirectory,
}

use Step::{Name, Sync, SyncDirectory, SyncUntilItSucceeds, Write, WriteAnyway};

/// Publishes by these steps, in this order.
async fn publish(io: &Sim, steps: &[Step]) -> io::Result<()> {
    let file = io.open(None, Path::new("d"), OpenMode::Unnamed).await?;
    for step in steps {
        match step {
            Write => io.write_all(&file, buf(), Offset::At(0)).await.0?,
            WriteAnyway => drop(io.write_all(&file, buf(), Offset::At(0)).await),
            Sync => io.sync(&file).await?,
            SyncUntilItSucceeds => while io.sync(&file).await.is_err() {},
            Name => {
                let path = PathBuf::from(RESULT);
                io.done(Op::Link { file: file.clone(), dir: None, path }).await?;
            }
            SyncDirectory => sync_directory_of(io, Path::new(RESULT)).await?,
        }
    }
    Ok(())
}

/// The protocol of the product.
async fn publish_staged(io: &Sim) -> io::Result<()> {
    let publish = Publish {
        existing: Existing::Refuse,
        durability: Durability::Synced,
        ..Publish::new(PathBuf::from(RESULT))
    };
    io.write_file(publish, buf()).await.0.map(drop)
}

/// What was found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    /// It was reported as done and isn't there.
    Missing,
    Length,
    /// The length is right and the content isn't.
    Content,
    /// It was reported as failed and is there.
    Unreported,
}

fn judge(files: &Files, reported: Option<bool>) -> Option<Wrong> {
    match files.get(RESULT) {
        None => (reported == Some(true)).then_some(Wrong::Missing),
        Some(left) if left.len() != content().len() => Some(Wrong::Length),
        Some(left) if left != content() => Some(Wrong::Content),
        Some(_) => (reported == Some(false)).then_some(Wrong::Unreported),
    }
}

/// The number of operations of a run without faults.
fn operations(steps: &[Step]) -> u64 {
    let sim = machine(0);
    sim.run(publish(&sim, steps)).unwrap().unwrap();
    sim.submitted() + 2
}

/// What is wrong after a power cut at any operation.
fn after_power_cuts(run: impl Fn(&Sim) -> Option<io::Result<()>>, count: u64) -> BTreeSet<Wrong> {
    let cases = (0..=count).flat_map(|number| (0..SEEDS).map(move |seed| (number, seed)));
    cases
        .filter_map(|(number, seed)| {
            let sim = machine(seed);
            sim.cut_power_at(number);
            let reported = run(&sim).map(|result| result.is_ok());
            judge(&sim.after_power_cut(), reported)
        })
        .collect()
}

fn after_power_cuts_in(steps: &[Step]) -> BTreeSet<Wrong> {
    after_power_cuts(|sim| sim.run(publish(sim, steps)), operations(steps))
}

#[test]
fn a_power_cut_finds_every_order_of_steps_but_the_right_one() {
    assert_eq!(after_power_cuts_in(&[Write, Sync, Name, SyncDirectory]), BTreeSet::new());
    assert_eq!(after_power_cuts(|sim| sim.run(publish_staged(sim)), 30), BTreeSet::new());

    let unsynced = after_power_cuts_in(&[Write, Name, SyncDirectory]);
    assert!(unsynced.contains(&Wrong::Content), "right lengths with other bytes: {unsynced:?}");
    assert!(unsynced.contains(&Wrong::Length), "{unsynced:?}");
    let late = after_power_cuts_in(&[Write, Name, Sync, SyncDirectory]);
    assert!(late.contains(&Wrong::Content), "{late:?}");
    let nameless = after_power_cuts_in(&[Write, Sync, Name]);
    assert_eq!(nameless, [Wrong::Missing].into());
    let forgotten = after_power_cuts_in(&[Sync, Name, SyncDirectory, Write]);
    assert!(forgotten.contains(&Wrong::Length), "{forgotten:?}");
}

/// The only write is in flight when the power is cut. A machine that carried it out whole or not at all would find
/// nothing wrong with writing in place.
#[test]
fn a_write_in_flight_at_a_power_cut_is_torn() {
    let original = [b'o'; 30_000];
    let overwrite = async |io: &Sim| -> io::Result<()> {
        let file = io.open(None, Path::new("d/original"), OpenMode::ReadWrite { follow: false }).await?;
        io.write_all(&file, buf(), Offset::At(0)).await.0
    };
    let (mut old, mut new, mut torn) = (0, 0, 0);
    for seed in 0..400 {
        let sim = machine(seed);
        // 0 opens the file.
        sim.cut_power_at(1);
        assert!(sim.run(overwrite(&sim)).is_none());
        let left = sim.after_power_cut();
        match left.get("d/original").unwrap() {
            left if left == original => old += 1,
            left if left == content() => new += 1,
            left => {
                torn += 1;
                assert_eq!(left.len(), original.len());
                assert!(left.iter().zip(&original).zip(&content()).all(|((l, o), n)| l == o || l == n));
            }
        }
    }
    assert!(old > 20 && new > 20 && torn > 20, "{old} {new} {torn}");
}

/// Operations in flight may be carried out in any order, or not: a job that doesn't wait for the sync before it names
/// the file is found, though each of its jobs is right.
#[test]
fn operations_in_flight_at_a_power_cut_have_no_order() {
    let all_at_once = async |io: &Sim| -> io::Result<()> {
        let file = io.open(None, Path::new("d"), OpenMode::Unnamed).await?;
        io.write_all(&file, buf(), Offset::At(0)).await.0?;
        let link = Op::Link { file: file.clone(), dir: None, path: PathBuf::from(RESULT) };
        let (mut sync, mut link) = (Box::pin(io.sync(&file)), Box::pin(io.done(link)));
        // Both are submitted before either is waited for.
        let mut results = (None, None);
        std::future::poll_fn(|context| {
            use std::task::Poll;
            if results.0.is_none()
                && let Poll::Ready(result) = sync.as_mut().poll(context)
            {
                results.0 = Some(result);
            }
            if results.1.is_none()
                && let Poll::Ready(result) = link.as_mut().poll(context)
            {
                results.1 = Some(result);
            }
            if results.0.is_some() && results.1.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        results.0.unwrap().and(results.1.unwrap())?;
        sync_directory_of(io, Path::new(RESULT)).await
    };
    let wrong = after_power_cuts(|sim| sim.run(all_at_once(sim)), 12);
    assert!(wrong.contains(&Wrong::Content), "{wrong:?}");
}

/// What is wrong after a power cut at the end, if one operation fails.
fn after_failures(run: impl Fn(&Sim) -> Option<io::Result<()>>, count: u64) -> BTreeSet<Wrong> {
    let cases = (0..count).flat_map(|number| (0..SEEDS).map(move |seed| (number, seed)));
    cases
        .filter_map(|(number, seed)| {
            let sim = machine(seed);
            sim.fail_operation(number, io::ErrorKind::Other);
            let reported = run(&sim).map(|result| result.is_ok());
            // A name may outlive the failure of the directory's sync, which says so.
            judge(&sim.after_power_cut(), reported).filter(|wrong| *wrong != Wrong::Unreported)
        })
        .collect()
}

#[test]
fn a_sync_that_is_repeated_after_a_failure_loses_pages() {
    let right = [Write, Sync, Name, SyncDirectory];
    assert_eq!(after_failures(|sim| sim.run(publish(sim, &right)), operations(&right)), BTreeSet::new());
    assert_eq!(after_failures(|sim| sim.run(publish_staged(sim)), 30), BTreeSet::new());
    let repeated = [Write, SyncUntilItSucceeds, Name, SyncDirectory];
    let wrong = after_failures(|sim| sim.run(publish(sim, &repeated)), operations(&repeated));
    assert_eq!(wrong, [Wrong::Content].into());
}

/// What is wrong after an interruption while any operation is in flight.
fn after_interruptions(run: impl Fn(&Sim) -> Option<io::Result<()>>, count: u64) -> BTreeSet<Wrong> {
    let cases = (0..count).flat_map(|number| (0..SEEDS).map(move |seed| (number, seed)));
    cases
        .filter_map(|(number, seed)| {
            let sim = machine(seed);
            sim.cancel_at(number);
            let reported = run(&sim).map(|result| result.is_ok());
            judge(&sim.files(), reported)
        })
        .collect()
}

#[test]
fn an_interruption_in_flight_finds_a_job_that_goes_on_without_its_write() {
    let right = [Write, Sync, Name, SyncDirectory];
    assert_eq!(after_interruptions(|sim| sim.run(publish(sim, &right)), operations(&right)), BTreeSet::new());
    assert_eq!(after_interruptions(|sim| sim.run(publish_staged(sim)), 30), BTreeSet::new());
    let heedless = [WriteAnyway, Sync, Name, SyncDirectory];
    let wrong = after_interruptions(|sim| sim.run(publish(sim, &heedless)), operations(&heedless));
    assert!(wrong.contains(&Wrong::Length), "{wrong:?}");
}

#[test]
fn an_operation_that_is_interrupted_had_no_effect_and_others_complete() {
    let (mut interrupted, mut completed) = (0, 0);
    for seed in 0..60 {
        let sim = machine(seed);
        sim.cancel_at(1);
        let result: Option<io::Result<usize>> = sim.run(async {
            let file = sim.open(None, Path::new("d/original"), OpenMode::ReadWrite { follow: false }).await?;
            let op = Op::WriteAt { file, buf: buf(), offset: Offset::At(0) };
            match sim.submit(op).await.result? {
                haul_io::Value::Count(count) => Ok(count),
                other => panic!("{other:?}"),
            }
        });
        let files = sim.files();
        let now = files.get("d/original").unwrap();
        match result.unwrap() {
            Ok(count) => {
                completed += 1;
                assert_eq!(now[..count], content()[..count]);
            }
            Err(error) => {
                interrupted += 1;
                assert!(haul_io::is_cancelled(&error) && now == [b'o'; 30_000]);
            }
        }
    }
    assert!(interrupted > 10 && completed > 10, "{interrupted} {completed}");
}

/// A job that waits for a silent peer doesn't move the clock of the others, and the clock never runs back.
#[test]
fn the_clock_goes_on_for_all_jobs_alike() {
    const TICK: Duration = Duration::from_millis(10);
    const PATIENCE: Duration = Duration::from_secs(5);
    for seed in 0..20 {
        let sim = Sim::new(seed);
        sim.peers().listen("silent", 80, Vec::new());
        let waits = async || {
            let addresses = sim.resolve(&haul_io::Names::default(), "silent", 80, PATIENCE).await?;
            let socket = sim.connect(addresses, PATIENCE).await?;
            let begun = sim.now();
            let (result, _) = sim.recv(&socket, Buf::with_capacity(8), PATIENCE).await;
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
            let waited = sim.now() - begun;
            assert!(waited >= PATIENCE && waited < PATIENCE + TICK, "{waited:?}");
            io::Result::Ok(sim.now())
        };
        let ticks = async || {
            for _ in 0..1_000 {
                let before = sim.now();
                sim.sleep(TICK).await?;
                assert_eq!(sim.now(), before + TICK, "seed {seed}");
            }
            Ok(sim.now())
        };
        let jobs: Vec<std::pin::Pin<Box<dyn Future<Output = io::Result<Duration>>>>> =
            vec![Box::pin(waits()), Box::pin(ticks())];
        let ends = sim.run_all(jobs).unwrap();
        let [waited, ticked] = &ends[..] else { panic!("two jobs") };
        assert!(waited.as_ref().unwrap() < ticked.as_ref().unwrap());
        assert_eq!(*ticked.as_ref().unwrap(), 1_000 * TICK, "seed {seed}");
    }
}

/// What a publishing protocol is for: at no instant is there neither the old file nor the new one.
#[test]
fn a_replacement_is_one_or_the_other_after_every_fault_at_once() {
    let publish = || Publish {
        existing: Existing::Replace,
        durability: Durability::Synced,
        ..Publish::new(PathBuf::from("d/original"))
    };
    for number in 0..24 {
        for seed in 0..SEEDS {
            let sim = machine(seed);
            sim.fail_operation(number, io::ErrorKind::Other);
            sim.cancel_at(number.saturating_sub(seed % 3));
            sim.cut_power_at(number + seed % 4);
            let reported = sim.run(async {
                let staged = Staged::create(&sim, &publish()).await?;
                let (written, _) = sim.write_all(staged.file(), buf(), Offset::At(0)).await;
                if let Err(error) = written {
                    staged.discard(&sim).await;
                    return Err(error);
                }
                staged.publish(&sim, &publish()).await.map(drop)
            });
            let left = sim.after_power_cut();
            let left = left.get("d/original").expect("one of the two");
            let is_new = left == content();
            assert!(is_new || left == [b'o'; 30_000], "operation {number}, seed {seed}");
            if let Some(Ok(())) = reported {
                assert!(is_new, "operation {number}, seed {seed}");
            }
        }
    }
}
