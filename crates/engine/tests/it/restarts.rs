//! Unfinished tasks: they start again when the source decides, occupy no worker meanwhile, and end once.
//!
//! Owns: `Step::Again`, `Job::starts_again`, `Source::again`.
//! Does not own: all other ends of tasks (`engines.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use haul_engine::{Again, Config, Engine, Event, Failure, Job, Next, Report, Source, Step, TaskId, run};
use haul_io::{Cancel, Io};

/// A task that succeeds at its last attempt.
struct Stubborn {
    tries_max: u32,
    tries: AtomicU32,
}

impl Stubborn {
    fn new(tries_max: u32) -> Self {
        Self { tries_max, tries: AtomicU32::new(0) }
    }
}

struct Try;

impl Job for Try {
    type Task = Stubborn;
    type State = Infallible;
    type Output = u32;
    type Error = Infallible;

    async fn start<I: Io>(&self, io: &I, task: &Stubborn) -> Result<Step<Infallible, u32>, Infallible> {
        io.progress(1);
        let tries = task.tries.fetch_add(1, Ordering::Relaxed) + 1;
        if tries == task.tries_max { Ok(Step::Done(tries)) } else { Ok(Step::Again) }
    }

    async fn part<I: Io>(&self, _: &I, _: &Stubborn, state: &Infallible, _: u64) -> Result<(), Infallible> {
        match *state {}
    }

    async fn finish<I: Io>(
        &self,
        _: &I,
        _: &Stubborn,
        state: &Infallible,
        _: bool,
    ) -> Result<u32, Infallible> {
        match *state {}
    }

    fn is_cancelled(_: &Infallible) -> bool {
        false
    }
}

/// A source that holds each returned task back for a while, and counts the tasks that are under way.
struct Holding {
    fresh: VecDeque<u32>,
    back: VecDeque<(u32, TaskId)>,
    out: i64,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    out_at_the_end: i64,
    ended: u64,
    again: u64,
}

/// How often the source answers "later" before it gives a returned task.
const PAUSES: u32 = 1;

impl Holding {
    fn new(tries: impl IntoIterator<Item = u32>) -> (Self, Arc<Mutex<Counts>>) {
        let counts = Arc::new(Mutex::new(Counts::default()));
        let fresh = tries.into_iter().collect();
        (Self { fresh, back: VecDeque::new(), out: 0, counts: counts.clone() }, counts)
    }
}

impl Source<Stubborn> for Holding {
    fn next(&mut self) -> Next<Stubborn> {
        if let Some(tries_max) = self.fresh.pop_front() {
            self.out += 1;
            return Next::Task(Stubborn::new(tries_max));
        }
        match self.back.pop_front() {
            Some((pauses, id)) if pauses < PAUSES => {
                self.back.push_back((pauses + 1, id));
                Next::Later
            }
            Some((_, id)) => {
                self.out += 1;
                Next::Again(id)
            }
            None => Next::End,
        }
    }

    fn again(&mut self, id: TaskId, _: &Stubborn) -> Again {
        self.out -= 1;
        self.counts.lock().unwrap().again += 1;
        self.back.push_back((0, id));
        Again::WhenGiven
    }

    fn ended(&mut self, _: &Stubborn) {
        self.out -= 1;
        let mut counts = self.counts.lock().unwrap();
        counts.ended += 1;
        counts.out_at_the_end = self.out;
    }
}

fn engines() -> Vec<Engine> {
    ["serial", "threads=1", "threads=3", "uring=1x4", "uring=2x8"].map(|text| text.parse().unwrap()).into()
}

/// By task number: how the task ended, and the bytes counted.
type Ends = BTreeMap<u64, (Result<u32, String>, u64)>;

fn ends(
    engine: Engine,
    cancel: &Cancel,
    source: impl Source<Stubborn>,
    after: impl Fn(u64),
) -> (Ends, Report) {
    let mut ends = Ends::new();
    let config = Config::new(engine, cancel.clone());
    let report = run(&Try, source, &config, |event| {
        if let Event::Settled(settled) = event {
            let outcome = match &settled.outcome {
                Ok(tries) => Ok(*tries),
                Err(Failure::Cancelled) => Err("cancelled".to_owned()),
                Err(_) => Err("failed".to_owned()),
            };
            assert!(ends.insert(settled.id.0, (outcome, settled.bytes)).is_none(), "ended twice");
            after(ends.len() as u64);
        }
    });
    (ends, report)
}

