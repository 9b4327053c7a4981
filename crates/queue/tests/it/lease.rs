//! The lease table on real memory and futexes, with processes that are killed.
//!
//! Owns: mapping, sealing, sleeping across processes, SIGKILL: all that the models leave out.
//! Does not own: every interleaving (see `src/lease/tests/exhaustive.rs`).
//!
//! A child process is this test program, started again to run only [`child`], with the table as its standard input.

use haul_queue::lease::{Config, FinishError, Next, OfferError, Supervisor, TableError, Worker};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_millis(5);
/// The environment variable with a child's owner number.
const OWNER: &str = "HAUL_QUEUE_TEST_OWNER";
/// A task that kills the worker that runs it.
const POISON: &[u8] = b"poison";

fn small(slot_count: u32, deaths_max: u8) -> Supervisor {
    let bounds =
        Config { slot_count, task_bytes_max: 40, outcome_bytes_max: 80, intent_bytes_max: 20, deaths_max };
    Supervisor::create(bounds).unwrap()
}

/// The outcome of a task: each byte twice, which reveals an outcome that is torn or of another task.
fn outcome(task: &[u8]) -> Vec<u8> {
    task.iter().flat_map(|&byte| [byte, byte]).collect()
}

fn work(worker: &Worker, owner: u16, mut before_finish: impl FnMut(&[u8])) {
    let mut task = Vec::new();
    loop {
        match worker.next(owner, TIMEOUT) {
            Next::Closed => return,
            Next::Idle => {}
            Next::Lease(lease) => {
                worker.read_task(&lease, &mut task).unwrap();
                before_finish(&task);
                worker.finish(&lease, &outcome(&task)).unwrap();
            }
        }
    }
}

/// The body of a child process; does nothing in the test run itself.
#[test]
fn child() {
    let Ok(owner) = std::env::var(OWNER) else { return };
    let worker = Worker::attach(std::io::stdin()).unwrap();
    work(&worker, owner.parse().unwrap(), |task| {
        if task == POISON {
            std::process::abort();
        }
    });
}

