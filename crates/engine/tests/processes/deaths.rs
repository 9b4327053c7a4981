//! Deaths of workers that run several tasks at once: only the guilty task is given up.
//!
//! Owns: suspects, and that each runs alone after a second death.
//! Does not own: workers with one thread.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use haul_engine::{
    Config, Event, Failure, Job, Portable, Step, WorkError, WorkerCommand, run_portable, wire,
};
use haul_io::{Cancel, Io};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

/// The argument that makes this program a worker for [`Crowd`].
pub(crate) const WORKER: &str = "be-a-worker-in-a-crowd";
/// The innocent tasks; with the guilty one, as many as a worker has threads.
const COMPANIONS: usize = 3;

/// How many tasks run in this process.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// The piece of a task that does it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Piece {
    Start,
    Part,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Task {
    is_guilty: bool,
    piece: Piece,
    /// Where attempts are recorded.
    #[serde(with = "wire::path")]
    records: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct InCompany;

struct Crowd {
    repeats_parts: bool,
}

impl Task {
    fn attempts(&self, pattern: &str) -> usize {
        let entries = std::fs::read_dir(&self.records).unwrap();
        entries
            .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(pattern))
            .count()
    }

    /// Twice, the guilty task kills its worker in the company of all others, which wait for that. Then nobody may have
    /// company.
    fn carry_out(&self, name: &str) -> Result<u64, InCompany> {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        let attempt = self.attempts(name) + 1;
        std::fs::write(self.records.join(format!("{name}{attempt}")), "").unwrap();
        if attempt <= 2 {
            loop {
                if self.is_guilty && self.attempts("companion") >= COMPANIONS * attempt {
                    kill_process(getpid(), Signal::KILL).unwrap();
                }
                std::thread::yield_now();
            }
        }
        for _ in 0..1_000 {
            std::thread::yield_now();
            if RUNNING.load(Ordering::SeqCst) > 1 {
                std::fs::write(self.records.join(format!("{name}-in-company")), "").unwrap();
                RUNNING.fetch_sub(1, Ordering::SeqCst);
                return Err(InCompany);
            }
        }
        if self.is_guilty {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        Ok(1)
    }
}

impl Job for Crowd {
    type Task = (String, Task);
    type State = ();
    type Output = u64;
    type Error = InCompany;

    async fn start<I: Io>(&self, _: &I, (name, task): &(String, Task)) -> Result<Step<(), u64>, InCompany> {
        match task.piece {
            Piece::Start => task.carry_out(name).map(Step::Done),
            Piece::Part => Ok(Step::Split { state: Arc::new(()), parts: 1 }),
        }
    }

    async fn part<I: Io>(
        &self,
        _: &I,
        (name, task): &(String, Task),
        (): &(),
        _: u64,
    ) -> Result<(), InCompany> {
        task.carry_out(name).map(drop)
    }

    async fn finish<I: Io>(&self, _: &I, _: &(String, Task), (): &(), _: bool) -> Result<u64, InCompany> {
        Ok(1)
    }

    fn is_cancelled(_: &InCompany) -> bool {
        false
    }
}

impl Portable for Crowd {
    type JobSpec = bool;
    type Token = ();

    fn job_spec(&self, _: &mut dyn FnMut(&mut [u8])) -> bool {
        self.repeats_parts
    }

    fn from_job_spec(repeats_parts: bool) -> Result<Self, String> {
        Ok(Self { repeats_parts })
    }

    fn token(&self, (): &(), _: &mut dyn FnMut(&mut [u8])) {}

    async fn join<I: Io>(&self, _: &I, _: &(String, Task), (): ()) -> Result<(), InCompany> {
        Ok(())
    }

    async fn published<I: Io>(&self, _: &I, _: &(String, Task)) -> Result<u64, InCompany> {
        Ok(0)
    }

    fn repeats_parts(&self) -> bool {
        self.repeats_parts
    }
}

pub(crate) fn work() -> Result<(), WorkError> {
    haul_engine::work::<Crowd>()
}

fn check(piece: Piece, repeats_parts: bool) {
    let dir = tempfile::tempdir().unwrap();
    let task = |is_guilty| Task { is_guilty, piece, records: dir.path().to_owned() };
    let mut tasks: Vec<(String, Task)> =
        (0..COMPANIONS).map(|number| (format!("companion-{number}-"), task(false))).collect();
    tasks.insert(1, ("guilty-".to_owned(), task(true)));
    let engine = "hybrid=1x4".parse().unwrap();
    let config = Config::new(engine, Cancel::new().unwrap());
    let mut ends = BTreeMap::new();
    let command = WorkerCommand::this_program([WORKER]);
    run_portable(&Crowd { repeats_parts }, tasks.into_iter(), &config, &command, |event| {
        let Event::Settled(settled) = event else { return };
        let end = match &settled.outcome {
            Ok(_) => "done".to_owned(),
            Err(Failure::WorkersDied { count }) => format!("{count} died"),
            Err(other) => format!("{other:?}"),
        };
        ends.insert(settled.id, end);
    });
    let context = format!("{piece:?}, parts are repeated: {repeats_parts}, {:?}", records(dir.path()));
    assert_eq!(ends.into_values().collect::<Vec<_>>(), ["done", "3 died", "done", "done"], "{context}");
}

fn records(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into()).collect()
}

pub(crate) fn only_the_guilty_task_is_given_up() {
    check(Piece::Start, true);
    check(Piece::Part, true);
    check(Piece::Part, false);
}
