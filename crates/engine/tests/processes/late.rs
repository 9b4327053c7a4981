//! Sources that have no task for a while and wake the coordinator when they have one.
//!
//! Owns: the engines of processes.
//! Does not own: engines in one process (`tests/it/late.rs`).

use std::sync::Mutex;
use std::sync::mpsc::channel;

use haul_engine::{Config, Event, run_portable};
use haul_io::Cancel;
use haul_testkit::fed;

use crate::observe::{ENGINES, this_program};
use crate::{Script, Task};

pub(crate) fn a_coordinator_without_tasks_sleeps_until_it_is_woken() {
    const TASKS: u64 = 30;
    for engine in ENGINES {
        let (source, feeder) = fed();
        let (ended_tx, ended) = channel();
        let feeding = std::thread::spawn(move || {
            for number in 0..TASKS {
                feeder.feed(if number % 3 == 0 { Task::Succeed } else { Task::Split { parts: number % 3 } });
                ended.recv().unwrap();
            }
            feeder.asked()
        });
        let config = Config::new(engine.parse().unwrap(), Cancel::new().unwrap());
        let job = Script { secret: 1, seen: Mutex::default() };
        let report = run_portable(&job, source, &config, &this_program(), |event| {
            if let Event::Settled(_) = event {
                ended_tx.send(()).unwrap();
            }
        });
        let asked = feeding.join().unwrap();
        assert_eq!((report.succeeded, report.failed), (TASKS, 0), "{engine}");
        assert!(asked <= 40 * TASKS, "{engine}: asked {asked} times");
    }
}
