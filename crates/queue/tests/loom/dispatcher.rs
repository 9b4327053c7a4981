//! The engine's dispatcher in small: the protocol of part 3, on the program's own rings, combiner and sleeper.
//!
//! Owns: answers that find the lock taken, the reporter's sleep, a source that wakes it.
//! Does not own: the order of work (the engine's supervisor), time: no sleep here ends by itself.

use haul_queue::{Combiner, Ring, Sleeper, TryPop};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread::{self, JoinHandle};

use super::{check, sorted};

/// A ring of work, a ring of answers, and the state that a combiner applies them to.
struct Dispatcher {
    work: Ring<u32>,
    answers: Ring<u32>,
    combiner: Combiner<Vec<u32>>,
    /// The number of answers after which the ring of work is closed.
    expected: usize,
}

impl Dispatcher {
    fn new(expected: usize) -> Arc<Self> {
        let (work, answers) = (Ring::with_capacity(4), Ring::with_capacity(4));
        Arc::new(Self { work, answers, combiner: Combiner::new(Vec::new()), expected })
    }

    fn combine(&self) {
        let apply = |taken: &mut Vec<u32>| {
            while let TryPop::Item(answer) = self.answers.try_pop() {
                taken.push(answer);
                if taken.len() == self.expected {
                    self.work.close();
                }
            }
        };
        self.combiner.combine(apply, || !self.answers.is_empty()).unwrap();
    }

    /// D1 to D5.
    fn answer(&self, answer: u32) {
        self.answers.push(answer).unwrap();
        self.combine();
    }

    fn taken(&self) -> Vec<u32> {
        self.combiner.visit(|taken| taken.clone()).unwrap()
    }
}

/// Starts a thread that gives `answer` and then calls `after`.
fn answerer(
    dispatcher: &Arc<Dispatcher>,
    answer: u32,
    after: impl FnOnce(&Dispatcher) + 'static,
) -> JoinHandle<()> {
    let dispatcher = Arc::clone(dispatcher);
    thread::spawn(move || {
        dispatcher.answer(answer);
        after(&dispatcher);
    })
}

#[test]
fn no_answer_is_left_behind_when_every_worker_has_left() {
    check(3, || {
        let dispatcher = Dispatcher::new(3);
        let (first, second) = (answerer(&dispatcher, 1, |_| ()), answerer(&dispatcher, 2, |_| ()));
        first.join().unwrap();
        second.join().unwrap();
        assert!(dispatcher.answers.is_empty());
        assert_eq!(sorted([dispatcher.taken()]), [1, 2]);
    });
}

/// The last answer closes the ring of work. If one is left behind, both workers sleep for ever: loom's "deadlock".
#[test]
fn no_worker_sleeps_for_ever_over_an_answer() {
    check(2, || {
        let dispatcher = Dispatcher::new(2);
        let sleep = |dispatcher: &Dispatcher| assert_eq!(dispatcher.work.pop(), None);
        let (first, second) = (answerer(&dispatcher, 1, sleep), answerer(&dispatcher, 2, sleep));
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!(sorted([dispatcher.taken()]), [1, 2]);
    });
}

/// A visitor can make a worker find the lock taken, and so must combine afterwards (D6).
#[test]
fn a_visitor_applies_the_answer_that_found_the_lock_taken() {
    check(3, || {
        let dispatcher = Dispatcher::new(1);
        let worker = answerer(&dispatcher, 1, |dispatcher| assert_eq!(dispatcher.work.pop(), None));
        dispatcher.taken();
        dispatcher.combine();
        worker.join().unwrap();
        assert_eq!(dispatcher.taken(), [1]);
    });
}

/// What a [`Run`] reads its tasks from: numbers below `fed`, then the end once `ENDED` is added.
struct Source(AtomicUsize);

const ENDED: usize = 100;

/// A whole run: a source, workers, and a reporter that sleeps until it is woken.
struct Run {
    work: Ring<usize>,
    answers: Ring<usize>,
    combiner: Combiner<Combined>,
    low_water: usize,
    reporter: Sleeper,
    source: Source,
}

#[derive(Default)]
struct Combined {
    handed_out: usize,
    in_flight: usize,
    unreported: Vec<usize>,
    /// The reporter waits for anything.
    waits: bool,
    ended: bool,
}

