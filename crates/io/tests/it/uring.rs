//! Jobs on a ring: files, time, waking, panics, cancellation.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{run_all, run_one};
use haul_io::{
    Blocking, Buf, Cancel, Durability, Feed, Io, LocalJob, Names, NamesLimits, Offset, OpenMode, Publish,
    Staged, Uring, UringConfig, is_cancelled, run_ready,
};

fn ring(in_flight_max: usize) -> (Uring, Cancel) {
    let cancel = Cancel::new().unwrap();
    let config = UringConfig { in_flight_max, ..UringConfig::default() };
    (Uring::new(config, cancel.clone(), Arc::default()).expect("a ring"), cancel)
}

fn publish(path: &Path, durability: Durability) -> Publish {
    Publish { durability, ..Publish::new(path.to_owned()) }
}

/// Copies in pieces of 300 bytes.
async fn copy(io: &impl Io, from: &Path, to: &Path) -> io::Result<()> {
    let source = io.open(None, from, OpenMode::Read { follow: false }).await?;
    let publish = publish(to, Durability::Synced);
    let staged = Staged::create(io, &publish).await?;
    let mut buf = io.take_buf(300);
    let mut done = 0;
    loop {
        let (count, back) = io.read_full(&source, buf, 300, Offset::At(done)).await;
        let count = count?;
        let (written, back) = io.write_all(staged.file(), back, Offset::At(done)).await;
        written?;
        done += count as u64;
        io.progress(count as u64);
        buf = back;
        if count < 300 {
            break;
        }
        io.yield_now().await;
    }
    io.give_buf(buf);
    staged.publish(io, &publish).await.map(drop)
}

#[test]
fn two_hundred_jobs_at_once_copy_what_the_blocking_one_copies() {
    let dir = tempfile::tempdir().unwrap();
    let path = |kind: &str, index: usize| dir.path().join(format!("{kind}{index}"));
    for index in 0..200 {
        let content: Vec<u8> = (0..index * 37).map(|byte| (byte * index) as u8).collect();
        std::fs::write(path("source", index), content).unwrap();
    }
    let blocking = Blocking::new(Cancel::new().unwrap());
    for index in 0..200 {
        run_ready(copy(&blocking, &path("source", index), &path("blocking", index))).unwrap();
    }
    let (uring, _) = ring(64);
    let ended = Cell::new(0);
    let mut next = 0..200;
    uring.run(|| {
        let Some(index) = next.next() else { return Feed::End };
        let (from, to, ended, io) = (path("source", index), path("uring", index), &ended, uring.task());
        Feed::Job(Box::pin(async move {
            copy(&io, &from, &to).await.unwrap();
            assert_eq!(io.take_meter().bytes, index as u64 * 37);
            ended.set(ended.get() + 1);
        }))
    });
    assert_eq!(ended.get(), 200);
    for index in 0..200 {
        assert_eq!(
            std::fs::read(path("uring", index)).unwrap(),
            std::fs::read(path("blocking", index)).unwrap()
        );
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 600, "nothing else is left");
    assert!(
        uring.placement_counts().ring >= 400,
        "files and directories are synced by the ring: {:?}",
        uring.placement_counts()
    );
}

#[test]
fn a_whole_file_is_written_by_the_pool_or_step_by_step() {
    for (pool_threads, durability, pooled) in
        [(2, Durability::Eventual, 1), (2, Durability::Synced, 0), (0, Durability::Eventual, 0)]
    {
        let dir = tempfile::tempdir().unwrap();
        let config = UringConfig { pool_threads, ..UringConfig::default() };
        let uring = Uring::new(config, Cancel::new().unwrap(), Arc::default()).expect("a ring");
        let path = dir.path().join("new/file");
        let publish = publish(&path, durability);
        let written = run_one(&uring, async |io| io.write_file(publish, Buf::from(b"all".to_vec())).await);
        written.0.unwrap();
        assert!(written.1.filled().is_empty());
        assert_eq!(std::fs::read(&path).unwrap(), b"all");
        assert_eq!(uring.placement_counts().pool, pooled);
        let addresses = run_one(&uring, async |io| {
            io.resolve(&Names::default(), "127.0.0.1", 9, Duration::from_secs(30)).await
        });
        assert_eq!(addresses.unwrap(), ["127.0.0.1:9".parse().unwrap()]);
    }
}

#[test]
fn cached_files_need_no_turn_of_the_ring() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, b"just written").unwrap();
    let (uring, _) = ring(1);
    let read = run_one(&uring, async |io| {
        let file = io.open(None, &path, OpenMode::Read { follow: false }).await.unwrap();
        io.read_full(&file, Buf::with_capacity(100), 100, Offset::At(5)).await.1
    });
    assert_eq!(read.filled(), b"written");
    let placed = uring.placement_counts();
    assert_eq!((placed.inline, placed.ring), (3, 0), "an open, a read and the end of the file");
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    let (uring, _) = ring(8);
    let order = RefCell::new(Vec::new());
    let jobs = [30u64, 10, 20, 0].map(|millis| -> LocalJob<'_> {
        let (io, order) = (uring.task(), &order);
        Box::pin(async move {
            let before = io.now();
            io.sleep(Duration::from_millis(millis)).await.unwrap();
            assert!(io.now() - before >= Duration::from_millis(millis));
            order.borrow_mut().push(millis);
        })
    });
    run_all(&uring, jobs.into());
    assert_eq!(order.into_inner(), [0, 10, 20, 30]);
}

