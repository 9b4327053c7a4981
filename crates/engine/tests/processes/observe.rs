//! Running the script's tasks and noting what became of them.
//!
//! Owns: the engines under test, the ends of tasks as text.
//! Does not own: the job and the cases (`main.rs`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Mutex;

use haul_engine::{Config, Engine, Event, Failure, Report, WorkerCommand, run_portable};
use haul_io::Cancel;

use crate::{Refused, Script, Task, WORKER};

pub(crate) struct Observed {
    /// How each task ended, in the order of the source.
    pub(crate) ends: Vec<String>,
    pub(crate) parts_back: u64,
    pub(crate) undone: u64,
    pub(crate) report: Report,
}

pub(crate) fn observe(engine: &str, command: &WorkerCommand, tasks: &[Task]) -> Observed {
    let engine: Engine = engine.parse().unwrap();
    let config = Config::new(engine, Cancel::new().unwrap());
    let job = Script { secret: 4_711, seen: Mutex::default() };
    let ends = RefCell::new(BTreeMap::new());
    let report = run_portable(&job, tasks.iter().cloned(), &config, command, |event| {
        let Event::Settled(settled) = event else { return };
        let end = match &settled.outcome {
            Ok(output) => format!("{output} with {} bytes", settled.bytes),
            Err(Failure::Job(Refused)) => "refused".to_owned(),
            Err(Failure::Panicked(text)) => format!("panicked {text}"),
            Err(Failure::WorkersDied { count }) => format!("{count} died"),
            Err(Failure::NoWorker) => "no worker".to_owned(),
            Err(other) => panic!("{other:?}"),
        };
        assert!(ends.borrow_mut().insert(settled.id, end).is_none(), "{:?} ended twice", settled.id);
    });
    let (parts_back, undone) = *job.seen.lock().unwrap();
    Observed { ends: ends.into_inner().into_values().collect(), parts_back, undone, report }
}

pub(crate) fn this_program() -> WorkerCommand {
    WorkerCommand::this_program([WORKER])
}

pub(crate) const ENGINES: [&str; 3] = ["processes=1", "processes=3", "hybrid=2x3"];
