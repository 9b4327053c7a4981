//! A panic anywhere in a job or in the callback: it fails its task, hangs nothing, and leaves nothing behind.
//!
//! Owns: panics in each method of a job, in destructors, in encodings and in the callback for events, on every engine.
//! Does not own: workers that die.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use haul_engine::{Config, Event, Failure, Job, Portable, Step, WorkerCommand, run_portable, wire};
use haul_io::{Cancel, Io};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize, Serializer};

/// The argument that makes this program a worker for [`Clumsy`].
pub(crate) const WORKER: &str = "be-a-clumsy-worker";

const ENGINES: [&str; 7] =
    ["serial", "threads=1", "threads=3", "uring=1x4", "processes=1", "processes=2", "hybrid=2x2"];

/// Where a task panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Wrong {
    Nothing,
    Start,
    /// Before the future of `start` exists.
    Call,
    Part,
    Finish,
    StartsAgain,
    IsCancelled,
    DropOfState,
    DropOfFuture,
    Token,
    Join,
    JoinInWorker,
    PartReturned,
    Published,
    Abandon,
    Output,
}

impl Wrong {
    const EVERYWHERE: [Self; 10] = [
        Self::Start,
        Self::Call,
        Self::Part,
        Self::Finish,
        Self::StartsAgain,
        Self::IsCancelled,
        Self::DropOfState,
        Self::DropOfFuture,
        Self::Nothing,
        Self::Nothing,
    ];
    const IN_PROCESSES: [Self; 7] = [
        Self::Token,
        Self::Join,
        Self::JoinInWorker,
        Self::PartReturned,
        Self::Published,
        Self::Abandon,
        Self::Output,
    ];
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Task {
    wrong: Wrong,
    /// The file that a split task holds as long as it is under way.
    #[serde(with = "wire::path")]
    staged: PathBuf,
}

struct Clumsy {
    /// Not in a worker process.
    supervises: bool,
}

/// The state of a task. Panics when it is dropped, if that is prescribed and no panic is under way.
struct Fragile(Wrong);

impl Drop for Fragile {
    fn drop(&mut self) {
        let is_fragile = matches!(self.0, Wrong::DropOfState | Wrong::DropOfFuture);
        assert!(!is_fragile || std::thread::panicking(), "dropped");
    }
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Refused {
    Plainly,
    /// `is_cancelled` panics over it.
    Badly,
}

#[derive(Debug, Deserialize)]
struct Output(bool);

impl Serialize for Output {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.0, "encoded");
        serializer.serialize_newtype_struct("Output", &self.0)
    }
}

impl Clumsy {
    async fn begin<I: Io>(&self, io: &I, task: &Task) -> Result<Step<Fragile, Output>, Refused> {
        let _held = (task.wrong == Wrong::DropOfFuture).then(|| Fragile(task.wrong));
        io.yield_now().await;
        match task.wrong {
            Wrong::Start => panic!("started"),
            Wrong::IsCancelled => return Err(Refused::Badly),
            Wrong::DropOfFuture | Wrong::Output => {
                return Ok(Step::Done(Output(task.wrong == Wrong::Output)));
            }
            Wrong::Published => {
                let publish = crate::plain(&task.staged.with_extension("published"));
                let staged = haul_io::Staged::create(io, &publish).await.unwrap();
                staged.publish(io, &publish).await.unwrap();
                kill_process(getpid(), Signal::KILL).unwrap();
            }
            _ => {}
        }
        std::fs::write(&task.staged, "").unwrap();
        Ok(Step::Split { state: Arc::new(Fragile(task.wrong)), parts: 5 })
    }
}

impl Job for Clumsy {
    type Task = Task;
    type State = Fragile;
    type Output = Output;
    type Error = Refused;

    fn start<I: Io>(
        &self,
        io: &I,
        task: &Task,
    ) -> impl Future<Output = Result<Step<Fragile, Output>, Refused>> {
        assert!(task.wrong != Wrong::Call, "called");
        self.begin(io, task)
    }

    async fn part<I: Io>(&self, _: &I, task: &Task, _: &Fragile, index: u64) -> Result<(), Refused> {
        assert!(task.wrong != Wrong::Part || index != 3, "part");
        Ok(())
    }

    async fn finish<I: Io>(
        &self,
        _: &I,
        task: &Task,
        _: &Fragile,
        succeeded: bool,
    ) -> Result<Output, Refused> {
        let _ = std::fs::remove_file(&task.staged);
        assert!(task.wrong != Wrong::Finish || !succeeded, "finished");
        if task.wrong == Wrong::StartsAgain { Err(Refused::Plainly) } else { Ok(Output(false)) }
    }

    fn starts_again(&self, task: &Task) -> bool {
        assert!(task.wrong != Wrong::StartsAgain, "again");
        false
    }