impl Run {
    /// A run whose reporter is the calling thread.
    fn new(fed: usize, low_water: usize) -> Arc<Self> {
        Arc::new(Self {
            work: Ring::with_capacity(4),
            answers: Ring::with_capacity(4),
            combiner: Combiner::new(Combined::default()),
            low_water,
            reporter: Sleeper::this_thread(),
            source: Source(AtomicUsize::new(fed)),
        })
    }

    /// D2 to D5.
    fn combine(&self) {
        let apply = |combined: &mut Combined| {
            while let TryPop::Item(answer) = self.answers.try_pop() {
                combined.in_flight -= 1;
                combined.unreported.push(answer);
                if std::mem::take(&mut combined.waits) {
                    self.reporter.wake();
                }
            }
            self.hand_out(combined);
        };
        let is_due = || !self.answers.is_empty() && self.work.len() <= self.low_water;
        self.combiner.combine(apply, is_due).unwrap();
    }

    fn hand_out(&self, combined: &mut Combined) {
        let fed = self.source.0.load(Ordering::Relaxed);
        while combined.handed_out < fed % ENDED {
            self.work.push(combined.handed_out).unwrap();
            combined.handed_out += 1;
            combined.in_flight += 1;
        }
        if fed >= ENDED && combined.in_flight == 0 && !combined.ended {
            combined.ended = true;
            self.work.close();
            self.reporter.urge();
        }
    }

    /// The body of a worker: D1, D2 to D5 or not, D7.
    fn serve(&self) {
        loop {
            if self.work.len() <= self.low_water {
                self.combine();
            }
            let next = match self.work.try_pop() {
                TryPop::Item(task) => Some(task),
                TryPop::Empty => self.work.pop(),
                TryPop::Closed => None,
            };
            let Some(task) = next else { return };
            self.answers.push(task).unwrap();
        }
    }

    /// The body of the reporter: D6. Once it has reported `last` tasks, it ends the source.
    fn report(&self, last: Option<usize>) -> Vec<usize> {
        let mut reported = Vec::new();
        loop {
            let (unreported, ended) = self
                .combiner
                .visit(|combined| {
                    let unreported = std::mem::take(&mut combined.unreported);
                    combined.waits = unreported.is_empty();
                    (unreported, combined.ended)
                })
                .unwrap();
            self.combine();
            if unreported.is_empty() {
                if ended {
                    return reported;
                }
                self.reporter.sleep(None);
                self.reporter.take_urgency();
            }
            let was_last = last == Some(reported.len());
            reported.extend(unreported);
            if !was_last && last == Some(reported.len()) {
                self.source.0.fetch_add(ENDED, Ordering::Relaxed);
            }
        }
    }
}

/// Runs `workers` threads over `fed` tasks; what `feed` adds to the source comes from a thread of its own. The reporter
/// ends a source that nobody else ends.
fn run(workers: usize, fed: usize, low_water: usize, feed: &'static [usize]) {
    let run = Run::new(fed, low_water);
    let serving: Vec<_> = (0..workers)
        .map(|_| {
            let run = Arc::clone(&run);
            thread::spawn(move || run.serve())
        })
        .collect();
    let feeding = (!feed.is_empty()).then(|| {
        let run = Arc::clone(&run);
        thread::spawn(move || {
            for more in feed {
                run.source.0.fetch_add(*more, Ordering::Relaxed);
                run.reporter.urge();
            }
        })
    });
    let all = fed + feed.iter().sum::<usize>();
    let count = all % ENDED;
    let mut reported = run.report((all < ENDED).then_some(count));
    reported.sort_unstable();
    assert_eq!(reported, (0..count).collect::<Vec<_>>());
    serving.into_iter().chain(feeding).for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_reporter_that_sleeps_without_a_limit_hears_of_every_end() {
    check(2, || run(1, 2, 0, &[]));
}

/// A worker with more work on the ring than the low-water mark doesn't combine: another one, or its next turn, does.
#[test]
fn answers_below_the_low_water_mark_are_left_and_found() {
    check(2, || run(1, 3 + ENDED, 1, &[]));
}

/// The wake-up of a source is all that has its task begun: nobody asks a source that has said "later" by itself.
#[test]
fn a_source_that_wakes_the_reporter_is_asked() {
    check(2, || run(1, 0, 0, &[1, ENDED]));
}

/// The source wakes the reporter while a worker holds the lock and may have asked it before.
#[test]
fn a_source_that_wakes_the_reporter_is_asked_while_workers_combine() {
    check(2, || run(1, 1, 0, &[1 + ENDED]));
}
