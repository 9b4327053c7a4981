//! Every engine ends every task exactly once, with the same result as serial; the thread pool.
//!
//! Owns: all kinds of ends of tasks, cancellation, back-pressure, panics of sources and callbacks.
//! Does not own: tasks that start again (`restarts.rs`).

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul_engine::{
    Closing, Config, Engine, Event, Failure, Job, Next, Report, Source, Step, ThreadPool, run,
};
use haul_io::{Cancel, Io};

/// A task that prescribes how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Succeed,
    Fail,
    Panic,
    Split { parts: u64 },
    SplitAndFail { parts: u64, bad: u64 },
    SplitAndPanic { parts: u64, bad: u64 },
    FailToFinish { parts: u64 },
    CancelTheRun,
}

#[derive(Debug, PartialEq, Eq)]
struct Refused;

struct Script {
    cancel: Cancel,
    parts_done: AtomicU64,
    undone: AtomicU64,
}

impl Job for Script {
    type Task = Task;
    type State = Mutex<Vec<u64>>;
    type Output = u64;
    type Error = Refused;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<Self::State, u64>, Refused> {
        io.progress(1);
        match *task {
            Task::Succeed => Ok(Step::Done(1)),
            Task::Fail => Err(Refused),
            Task::Panic => panic!("as prescribed"),
            Task::CancelTheRun => {
                self.cancel.trigger();
                Ok(Step::Done(1))
            }
            Task::Split { parts }
            | Task::SplitAndFail { parts, .. }
            | Task::SplitAndPanic { parts, .. }
            | Task::FailToFinish { parts } => Ok(Step::Split { state: Arc::default(), parts }),
        }
    }

    async fn part<I: Io>(
        &self,
        io: &I,
        task: &Task,
        seen: &Mutex<Vec<u64>>,
        index: u64,
    ) -> Result<(), Refused> {
        io.progress(10);
        self.parts_done.fetch_add(1, Ordering::Relaxed);
        seen.lock().unwrap().push(index);
        match *task {
            Task::SplitAndFail { bad, .. } if bad == index => Err(Refused),
            Task::SplitAndPanic { bad, .. } if bad == index => panic!("as prescribed"),
            _ => Ok(()),
        }
    }