    fn is_cancelled(error: &Refused) -> bool {
        assert!(*error != Refused::Badly, "cancelled");
        false
    }
}

impl Portable for Clumsy {
    type JobSpec = ();
    type Token = Wrong;

    fn job_spec(&self, _: &mut dyn FnMut(&mut [u8])) {}

    fn from_job_spec((): ()) -> Result<Self, String> {
        Ok(Self { supervises: false })
    }

    fn token(&self, state: &Fragile, _: &mut dyn FnMut(&mut [u8])) -> Wrong {
        assert!(state.0 != Wrong::Token, "token");
        state.0
    }

    async fn join<I: Io>(&self, _: &I, task: &Task, wrong: Wrong) -> Result<Fragile, Refused> {
        assert!(task.wrong != Wrong::Join && task.wrong != Wrong::Abandon, "joined");
        assert!(task.wrong != Wrong::JoinInWorker || self.supervises, "joined there");
        Ok(Fragile(wrong))
    }

    async fn published<I: Io>(&self, _: &I, _: &Task) -> Result<Output, Refused> {
        panic!("published")
    }

    fn part_returned(&self, state: &Fragile) {
        assert!(state.0 != Wrong::PartReturned, "part returned");
    }

    async fn abandon<I: Io>(&self, _: &I, task: &Task, _: Wrong) {
        let _ = std::fs::remove_file(&task.staged);
        assert!(task.wrong != Wrong::Abandon, "abandoned");
    }
}

pub(crate) fn work() -> Result<(), haul_engine::WorkError> {
    haul_engine::work::<Clumsy>()
}

fn tasks(dir: &Path, wrongs: &[Wrong]) -> Vec<Task> {
    let task =
        |(number, wrong): (usize, &Wrong)| Task { wrong: *wrong, staged: dir.join(number.to_string()) };
    wrongs.iter().enumerate().map(task).collect()
}

fn command() -> WorkerCommand {
    WorkerCommand::this_program([WORKER])
}

fn config(engine: &str) -> Config {
    Config::new(engine.parse().unwrap(), Cancel::new().unwrap())
}

pub(crate) fn a_panic_fails_its_task_only() {
    std::panic::set_hook(Box::new(|_| ()));
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let mut wrongs = Wrong::EVERYWHERE.repeat(20);
        if engine.starts_with(['p', 'h']) {
            wrongs.extend(Wrong::IN_PROCESSES.repeat(3));
        }
        let tasks = tasks(dir.path(), &wrongs);
        let ends = RefCell::new(BTreeMap::new());
        run_portable(&Clumsy { supervises: true }, tasks.into_iter(), &config(engine), &command(), |event| {
            let Event::Settled(settled) = event else { return };
            let end = match &settled.outcome {
                Ok(_) => "done".to_owned(),
                Err(Failure::Panicked(message)) => message.clone(),
                Err(other) => format!("{other:?}"),
            };
            assert!(ends.borrow_mut().insert(settled.id, end).is_none(), "{engine}: {:?}", settled.id);
        });
        let said: Vec<String> = ends.into_inner().into_values().collect();
        let expected: Vec<&str> = wrongs.iter().map(|wrong| expected(*wrong)).collect();
        assert_eq!(said, expected, "{engine}");
        let left = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let left: Vec<_> = left.filter(|path| path.extension().is_none()).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{engine}: something is left behind");
    }
    let _ = std::panic::take_hook();
}

fn expected(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::Nothing => "done",
        Wrong::Start => "started",
        Wrong::Call => "called",
        Wrong::Part => "part",
        Wrong::Finish => "finished",
        Wrong::StartsAgain => "again",
        Wrong::IsCancelled => "cancelled",
        Wrong::DropOfState | Wrong::DropOfFuture => "dropped",
        Wrong::Token => "token",
        Wrong::Join | Wrong::Abandon => "joined",
        Wrong::JoinInWorker => "joined there",
        Wrong::PartReturned => "part returned",
        Wrong::Published => "published",
        Wrong::Output => "encoded",
    }
}

pub(crate) fn a_panic_of_the_callback_undoes_what_was_begun() {
    std::panic::set_hook(Box::new(|_| ()));
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let endless = (0..)
            .map(|number: u64| Task { wrong: Wrong::Nothing, staged: dir.path().join(number.to_string()) });
        let config = config(engine);
        let mut calls = 0;
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run_portable(&Clumsy { supervises: true }, endless, &config, &command(), |_| {
                calls += 1;
                assert!(calls < 10, "as prescribed");
            })
        }));
        assert_eq!(ran.unwrap_err().downcast_ref::<&str>(), Some(&"as prescribed"), "{engine}");
        assert_eq!(calls, 10, "{engine}: called again after its panic");
        assert!(config.cancel.is_triggered(), "{engine}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{engine}: something is left behind");
    }
    let _ = std::panic::take_hook();
}
