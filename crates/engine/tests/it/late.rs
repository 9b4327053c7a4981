//! Sources that have no task for a while and wake the engine when they have one.
//!
//! Owns: the engines in one process; wake-ups while they sleep, work and end.
//! Does not own: worker processes (`tests/processes/late.rs`); how often a sleeping run wakes (`cli/tests/it/get`).

use std::sync::mpsc::channel;
use std::time::Duration;

use haul_engine::{Config, Event, Job, Step, run};
use haul_io::{Cancel, Io};
use haul_testkit::fed;

/// A task is its number of parts; the largest sleeps for an hour instead.
struct Parts;

impl Job for Parts {
    type Task = u64;
    type State = ();
    type Output = ();
    type Error = std::io::Error;

    async fn start<I: Io>(&self, io: &I, parts: &u64) -> std::io::Result<Step<(), ()>> {
        match *parts {
            0 => Ok(Step::Done(())),
            u64::MAX => io.sleep(Duration::from_secs(3_600)).await.map(|()| Step::Done(())),
            parts => Ok(Step::Split { state: Default::default(), parts }),
        }
    }

    async fn part<I: Io>(&self, _: &I, _: &u64, (): &(), _: u64) -> std::io::Result<()> {
        Ok(())
    }

    async fn finish<I: Io>(&self, _: &I, _: &u64, (): &(), _: bool) -> std::io::Result<()> {
        Ok(())
    }

    fn is_cancelled(error: &std::io::Error) -> bool {
        haul_io::is_cancelled(error)
    }
}

const ENGINES: [&str; 6] = ["serial", "threads=1", "threads=2", "threads=7", "uring=1x1", "uring=2x4"];

fn config(engine: &str) -> Config {
    Config::new(engine.parse().unwrap(), Cancel::new().unwrap())
}

/// Each task is fed when the one before has ended, so that the engine sleeps or is about to. A single lost wake-up
/// would let the run hang.
#[test]
fn an_engine_without_tasks_sleeps_until_it_is_woken() {
    const TASKS: u64 = 45;
    for engine in ENGINES {
        let (source, feeder) = fed();
        let (ended_tx, ended) = channel();
        let feeding = std::thread::spawn(move || {
            for number in 0..TASKS {
                feeder.feed(number % 3);
                ended.recv().unwrap();
            }
            feeder.asked()
        });
        let report = run(&Parts, source, &config(engine), |event| {
            if let Event::Settled(_) = event {
                ended_tx.send(()).unwrap();
            }
        });
        let asked = feeding.join().unwrap();
        assert_eq!((report.succeeded, report.failed), (TASKS, 0), "{engine}");
        assert!(asked <= 20 * TASKS, "{engine}: asked {asked} times");
    }
}

#[test]
fn a_task_that_arrives_while_another_is_under_way_is_begun() {
    for engine in ["threads=2", "uring=1x2", "uring=2x1"] {
        let (source, feeder) = fed();
        let config = config(engine);
        let cancel = config.cancel.clone();
        feeder.feed(u64::MAX);
        feeder.feed(0);
        let mut feeder = Some(feeder);
        let mut ended = 0;
        let report = run(&Parts, source, &config, |event| {
            if let Event::Settled(settled) = event {
                ended += 1;
                match ended {
                    1..=20 => feeder.as_ref().unwrap().feed(ended % 2),
                    21 => drop(feeder.take()),
                    _ => assert_eq!(*settled.task, u64::MAX, "{engine}"),
                }
                if ended == 21 {
                    cancel.trigger();
                }
            }
        });
        assert_eq!((report.succeeded, report.cancelled_tasks), (21, 1), "{engine}");
    }
}

#[test]
fn the_end_of_a_source_wakes_the_engine_and_so_does_a_cancellation() {
    for engine in ENGINES {
        for is_cancelled in [false, true] {
            let (source, feeder) = fed::<u64>();
            let config = config(engine);
            let cancel = config.cancel.clone();
            let ending = std::thread::spawn(move || {
                while feeder.asked() == 0 {
                    std::thread::yield_now();
                }
                if is_cancelled {
                    cancel.trigger();
                }
                // The feeder stays until the engine has ended, or ends the run.
                is_cancelled.then_some(feeder)
            });
            let report = run(&Parts, source, &config, |_| ());
            assert_eq!(report.cancelled, is_cancelled, "{engine}");
            drop(ending.join().unwrap());
        }
    }
}