    async fn finish<I: Io>(
        &self,
        _: &I,
        task: &Task,
        seen: &Mutex<Vec<u64>>,
        succeeded: bool,
    ) -> Result<u64, Refused> {
        let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        seen.sort_unstable();
        let each_once = seen.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(each_once, "a part was done twice");
        if !succeeded {
            self.undone.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(task, Task::FailToFinish { .. }) { Err(Refused) } else { Ok(seen.len() as u64) }
    }

    fn is_cancelled(_: &Refused) -> bool {
        false
    }
}

/// What a run came to, as its events say.
#[derive(Default)]
struct Observed {
    /// By task number: how the task ended.
    ends: BTreeMap<u64, String>,
    undone: u64,
    parts_done: u64,
    report: Report,
}

fn observe(engine: Engine, cancel: Cancel, source: impl Source<Task>) -> Observed {
    let job = Script { cancel: cancel.clone(), parts_done: AtomicU64::new(0), undone: AtomicU64::new(0) };
    let mut observed = Observed::default();
    let mut order = Vec::new();
    let report = run(&job, source, &Config::new(engine, cancel), |event| match event {
        Event::Started { .. } => order.push("started"),
        Event::Settled(settled) => {
            order.push("settled");
            let end = match &settled.outcome {
                Ok(count) => format!("{:?}: {count} with {} bytes", settled.task, settled.bytes),
                Err(Failure::Job(Refused)) => format!("{:?}: refused", settled.task),
                Err(Failure::Panicked(text)) => format!("{:?}: panicked {text}", settled.task),
                Err(_) => format!("{:?}: cancelled", settled.task),
            };
            assert!(observed.ends.insert(settled.id.0, end).is_none(), "{:?} ended twice", settled.id);
        }
        Event::Stalled(_) => panic!("nothing takes a minute"),
        Event::Ended { .. } => order.push("ended"),
        _ => panic!("no event of another kind"),
    });
    assert_eq!((order.first(), order.last()), (Some(&"started"), Some(&"ended")));
    observed.undone = job.undone.into_inner();
    observed.parts_done = job.parts_done.into_inner();
    observed.report = report;
    observed
}

fn engines() -> Vec<Engine> {
    let threads = |count| Engine::Threads(NonZeroUsize::new(count).unwrap());
    let uring = |text: &str| text.parse().unwrap();
    vec![Engine::Serial, threads(1), threads(2), threads(7), uring("uring=1x1"), uring("uring=2x16")]
}

/// Every kind of task, many times over.
fn mixture() -> Vec<Task> {
    let mut tasks = Vec::new();
    for round in 0..50 {
        tasks.extend([Task::Succeed, Task::Fail, Task::Split { parts: round % 9 }]);
        tasks.push(Task::SplitAndFail { parts: 300, bad: round });
        tasks.extend([
            Task::SplitAndPanic { parts: 3, bad: 2 },
            Task::FailToFinish { parts: 2 },
            Task::Panic,
        ]);
    }
    tasks
}

#[test]
fn every_engine_ends_every_task_as_serial_does() {
    std::panic::set_hook(Box::new(|_| {}));
    let oracle = observe(Engine::Serial, Cancel::new().unwrap(), mixture().into_iter());
    assert_eq!(oracle.ends.len(), mixture().len());
    assert_eq!(oracle.ends[&2], "Split { parts: 0 }: 0 with 1 bytes");
    assert_eq!(oracle.ends[&6], "Panic: panicked as prescribed");
    for engine in engines() {
        let observed = observe(engine, Cancel::new().unwrap(), mixture().into_iter());
        assert_eq!(observed.ends, oracle.ends, "{engine}");
        assert_eq!(observed.undone, 100, "{engine}: each task with a failed part is undone once");
        assert_eq!((observed.report.succeeded, observed.report.failed), (100, 250), "{engine}");
        assert_eq!(observed.report.engine, Some(engine));
        assert_eq!(observed.report.spreads.queue.count(), observed.report.spreads.compute.count());
    }
}

#[test]
fn a_failed_part_ends_the_handing_out_of_further_parts() {
    let oracle = observe(
        Engine::Serial,
        Cancel::new().unwrap(),
        [Task::SplitAndFail { parts: 1_000_000, bad: 5 }].into_iter(),
    );
    assert_eq!(oracle.parts_done, 6);
    for engine in engines() {
        let observed = observe(
            engine,
            Cancel::new().unwrap(),
            [Task::SplitAndFail { parts: u64::MAX, bad: 5 }].into_iter(),
        );
        assert!(observed.parts_done < 1_000, "{engine}: {} parts", observed.parts_done);
    }
}

#[test]
fn cancellation_ends_an_endless_source_and_undoes_split_tasks() {
    for engine in engines() {
        let tasks = [Task::Split { parts: u64::MAX }, Task::CancelTheRun].into_iter().cycle();
        let cancel = Cancel::new().unwrap();
        let timer = cancel.clone();
        let mut taken = 0;
        let source = tasks.inspect(move |_| {
            taken += 1;
            if taken == 10 {
                timer.trigger();
            }
        });
        // Serial would carry out the endless parts of the first task first.
        if engine == Engine::Serial {
            cancel.trigger();
        }
        let observed = observe(engine, cancel, source.skip(1));
        assert!(observed.report.cancelled, "{engine}");
        let cancelled = observed.ends.values().filter(|end| end.ends_with("cancelled")).count() as u64;
        assert_eq!(observed.report.cancelled_tasks, cancelled);
        assert_eq!(observed.undone, cancelled, "{engine}");
    }
}

#[test]
fn a_source_that_has_nothing_yet_is_asked_again() {
    struct Hesitant(u32);
    impl Source<Task> for Hesitant {
        fn next(&mut self) -> Next<Task> {
            self.0 += 1;
            match self.0 {
                1 | 3 | 4 => Next::Later,
                2 | 5 => Next::Task(Task::Succeed),
                _ => Next::End,
            }
        }
    }
    for engine in engines() {
        let observed = observe(engine, Cancel::new().unwrap(), Hesitant(0));
        assert_eq!(observed.report.succeeded, 2, "{engine}");
    }
}

#[test]
fn a_source_is_not_drained_ahead_of_the_workers() {
    for engine in engines() {
        let taken = AtomicU64::new(0);
        let counted = std::iter::repeat_n(Task::Succeed, 100_000).inspect(|_| {
            taken.fetch_add(1, Ordering::Relaxed);
        });
        let ended = AtomicU64::new(0);
        let cancel = Cancel::new().unwrap();
        let job = Script { cancel: cancel.clone(), parts_done: AtomicU64::new(0), undone: AtomicU64::new(0) };
        run(&job, counted, &Config::new(engine, cancel), |event| {
            if let Event::Settled(_) = event {
                let ahead = taken.load(Ordering::Relaxed) - ended.fetch_add(1, Ordering::Relaxed);
                assert!(ahead <= 17 * engine.in_flight_max() as u64, "{engine}: {ahead} tasks ahead");
            }
        });
    }
}

/// A source that gives a task only while fewer than `width` are under way.
struct Narrow {
    width: u64,
    left: u64,
    under_way: u64,
}

impl Source<Task> for Narrow {
    fn next(&mut self) -> Next<Task> {
        if self.left == 0 {
            return Next::End;
        }
        if self.under_way == self.width {
            return Next::Later;
        }
        (self.left, self.under_way) = (self.left - 1, self.under_way + 1);
        Next::Task(Task::Succeed)
    }