#[test]
fn a_returned_task_ends_once_with_all_its_attempts() {
    let tries = || (0..12).map(|index| index % 4 + 1);
    let expected: Ends = tries().enumerate().map(|(id, n)| (id as u64, (Ok(n), n.into()))).collect();
    for engine in engines() {
        let (source, counts) = Holding::new(tries());
        let (held, report) = ends(engine, &Cancel::new().unwrap(), source, |_| ());
        assert_eq!(held, expected, "{engine}");
        assert_eq!((report.succeeded, report.failed), (12, 0), "{engine}");
        let counts = counts.lock().unwrap();
        assert_eq!((counts.ended, counts.again, counts.out_at_the_end), (12, 18, 0), "{engine}");
        // From an iterator, a returned task starts again at once.
        let (at_once, _) = ends(engine, &Cancel::new().unwrap(), tries().map(Stubborn::new), |_| ());
        assert_eq!(at_once, expected, "{engine}");
    }
}

#[test]
fn cancellation_ends_paused_tasks() {
    for engine in engines() {
        let cancel = Cancel::new().unwrap();
        let never = u32::MAX;
        let (source, _) = Holding::new([never, never, 1, never]);
        let (ends, report) = ends(engine, &cancel, source, |_| cancel.trigger());
        assert_eq!(ends[&2].0, Ok(1), "{engine}");
        let cancelled = ends.values().filter(|(outcome, _)| outcome == &Err("cancelled".to_owned())).count();
        assert_eq!(cancelled, ends.len() - 1, "{engine}: {ends:?}");
        assert_eq!(report.cancelled_tasks, cancelled as u64);
    }
}

/// A job that splits each attempt; the last attempt succeeds.
struct Split;

impl Job for Split {
    type Task = Stubborn;
    type State = u32;
    type Output = u32;
    type Error = &'static str;

    async fn start<I: Io>(&self, _: &I, task: &Stubborn) -> Result<Step<u32, u32>, &'static str> {
        let tries = task.tries.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Step::Split { state: Arc::new(tries), parts: 3 })
    }

    async fn part<I: Io>(
        &self,
        io: &I,
        task: &Stubborn,
        tries: &u32,
        index: u64,
    ) -> Result<(), &'static str> {
        io.progress(1);
        if index == 1 && *tries < task.tries_max { Err("a part failed") } else { Ok(()) }
    }

    async fn finish<I: Io>(
        &self,
        _: &I,
        task: &Stubborn,
        tries: &u32,
        succeeded: bool,
    ) -> Result<u32, &'static str> {
        assert_eq!(succeeded, *tries == task.tries_max);
        if succeeded { Ok(*tries) } else { Err("not yet") }
    }

    fn starts_again(&self, task: &Stubborn) -> bool {
        // A task that would need a fourth attempt fails at the third.
        task.tries.load(Ordering::Relaxed) < 3
    }

    fn is_cancelled(_: &&'static str) -> bool {
        false
    }
}

#[test]
fn a_split_task_that_failed_may_start_again() {
    for engine in engines() {
        let (source, counts) = Holding::new(1..=4);
        let config = Config::new(engine, Cancel::new().unwrap());
        let mut ends = BTreeMap::new();
        let report = run(&Split, source, &config, |event| {
            if let Event::Settled(settled) = event {
                let outcome = match &settled.outcome {
                    Ok(tries) => Ok(*tries),
                    Err(Failure::Job(reason)) => Err(*reason),
                    Err(_) => Err("no reason"),
                };
                assert!(ends.insert(settled.id.0, outcome).is_none(), "ended twice");
            }
        });
        let expected = BTreeMap::from([(0, Ok(1)), (1, Ok(2)), (2, Ok(3)), (3, Err("not yet"))]);
        assert_eq!(ends, expected, "{engine}");
        assert_eq!((report.succeeded, report.failed), (3, 1), "{engine}");
        let counts = counts.lock().unwrap();
        assert_eq!((counts.ended, counts.again, counts.out_at_the_end), (4, 5, 0), "{engine}");
    }
}