#[test]
fn a_panic_of_a_job_is_passed_on_after_the_others_have_ended() {
    let (uring, _) = ring(8);
    let ended = Cell::new(0);
    let job = |panics: bool| -> LocalJob<'_> {
        let (io, ended) = (uring.task(), &ended);
        Box::pin(async move {
            io.sleep(Duration::from_millis(1)).await.unwrap();
            assert!(!panics, "on purpose");
            io.sleep(Duration::from_millis(1)).await.unwrap();
            ended.set(ended.get() + 1);
        })
    };
    let jobs = vec![job(false), job(true), job(false)];
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run_all(&uring, jobs)));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"on purpose"));
    assert_eq!(ended.get(), 2);
    run_one(&uring, async |io| io.sleep(Duration::ZERO).await.unwrap());
}

#[test]
fn waiting_for_ones_turn_is_time_of_the_executor() {
    const BUSY: Duration = Duration::from_millis(40);
    let (uring, _) = ring(2);
    let waited = Cell::default();
    let waits = async {
        let io = uring.task();
        io.yield_now().await;
        waited.set(io.take_meter());
    };
    let computes = async {
        let begun = Instant::now();
        while begun.elapsed() < BUSY {}
        uring.task().yield_now().await;
    };
    run_all(&uring, vec![Box::pin(waits), Box::pin(computes)]);
    let meter = waited.get();
    assert!(meter.executor >= BUSY && meter.device.is_zero(), "{meter:?}");
}

#[test]
#[should_panic(expected = "awaited something other than its operations")]
fn a_job_that_awaits_something_else_panics() {
    let (uring, _) = ring(1);
    run_one(&uring, async |_io| std::future::pending::<()>().await);
}

#[test]
fn a_sleeping_ring_is_woken_for_new_work() {
    let (uring, _) = ring(4);
    let (give, work) = std::sync::mpsc::channel::<u32>();
    let (asleep, is_asleep) = std::sync::mpsc::channel();
    let unparker = uring.unparker();
    let giver = std::thread::spawn(move || {
        for number in 0..100 {
            is_asleep.recv().unwrap();
            give.send(number).unwrap();
            unparker.unpark();
        }
        is_asleep.recv().unwrap();
        drop(give);
        unparker.unpark();
    });
    let done = Rc::new(Cell::new(0));
    asleep.send(()).unwrap();
    uring.run(|| match work.try_recv() {
        Ok(number) => {
            let (done, io, asleep) = (done.clone(), uring.task(), asleep.clone());
            Feed::Job(Box::pin(async move {
                io.yield_now().await;
                assert_eq!(done.replace(number + 1), number);
                asleep.send(()).unwrap();
            }))
        }
        Err(std::sync::mpsc::TryRecvError::Empty) => Feed::Wait(Duration::MAX),
        Err(std::sync::mpsc::TryRecvError::Disconnected) => Feed::End,
    });
    giver.join().unwrap();
    assert_eq!(done.get(), 100);
}

#[test]
fn waiting_for_work_has_a_timeout() {
    let (uring, _) = ring(1);
    let mut asked = 0;
    let before = Instant::now();
    uring.run(|| {
        asked += 1;
        if asked == 4 { Feed::End } else { Feed::Wait(Duration::from_millis(5)) }
    });
    assert!(before.elapsed() >= Duration::from_millis(15));
}

#[test]
fn cancellation_ends_waits_and_refuses_new_work() {
    let (uring, cancel) = ring(8);
    let thrower = std::thread::spawn({
        let unparker = uring.unparker();
        move || {
            cancel.trigger();
            drop(unparker);
        }
    });
    let (reader, _writer) = rustix::pipe::pipe().unwrap();
    run_one(&uring, async |io| {
        let pipe = haul_io::File::from(reader);
        let (result, buf) = io.read_full(&pipe, Buf::with_capacity(8), 8, Offset::Stream).await;
        assert!(is_cancelled(&result.unwrap_err()));
        assert_eq!(buf.capacity(), 8);
        assert!(is_cancelled(&io.sleep(Duration::MAX).await.unwrap_err()));
        assert!(is_cancelled(&io.open(None, Path::new("/"), OpenMode::CreateNew).await.unwrap_err()));
        io.stat_at(None, Path::new("/")).await.expect("what doesn't prolong work is still done");
    });
    thrower.join().unwrap();
}

