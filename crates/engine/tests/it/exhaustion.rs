//! Engines to which the system refuses threads, rings and descriptors do all the work nevertheless, and say so.
//!
//! A filter of system calls holds for one thread and those that it starts, so that these tests disturb no other.

use std::num::NonZeroUsize;

use haul_engine::{Closing, Config, Engine, Job, Report, Step, ThreadPool, run};
use haul_io::{Cancel, Io, OpenMode};
use haul_testkit::denying;

/// Opens a file and reads its first byte.
struct Look;

impl Job for Look {
    type Task = u32;
    type State = ();
    type Output = ();
    type Error = std::io::Error;

    async fn start<I: Io>(&self, io: &I, _: &u32) -> Result<Step<(), ()>, std::io::Error> {
        let path = std::path::Path::new("/proc/self/stat");
        let file = io.open(None, path, OpenMode::Read { follow: true }).await?;
        let (read, _) = io.read_full(&file, io.take_buf(1), 1, haul_io::Offset::At(0)).await;
        assert_eq!(read?, 1);
        io.sleep(std::time::Duration::from_millis(1)).await?;
        Ok(Step::Done(()))
    }

    async fn part<I: Io>(&self, _: &I, _: &u32, _: &(), _: u64) -> Result<(), std::io::Error> {
        Ok(())
    }

    async fn finish<I: Io>(&self, _: &I, _: &u32, _: &(), _: bool) -> Result<(), std::io::Error> {
        Ok(())
    }

    fn is_cancelled(error: &std::io::Error) -> bool {
        haul_io::is_cancelled(error)
    }
}

/// Runs a hundred tasks while `calls` fail with `errno`.
fn report(engine: &str, calls: &[i64], errno: i32) -> Report {
    let engine: Engine = engine.parse().unwrap();
    denying(calls, errno, || {
        let config = Config::new(engine, Cancel::new().unwrap());
        run(&Look, 0..100, &config, |_| {})
    })
}

const THREADS: [i64; 2] = [libc::SYS_clone, libc::SYS_clone3];

#[test]
fn without_any_thread_the_calling_thread_does_all() {
    for (engine, wanted) in [("threads=8", 8), ("uring=2x8", 2)] {
        let report = report(engine, &THREADS, libc::EAGAIN);
        assert_eq!((report.succeeded, report.failed, report.cancelled_tasks), (100, 0, 0), "{engine}");
        let said: Vec<_> = report.shortages.iter().map(ToString::to_string).collect();
        assert_eq!(said, [format!("0 of {wanted} threads: Resource temporarily unavailable")], "{engine}");
        assert_eq!(report.spreads.compute.count(), 100);
    }
}

#[test]
fn a_ring_that_may_be_made_but_not_entered_is_no_ring() {
    for errno in [libc::EPERM, libc::ENOSYS, libc::EACCES] {
        let report = report("uring=2x8", &[libc::SYS_io_uring_enter], errno);
        assert_eq!((report.succeeded, report.failed), (100, 0));
        let fallback = report.fallback.expect("another engine");
        assert!(matches!(report.engine, Some(Engine::Threads(_))), "{:?}", report.engine);
        assert!(fallback.reason.ends_with(&format!("(errno {errno})")), "{}", fallback.reason);
    }
}

/// As [`Look`]; but the task with this number forbids its thread to enter the ring any more.
struct Break {
    at: u32,
    errno: i32,
}

impl Job for Break {
    type Task = u32;
    type State = ();
    type Output = ();
    type Error = std::io::Error;

    async fn start<I: Io>(&self, io: &I, task: &u32) -> Result<Step<(), ()>, std::io::Error> {
        if *task == self.at {
            haul_testkit::deny_from_now_on(&[libc::SYS_io_uring_enter], self.errno);
        }
        let directory = io.open(None, std::path::Path::new("."), OpenMode::Read { follow: true }).await?;
        io.sync(&directory).await?;
        Look.start(io, task).await
    }

    async fn part<I: Io>(&self, _: &I, _: &u32, _: &(), _: u64) -> Result<(), std::io::Error> {
        Ok(())
    }

    async fn finish<I: Io>(&self, _: &I, _: &u32, _: &(), _: bool) -> Result<(), std::io::Error> {
        Ok(())
    }

    fn is_cancelled(error: &std::io::Error) -> bool {
        haul_io::is_cancelled(error)
    }
}

#[test]
fn a_ring_that_breaks_costs_at_most_the_operations_in_flight() {
    for (engine, rings, depth) in [("uring=1x8", 1, 8), ("uring=2x8", 2, 8), ("uring=1x1", 1, 1)] {
        for errno in [libc::EPERM, libc::ENOSYS, libc::EINVAL, libc::EBADR] {
            let engine: Engine = engine.parse().unwrap();
            let config = Config::new(engine, Cancel::new().unwrap());
            let report = run(&Break { at: 20, errno }, 0..200, &config, |event| {
                let haul_engine::Event::Settled(settled) = event else { return };
                if let Err(failure) = &settled.outcome {
                    let haul_engine::Failure::Job(error) = failure else { panic!("{failure:?}") };
                    assert!(error.to_string().starts_with("io_uring stopped working: "), "{error}");
                }
            });
            assert_eq!(report.succeeded + report.failed, 200, "{engine}");
            assert!(report.failed < depth, "{engine}: {} failed", report.failed);
            let meaning = haul_io::reason(&std::io::Error::from_raw_os_error(errno));
            let said: Vec<_> = report.shortages.iter().map(ToString::to_string).collect();
            let granted = rings - 1;
            assert_eq!(said, [format!("{granted} of {rings} rings: io_uring stopped working: {meaning}")]);
        }
    }
}

#[test]
fn pipes_stand_in_for_eventfds() {
    for engine in ["serial", "threads=4", "uring=2x8"] {
        let report = report(engine, &[libc::SYS_eventfd2], libc::EPERM);
        assert_eq!((report.succeeded, report.failed, report.shortages), (100, 0, Vec::new()), "{engine}");
    }
}

#[test]
fn a_pool_without_any_thread_is_refused() {
    let start = || {
        ThreadPool::start(4, 1, Cancel::new().unwrap(), |_, (): ()| {})
            .map(|pool| pool.close(Closing::Finish))
    };
    let refused = denying(&THREADS, libc::EAGAIN, start).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EAGAIN));
}

#[test]
fn a_run_needs_no_more_descriptors_than_there_are() {
    let (before, _) = rlimit();
    let engine = Engine::Threads(NonZeroUsize::new(4_096).unwrap());
    let config = Config::new(engine, Cancel::new().unwrap());
    // The limit of this process is left alone; one so low is tested with the program.
    let report = run(&Look, 0..100, &config, |_| {});
    let (jobs, cut) = (report.engine.unwrap().in_flight_max(), report.fallback.is_some());
    assert!(jobs as u64 <= before, "{jobs} jobs, {before} descriptors");
    assert_eq!(cut, jobs < 4_096);
    assert_eq!(report.succeeded, 100);
}

fn rlimit() -> (u64, u64) {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line =
        limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit on descriptors");
    let mut numbers = line.split_whitespace().skip(3).map(|word| word.parse().unwrap_or(u64::MAX));
    (numbers.next().unwrap(), numbers.next().unwrap())
}
