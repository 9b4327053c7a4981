//! Any order of answers, with every failure that workers have, under seeds.
//!
//! The model knows of each task what was handed out and not answered. Whatever is answered, each task ends once, with
//! none of its work under way; each part is handed out once in an attempt; a split task is finished or undone once.
//!
//! Owns: the model, random answers and failures.
//! Does not own: the engines that answer.

use std::collections::BTreeMap;

use super::*;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Yields tasks, is late now and then, and keeps those that start again for a while.
struct Moody {
    random: Random,
    left: u32,
    kept: Vec<TaskId>,
}

impl Source<u32> for Moody {
    fn next(&mut self) -> Next<u32> {
        let mood = self.random.below(4);
        if mood == 0 {
            return Next::Later;
        }
        if mood == 1
            && let Some(id) = self.kept.pop()
        {
            return Next::Again(id);
        }
        match (self.left, self.kept.is_empty()) {
            (0, true) => Next::End,
            (0, false) => Next::Later,
            _ => {
                self.left -= 1;
                Next::Task(self.left)
            }
        }
    }

    fn again(&mut self, id: TaskId, _: &u32) -> Again {
        if self.random.below(2) == 0 {
            return Again::AtOnce;
        }
        self.kept.push(id);
        Again::WhenGiven
    }
}

/// What the model knows of an open task.
#[derive(Default)]
struct Known {
    /// Pieces of work under way.
    under_way: u32,
    /// The parts that were handed out in this attempt.
    parts: std::collections::BTreeSet<u64>,
    is_split: bool,
}

/// Any answer that a worker, its death or the coordinator gives for such a piece of work.
fn any_answer(random: &mut Random, work: &Work<Numbers>) -> Answer<Numbers> {
    let failure = |random: &mut Random| match random.below(4) {
        0 => Failure::Job("no"),
        1 => Failure::Panicked("at random".to_owned()),
        2 => Failure::WorkersDied { count: 3 },
        _ => Failure::Cancelled,
    };
    match (&work.stage, random.below(8)) {
        (Stage::Start, 0..=1) => started(Step::Done(1)),
        (Stage::Start, 2..=4) => split(random.below(5)),
        (Stage::Start, 5) => started(Step::Again),
        (Stage::Start, 6) => Answer::SplitLost(failure(random)),
        (Stage::Start, _) => Answer::Started(Err(failure(random))),
        (Stage::Part { .. }, 0..=5) => Answer::PartDone(Ok(())),
        (Stage::Part { .. }, 6) => Answer::PartLost,
        (Stage::Part { .. }, _) => Answer::PartDone(Err(failure(random))),
        (Stage::Finish { .. }, 0..=5) => Answer::Finished(Ok(2)),
        (Stage::Finish { .. }, 6) => started(Step::Again),
        (Stage::Finish { .. }, _) => Answer::Finished(Err(failure(random))),
    }
}

fn run_of(seed: u64) {
    let mut random = Random(seed);
    let tasks = random.below(30) as u32;
    let cancel = Cancel::new().unwrap();
    let cancelled_at = random.below(400);
    let source = Moody { random: Random(!seed), left: tasks, kept: Vec::new() };
    let mut supervisor: Supervisor<Numbers, _> = Supervisor::new(source, cancel.clone());
    let (mut held, mut known) = (Vec::new(), BTreeMap::<TaskId, Known>::new());
    let mut ended = std::collections::BTreeSet::new();
    for step in 0.. {
        assert!(step < 100_000, "seed {seed}: it doesn't end");
        if step == cancelled_at && seed.is_multiple_of(3) {
            cancel.trigger();
        }
        let takes = held.is_empty() || (held.len() < 12 && random.below(2) == 0);
        let ready = if takes { supervisor.next(Instant::now()) } else { Ready::Wait };
        match ready {
            Ready::End => {
                assert!(held.is_empty() && known.is_empty(), "seed {seed}: ended with work under way");
                break;
            }
            Ready::Work(work) => {
                assert!(!ended.contains(&work.id), "seed {seed}: work for a task that has ended");
                let task = known.entry(work.id).or_default();
                task.under_way += 1;
                match work.stage {
                    Stage::Start => {
                        assert_eq!(task.under_way, 1, "seed {seed}: started beside its own work");
                        *task = Known { under_way: 1, ..Known::default() };
                    }
                    Stage::Part { index, .. } => assert!(task.parts.insert(index), "seed {seed}: twice"),
                    Stage::Finish { .. } => {
                        assert!(task.is_split && task.under_way == 1, "seed {seed}: finished too early");
                    }
                }
                held.push(work);
            }
            Ready::Wait if held.is_empty() => {}
            Ready::Wait => {
                let at = random.below(held.len() as u64) as usize;
                let work = held.swap_remove(at);
                let (id, task) = (work.id, known.get_mut(&work.id).expect("it is open"));
                task.under_way -= 1;
                if random.below(10) == 0 {
                    // No worker has begun it.
                    if let Stage::Part { index, .. } = work.stage {
                        task.parts.remove(&index);
                    }
                    supervisor.take_back(work);
                    continue;
                }
                let answer = any_answer(&mut random, &work);
                task.is_split |= matches!(answer, Answer::Started(Ok(Step::Split { .. })));
                let under_way = task.under_way;
                let returned = Returned { id, answer, phases: Phases::default(), bytes: 1 };
                if let Some(settled) = supervisor.returned(returned) {
                    assert_eq!((settled.id, under_way), (id, 0), "seed {seed}");
                    assert!(known.remove(&id).is_some() && ended.insert(id), "seed {seed}: ended twice");
                }
            }
        }
        assert_eq!(supervisor.in_flight(), held.len(), "seed {seed}");
    }
    assert!(cancel.is_triggered() || ended.len() == tasks as usize, "seed {seed}: {} ended", ended.len());
}

#[test]
fn whatever_workers_answer_each_task_ends_once() {
    (0..3_000).for_each(run_of);
}