    fn ended(&mut self, _: &Task) {
        self.under_way -= 1;
    }
}

/// If every start had to wait for the reporter's poll interval, this would take minutes.
#[test]
fn a_source_that_waits_for_ends_is_asked_at_each() {
    for engine in engines() {
        for width in [1, 3] {
            let cancel = Cancel::new().unwrap();
            let job =
                Script { cancel: cancel.clone(), parts_done: AtomicU64::new(0), undone: AtomicU64::new(0) };
            let source = Narrow { width, left: 10_000, under_way: 0 };
            let config = Config::new(engine, cancel);
            assert_eq!(run(&job, source, &config, |_| {}).succeeded, 10_000, "{engine}, {width} at a time");
        }
    }
}

#[test]
fn a_panic_of_the_source_ends_the_run() {
    std::panic::set_hook(Box::new(|_| {}));
    for engine in engines() {
        let cancel = Cancel::new().unwrap();
        let job = Script { cancel: cancel.clone(), parts_done: AtomicU64::new(0), undone: AtomicU64::new(0) };
        let tasks = (0..10_000).map(|number| if number == 5_000 { panic!("drained") } else { Task::Succeed });
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let config = Config::new(engine, cancel);
            run(&job, tasks, &config, |_| {})
        }));
        let said = ran.expect_err("a source that panicked").downcast_ref::<&str>().copied();
        assert_eq!(said, Some("drained"), "{engine}");
    }
}

#[test]
fn a_panic_of_the_callback_ends_the_run() {
    std::panic::set_hook(Box::new(|_| {}));
    for engine in engines() {
        let cancel = Cancel::new().unwrap();
        let job = Script { cancel: cancel.clone(), parts_done: AtomicU64::new(0), undone: AtomicU64::new(0) };
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let config = Config::new(engine, cancel);
            run(&job, mixture().into_iter(), &config, |event| {
                assert!(!matches!(event, Event::Settled(settled) if settled.id.0 == 20), "as prescribed");
            })
        }));
        assert!(ran.is_err(), "{engine}");
    }
}