#[test]
fn errors_are_those_of_the_system() {
    let (uring, _) = ring(2);
    run_one(&uring, async |io| {
        let dir = tempfile::tempdir().unwrap();
        let missing = io.open(None, &dir.path().join("missing"), OpenMode::Read { follow: true }).await;
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        let directory = io.open(None, dir.path(), OpenMode::Directory).await.unwrap();
        let (read, _) = io.read_full(&directory, Buf::with_capacity(1), 1, Offset::At(0)).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::IsADirectory);
        let nul = io.open(None, Path::new("a\0b"), OpenMode::Directory).await;
        assert_eq!(nul.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn defaults_are_as_documented() {
    let config = UringConfig::default();
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!((config.in_flight_max, config.pool_threads), (64, cores));
    assert_eq!((config.kernel_workers_max, config.spare_bytes_max), (32, 16 << 20));
    let doubled = UringConfig { in_flight_max: 128, ..config.clone() };
    let per_job = (doubled.memory_bytes_max() - config.memory_bytes_max()) / 64;
    assert!(config.memory_bytes_max() > 16 << 20 && (256..1_024).contains(&per_job), "{per_job}");
}

#[test]
fn defaults_of_names_are_the_documented_ones() {
    let limits = NamesLimits::default();
    assert_eq!((limits.found_for, limits.missed_for), (Duration::from_secs(60), Duration::from_secs(1)));
    assert_eq!(limits.names_max, 16_384);
}

#[test]
fn a_thousand_jobs_cost_one_lookup_and_leave_threads_free() {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (go, may_go) = std::sync::mpsc::channel();
    let (may_go, asked) = (Mutex::new(may_go), Arc::new(AtomicUsize::new(0)));
    let counted = asked.clone();
    let resolver = move |name: &str| {
        counted.fetch_add(1, Ordering::SeqCst);
        if name == "slow" {
            // A job that needs the pool too sends this.
            may_go.lock().unwrap().recv_timeout(Duration::from_secs(30)).map_err(io::Error::other)?;
        }
        Ok(vec!["10.0.0.1:0".parse().unwrap()])
    };
    let names = Names::new(resolver, || Duration::ZERO, NamesLimits::default());
    let config = UringConfig { in_flight_max: 1_001, pool_threads: 2, ..UringConfig::default() };
    let uring = Uring::new(config, Cancel::new().unwrap(), Arc::default()).expect("a ring");
    let found = Cell::new(0);
    let (uring, names, go, found) = (&uring, &names, &go, &found);
    let mut jobs: Vec<LocalJob<'_>> = Vec::new();
    for _ in 0..1_000 {
        jobs.push(Box::pin(async move {
            let addresses = uring.task().resolve(names, "slow", 80, Duration::from_secs(60)).await.unwrap();
            assert_eq!(addresses, ["10.0.0.1:80".parse().unwrap()]);
            found.set(found.get() + 1);
        }));
    }
    jobs.push(Box::pin(async move {
        uring.task().resolve(names, "other", 80, Duration::from_secs(60)).await.unwrap();
        go.send(()).unwrap();
    }));
    run_all(uring, jobs);
    assert_eq!((found.get(), asked.load(Ordering::SeqCst)), (1_000, 2));
    let pooled = uring.placement_counts().pool;
    run_one(uring, async |io| io.resolve(names, "slow", 80, Duration::from_secs(60)).await).unwrap();
    assert_eq!(uring.placement_counts().pool, pooled, "what is known needs no thread");
}

#[test]
fn lookups_end_at_their_deadline_and_with_the_run() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let resolver = move |_: &str| {
        let _ = held.lock().unwrap().recv();
        Ok(vec!["10.0.0.1:0".parse().unwrap()])
    };
    let names = Names::new(resolver, || Duration::ZERO, NamesLimits::default());
    let cancel = Cancel::new().unwrap();
    let uring = Uring::new(UringConfig::default(), cancel.clone(), Arc::default()).expect("a ring");
    let look_up = |seconds| {
        let names = &names;
        run_one(&uring, async move |io| {
            io.resolve(names, "silent", 80, Duration::from_secs_f64(seconds)).await
        })
    };
    assert_eq!(look_up(0.02).unwrap_err().kind(), io::ErrorKind::TimedOut);
    let trigger = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        cancel.trigger();
    });
    assert!(haul_io::is_cancelled(&look_up(60.0).unwrap_err()));
    trigger.join().unwrap();
    // An answer that comes after all that is for nobody.
    drop(hold);
}

#[test]
fn results_in_one_directory_share_its_syncs() {
    const COUNT: usize = 64;
    let dir = tempfile::tempdir().unwrap();
    let (uring, _) = ring(COUNT);
    let jobs = (0..COUNT).map(|number| -> LocalJob<'_> {
        let (io, dir) = (uring.task(), dir.path());
        Box::pin(async move {
            let path = dir.join(number.to_string());
            let root_bytes = Some(dir.as_os_str().len());
            let publish = Publish { root_bytes, ..publish(&path, Durability::Synced) };
            io.write_file(publish, b"content".to_vec().into()).await.0.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"content");
        })
    });
    run_all(&uring, jobs.collect());
    // The files are synced one by one, before and after they get their names.
    let of_directory = uring.placement_counts().ring - 2 * COUNT as u64;
    assert!((1..COUNT as u64 / 2).contains(&of_directory), "{of_directory} syncs of the directory");
}