fn spawn(supervisor: &Supervisor, owner: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lease::child", "--nocapture"])
        .env(OWNER, owner.to_string())
        .stdin(Stdio::from(supervisor.memfd().try_clone_to_owned().unwrap()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_processes_lose_nothing_and_finish_nothing_twice() {
    const TASKS: u32 = 20_000;
    const KILL_EVERY: u32 = 700;
    let mut supervisor = small(16, 63);
    let mut children: Vec<Child> = (0..3).map(|owner| spawn(&supervisor, owner)).collect();
    let (mut offered, mut finished, mut kills) = (0, 0, 0);
    let mut running = HashMap::new();
    while finished < TASKS {
        while offered < TASKS {
            let task = format!("task {offered}").into_bytes();
            match supervisor.offer(&task) {
                Ok(slot) => assert_eq!(running.insert(slot, task), None),
                Err(OfferError::Full) => break,
                Err(error) => panic!("{error}"),
            }
            offered += 1;
        }
        supervisor.wait(TIMEOUT);
        for done in supervisor.collect() {
            assert_eq!(done.outcome, outcome(&running.remove(&done.slot).unwrap()));
            finished += 1;
        }
        if finished / KILL_EVERY > kills {
            let victim = kills as usize % children.len();
            children[victim].kill().unwrap();
            children[victim].wait().unwrap();
            assert!(supervisor.reap(victim as u16).poisoned.is_empty());
            children[victim] = spawn(&supervisor, victim as u16);
            kills += 1;
        }
    }
    assert_eq!((supervisor.outstanding(), running.len()), (0, 0));
    assert!(kills > 20);
    supervisor.close();
    children.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
}

#[test]
fn a_task_that_kills_is_given_up() {
    let mut supervisor = small(4, 3);
    let poison = supervisor.offer(POISON).unwrap();
    for deaths in 1..=3 {
        let mut child = spawn(&supervisor, 7);
        assert!(!child.wait().unwrap().success());
        let reaped = supervisor.reap(7);
        assert_eq!(reaped.reclaimed.len(), usize::from(deaths < 3));
        let given_up = reaped.poisoned.iter().any(|poisoned| poisoned.slot == poison);
        assert_eq!(given_up, deaths == 3);
    }
    assert_eq!(supervisor.outstanding(), 0);
}

#[test]
fn an_intent_outlives_its_writer_and_not_its_task() {
    let mut supervisor = small(1, 3);
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    supervisor.offer(b"task").unwrap();
    let first = worker.claim(1).unwrap();
    assert_eq!(worker.intent(&first), b"");
    worker.record_intent(&first, b"about to begin").unwrap();
    worker.record_intent(&first, b"about to end").unwrap();
    assert_eq!(supervisor.reap(1).reclaimed.len(), 1);
    let second = worker.claim(2).unwrap();
    assert_eq!(worker.intent(&second), b"about to end");
    assert_eq!(supervisor.reap(2).reclaimed.len(), 1);
    let third = worker.claim(3).unwrap();
    assert_eq!(worker.intent(&third), b"about to end", "an attempt that recorded none hides none");
    let poisoned = supervisor.reap(3).poisoned;
    assert_eq!(poisoned[0].intent, b"about to end");
    supervisor.offer(b"another").unwrap();
    let lease = worker.claim(1).unwrap();
    assert_eq!(worker.intent(&lease), b"");
    assert_eq!(worker.record_intent(&lease, &[0; 21]).unwrap_err().max, 20);
    assert_eq!(worker.intent(&lease), b"", "no part of it");
    worker.record_intent(&lease, b"short").unwrap();
    worker.record_intent(&lease, &[0; 21]).unwrap_err();
    assert_eq!(worker.intent(&lease), b"short", "the one before it");
}

#[test]
fn a_death_over_several_tasks_counts_for_each() {
    let mut supervisor = small(2, 3);
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    supervisor.offer(b"one").unwrap();
    supervisor.offer(b"two").unwrap();
    for death in 1..=3 {
        assert!(
            worker.claim(1).is_some() && worker.claim(1).is_some(),
            "both are there before death {death}"
        );
        assert_eq!(supervisor.reap(1).poisoned.len(), if death < 3 { 0 } else { 2 });
    }
    supervisor.offer_once(b"one").unwrap();
    assert!(worker.claim(1).is_some_and(|lease| lease.is_repeated()));
    assert_eq!(supervisor.reap(1).poisoned.len(), 1, "given up at the first death");
}

#[test]
fn a_corrupt_word_ends_its_task_only() {
    // Where the words of the slots begin; their lowest byte is the state.
    const WORDS_AT: u64 = 512;
    for wild in [0, 0x77, 0xdead_0000_0000_00ff, 0x1_0000_0000] {
        let mut supervisor = small(3, 3);
        let memory = std::fs::File::from(supervisor.memfd().try_clone_to_owned().unwrap());
        let overwrite =
            |slot: usize| memory.write_all_at(&u64::to_ne_bytes(wild), WORDS_AT + 8 * slot as u64);
        let worker = Worker::attach(supervisor.memfd()).unwrap();
        let (one, two) = (supervisor.offer(b"one").unwrap(), supervisor.offer(b"two").unwrap());
        let (first, second) = (worker.claim(1).unwrap(), worker.claim(1).unwrap());
        // The slot of one task, and one that is free.
        overwrite(one.index()).unwrap();
        overwrite(2).unwrap();
        worker.finish(&second, b"twice").unwrap();
        assert_eq!(worker.finish(&first, b"once"), Err(FinishError::Fenced), "{wild:x}");
        let finished = supervisor.collect();
        let ends: Vec<_> = finished.iter().map(|end| (end.slot, end.outcome.as_slice())).collect();
        assert_eq!(ends, [(one, &b""[..]), (two, b"twice")], "{wild:x}");
        for _ in 0..3 {
            supervisor.offer(b"more").unwrap();
        }
        assert_eq!(supervisor.offer(b"too much"), Err(OfferError::Full));
        assert_eq!(std::iter::from_fn(|| worker.claim(1)).count(), 3, "{wild:x}");
    }
}

#[test]
fn a_task_that_runs_for_nobody_is_reclaimed() {
    let mut supervisor = small(1, 3);
    let memory = std::fs::File::from(supervisor.memfd().try_clone_to_owned().unwrap());
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    supervisor.offer(b"task").unwrap();
    let lease = worker.claim(1).unwrap();
    assert_eq!(supervisor.owners(), [1]);
    // Running, for another owner.
    memory.write_all_at(&(1_u64 << 32 | 900 << 16 | 2).to_ne_bytes(), 512).unwrap();
    assert_eq!(worker.finish(&lease, b"done"), Err(FinishError::Fenced));
    assert_eq!(supervisor.owners(), [900]);
    assert_eq!(supervisor.reap(900).reclaimed.len(), 1);
    assert!(worker.claim(1).is_some());
}

#[test]
fn threads_share_a_worker() {
    let mut supervisor = small(8, 1);
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| work(&worker, 1, |_| ()))).collect();
        let (mut offered, mut finished) = (0_u32, 0);
        while finished < 10_000 {
            while offered < 10_000 && supervisor.offer(&offered.to_ne_bytes()).is_ok() {
                offered += 1;
            }
            supervisor.wait(TIMEOUT);
            finished += supervisor.collect().len();
        }
        supervisor.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(supervisor.outstanding(), 0);
}

#[test]
fn a_fenced_worker_is_refused() {
    let mut supervisor = small(1, 3);
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    supervisor.offer(b"task").unwrap();
    let late = worker.claim(1).unwrap();
    assert_eq!(supervisor.reap(2).reclaimed, []);
    assert_eq!(supervisor.reap(1).reclaimed.len(), 1);
    assert_eq!(worker.finish(&late, b"late"), Err(FinishError::Fenced));
    assert!(worker.read_task(&late, &mut Vec::new()).is_err());
    let lease = worker.claim(2).unwrap();
    assert_eq!((lease.slot(), lease.is_repeated()), (0, true));
    assert_ne!(lease.generation(), late.generation());
    assert_eq!(worker.finish(&late, b"late"), Err(FinishError::Fenced));
    worker.finish(&lease, b"in time").unwrap();
    assert_eq!(worker.finish(&lease, b"again"), Err(FinishError::Fenced));
    assert_eq!(supervisor.collect()[0].outcome, b"in time");
}

#[test]
fn an_old_lease_is_invalid_for_the_next_task_of_its_slot() {
    let mut supervisor = small(1, 1);
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    supervisor.offer(b"first").unwrap();
    let old = worker.claim(1).unwrap();
    worker.finish(&old, b"").unwrap();
    supervisor.collect();
    supervisor.offer(b"second").unwrap();
    let new = worker.claim(1).unwrap();
    assert_ne!(new, old);
    assert!(worker.read_task(&old, &mut Vec::new()).is_err());
    assert_eq!(worker.finish(&old, b""), Err(FinishError::Fenced));
    assert!(worker.finish(&new, b"").is_ok());
}

#[test]
fn bounds_are_kept() {
    let mut supervisor = small(2, 1);
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    assert_eq!(supervisor.offer(&[0; 41]), Err(OfferError::TooLong { max: 40 }));
    let longest: Vec<u8> = (0..40).collect();
    let first = supervisor.offer(&longest).unwrap();
    supervisor.offer(b"").unwrap();
    assert_eq!(supervisor.offer(b""), Err(OfferError::Full));
    let lease = worker.claim(1).unwrap();
    let mut task = Vec::new();
    worker.read_task(&lease, &mut task).unwrap();
    assert_eq!((lease.slot(), task), (first.index(), longest));
    assert_eq!(worker.finish(&lease, &[0; 81]), Err(FinishError::TooLong { max: 80 }));
    worker.finish(&lease, &[9; 80]).unwrap();
    assert_eq!(supervisor.withdraw().len(), 1);
    assert_eq!(worker.claim(1), None);
    assert_eq!(supervisor.collect()[0].outcome, [9; 80]);
    assert_eq!(supervisor.outstanding(), 0);
    supervisor.close();
    assert_eq!(supervisor.offer(b""), Err(OfferError::Closed));
    assert_eq!(worker.next(1, Duration::MAX), Next::Closed);
}

#[test]
fn dropping_the_supervisor_ends_workers() {
    let supervisor = small(1, 1);
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| work(&worker, 1, |_| ()));
        drop(supervisor);
    });
}