#[test]
fn a_thread_pool_processes_all_items_and_wakes_to_end() {
    for workers in [1, 4] {
        let sum = std::sync::Arc::new(AtomicU64::new(0));
        let total = sum.clone();
        let pool = ThreadPool::start(workers, 2, Cancel::new().unwrap(), move |_, number: u64| {
            total.fetch_add(number, Ordering::Relaxed);
        })
        .unwrap();
        for number in 0..1_000 {
            pool.submit(number).unwrap();
        }
        pool.close(Closing::Finish);
        assert_eq!(sum.load(Ordering::Relaxed), 499_500);

        let idle = ThreadPool::start(workers, 1, Cancel::new().unwrap(), |_, (): ()| {}).unwrap();
        drop(idle);
    }
}

#[test]
fn a_cancelled_thread_pool_interrupts_its_items() {
    let (begun_tx, begun) = std::sync::mpsc::channel();
    let (ended_tx, ended) = std::sync::mpsc::channel();
    let pool = ThreadPool::start(1, 1, Cancel::new().unwrap(), move |io, (): ()| {
        begun_tx.send(()).unwrap();
        let slept = haul_io::run_ready(io.sleep(std::time::Duration::from_secs(3_600)));
        ended_tx.send(haul_io::is_cancelled(&slept.unwrap_err())).unwrap();
    })
    .unwrap();
    pool.submit(()).unwrap();
    begun.recv().unwrap();
    pool.close(Closing::Cancel);
    assert!(ended.recv().unwrap());
}

#[test]
fn one_item_of_a_thread_pool_is_interrupted_and_no_other() {
    let (ended_tx, ended) = std::sync::mpsc::channel();
    let pool = ThreadPool::start(1, 2, Cancel::new().unwrap(), move |io, interrupted: bool| {
        if interrupted {
            io.cancel().trigger();
        }
        let slept = haul_io::run_ready(io.sleep(std::time::Duration::ZERO));
        ended_tx.send(slept.is_err_and(|error| haul_io::is_cancelled(&error))).unwrap();
    })
    .unwrap();
    for interrupted in [true, false, true] {
        pool.submit(interrupted).unwrap();
        assert_eq!(ended.recv().unwrap(), interrupted);
    }
}

/// A source without a task for an hour that counts how often it is asked.
struct Patient<'a> {
    first: Option<Task>,
    asked: &'a AtomicU64,
    cancel: Cancel,
}

impl Source<Task> for Patient<'_> {
    fn next(&mut self) -> Next<Task> {
        if let Some(task) = self.first.take() {
            return Next::Task(task);
        }
        // The second time, the source is asked for what comes after the first task's end.
        if self.asked.fetch_add(1, Ordering::Relaxed) == 1 {
            let cancel = self.cancel.clone();
            std::thread::spawn(move || cancel.trigger());
        }
        Next::Later
    }

    fn ask_again_in(&mut self) -> Duration {
        // It is asked once more at once, so that a run without workers comes to its sleep, too.
        if self.asked.load(Ordering::Relaxed) < 2 { Duration::ZERO } else { Duration::from_secs(3_600) }
    }
}

#[test]
fn a_source_is_asked_when_it_says_and_a_cancellation_does_not_wait_for_that() {
    for engine in engines() {
        let (asked, cancel) = (AtomicU64::new(0), Cancel::new().unwrap());
        let source = Patient { first: Some(Task::Succeed), asked: &asked, cancel: cancel.clone() };
        let observed = observe(engine, cancel, source);
        assert_eq!(observed.report.succeeded, 1, "{engine}");
        assert!(observed.report.cancelled, "{engine}");
    }
}