#[test]
fn memory_that_is_no_table_is_refused() {
    let name = "haul-queue-test";
    let attach = |seals, bytes: u64| {
        let memfd = rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&memfd, bytes).unwrap();
        rustix::fs::fcntl_add_seals(&memfd, seals).unwrap();
        Worker::attach(memfd.as_fd()).err().unwrap()
    };
    use rustix::fs::SealFlags as Seals;
    let all = Seals::SHRINK | Seals::GROW | Seals::SEAL;
    assert!(matches!(attach(Seals::SHRINK | Seals::GROW, 8_192), TableError::NotSealed));
    assert!(matches!(attach(all, 8_192), TableError::NotATable));
    assert!(matches!(attach(all, 0), TableError::NotATable));
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(matches!(Worker::attach(file).err().unwrap(), TableError::NotSealed));
}

#[test]
fn an_alarm_ends_a_sleep_that_has_begun_or_is_about_to_begin() {
    let mut supervisor = Supervisor::create(Config::default()).unwrap();
    let alarm = supervisor.alarm();
    alarm.ring();
    assert!(supervisor.wait(Duration::MAX), "rung since the last look");
    supervisor.collect();
    assert!(!supervisor.wait(Duration::ZERO), "that was seen");
    std::thread::scope(|scope| {
        let supervisor = &supervisor;
        let asleep = scope.spawn(move || supervisor.wait(Duration::MAX));
        alarm.ring();
        assert!(asleep.join().unwrap());
    });
}

/// A worker that was woken and then stopped has taken the wake-up with it.
#[test]
fn sleepers_are_roused_while_a_task_is_ready() {
    let mut supervisor = Supervisor::create(Config::default()).unwrap();
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    supervisor.offer(b"a task").unwrap();
    // This sleeper was not notified of the task.
    let seen = worker.observe();
    std::thread::scope(|scope| {
        let asleep = scope.spawn(|| worker.sleep(seen, None));
        while !asleep.is_finished() {
            supervisor.rouse();
            std::thread::yield_now();
        }
        assert!(asleep.join().unwrap());
    });
    worker.claim(1).expect("the task");
    supervisor.rouse();
    let seen = worker.observe();
    supervisor.rouse();
    assert!(!worker.sleep(seen, Some(Duration::ZERO)), "nothing is ready");
}

#[test]
fn a_closed_table_lets_no_worker_sleep() {
    let supervisor = Supervisor::create(Config::default()).unwrap();
    let worker = Worker::attach(supervisor.memfd()).unwrap();
    let seen = worker.observe();
    worker.close();
    assert!(worker.sleep(seen, None) && worker.observe().is_closed());
    assert!(worker.sleep(worker.observe(), None));
}
