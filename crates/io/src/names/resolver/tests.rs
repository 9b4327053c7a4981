//! Names with a counting resolver and a fake clock.
//!
//! Owns: what callers rely on: one lookup for all, times, bounds, an answer for every caller.
//! Does not own: rings (see `tests/it/uring.rs`).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A resolver that counts lookups, and a clock that the test sets.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<AtomicUsize>,
    seconds: Arc<AtomicU64>,
}

impl Fake {
    fn names(&self, limits: NamesLimits) -> Names {
        let (asked, seconds) = (self.asked.clone(), self.seconds.clone());
        let resolver = move |name: &str| {
            asked.fetch_add(1, Ordering::SeqCst);
            match name {
                "gone" => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
                "empty" => Ok(Vec::new()),
                _ => Ok(vec!["10.0.0.2:9".parse().unwrap(), "[::1]:9".parse().unwrap()]),
            }
        };
        Names::new(resolver, move || SECOND * seconds.load(Ordering::SeqCst) as u32, limits)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}

fn find(names: &Names, name: &str) -> io::Result<String> {
    let found = names.find(name, 80, SECOND * 60, &Cancel::new().unwrap())?;
    Ok(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

#[test]
fn answers_keep_their_order_and_expire() {
    let fake = Fake::default();
    let names = fake.names(NamesLimits::default());
    assert!(names.known("a", 80).is_none());
    for (pass, asked) in [(0, 1), (59, 1), (1, 2), (60, 3)] {
        fake.pass(pass);
        assert_eq!(
            find(&names, "a").unwrap(),
            "10.0.0.2:80 [::1]:80",
            "the resolver's order, the asker's port"
        );
        assert_eq!(fake.asked(), asked, "{pass} s later");
    }
    assert_eq!(names.known("a", 81).unwrap().unwrap()[0].port(), 81);
    assert_eq!(fake.asked(), 3);
}

#[test]
fn failures_are_remembered_for_a_second() {
    let fake = Fake::default();
    let names = fake.names(NamesLimits::default());
    for name in ["gone", "empty"] {
        let before = fake.asked();
        for _ in 0..100 {
            assert_eq!(find(&names, name).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(fake.asked(), before + 1);
        fake.pass(1);
        find(&names, name).unwrap_err();
        assert_eq!(fake.asked(), before + 2);
    }
    assert_eq!(find(&names, "gone").unwrap_err().to_string(), "no such name");
}

#[test]
fn the_oldest_answers_are_forgotten() {
    let fake = Fake::default();
    let names = fake.names(NamesLimits { names_max: 3, ..NamesLimits::default() });
    for name in ["a", "b", "c", "d"] {
        find(&names, name).unwrap();
    }
    let known = |name| names.known(name, 80).is_some();
    assert_eq!(["a", "b", "c", "d"].map(known), [false, true, true, true]);
    // A name that was looked up again counts as new.
    fake.pass(60);
    for name in ["b", "e", "f"] {
        find(&names, name).unwrap();
    }
    assert_eq!(["b", "c", "d", "e", "f"].map(known), [true, false, false, true, true]);
    assert_eq!(names.lock().entries.len(), 3);
}

/// Names whose one lookup blocks until the sender is used; the receiver reports that it has started.
fn held() -> (Names, Receiver<()>, SyncSender<()>, Arc<AtomicUsize>) {
    let ((started, has_started), (go, may_go)) = (sync_channel(1), sync_channel::<()>(1));
    let asked = Arc::new(AtomicUsize::new(0));
    let (counted, may_go) = (asked.clone(), Mutex::new(may_go));
    let resolver = move |name: &str| {
        counted.fetch_add(1, Ordering::SeqCst);
        started.send(()).unwrap();
        let _ = may_go.lock().unwrap().recv();
        assert_ne!(name, "panics");
        Ok(vec![SocketAddr::from(([10, 0, 0, 1], 0))])
    };
    (Names::new(resolver, || Duration::ZERO, NamesLimits::default()), has_started, go, asked)
}

#[test]
fn a_thousand_callers_at_once_cost_one_lookup() {
    let (names, started, go, asked) = held();
    let answered = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| find(&names, "a"));
        started.recv().unwrap();
        for _ in 0..1_000 {
            let answered = answered.clone();
            // Returns at once: no thread waits for the answer.
            names.find_then(
                "a",
                Box::new(move |answer| {
                    assert!(answer.is_ok());
                    answered.fetch_add(1, Ordering::SeqCst);
                }),
            );
        }
        assert_eq!(answered.load(Ordering::SeqCst), 0);
        let blocked: Vec<_> = (0..20).map(|_| scope.spawn(|| find(&names, "a"))).collect();
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap().unwrap(), "10.0.0.1:80");
        for one in blocked {
            assert_eq!(one.join().unwrap().unwrap(), "10.0.0.1:80");
        }
    });
    assert_eq!((answered.load(Ordering::SeqCst), asked.load(Ordering::SeqCst)), (1_000, 1));
}

#[test]
fn waiting_for_another_callers_lookup_can_be_interrupted() {
    let (names, started, go, _) = held();
    let cancel = Cancel::new().unwrap();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| find(&names, "a"));
        started.recv().unwrap();
        let waiter = scope.spawn(|| names.find("a", 80, SECOND * 60, &cancel));
        cancel.trigger();
        assert!(crate::is_cancelled(&waiter.join().unwrap().unwrap_err()));
        go.send(()).unwrap();
        first.join().unwrap().unwrap();
    });
}

#[test]
fn a_lookup_that_panics_still_answers_its_callers() {
    let (names, started, go, _) = held();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| find(&names, "panics"));
        started.recv().unwrap();
        let (answered, answers) = sync_channel(1);
        names.find_then("panics", Box::new(move |answer| answered.send(answer.clone()).unwrap()));
        go.send(()).unwrap();
        first.join().unwrap().unwrap_err();
        answers.recv().unwrap().unwrap_err();
    });
}

#[test]
fn a_caller_waits_no_longer_than_it_wants() {
    let (names, _started, go, _) = held();
    let error = names.find("a", 80, Duration::from_millis(20), &Cancel::new().unwrap()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    // The lookup goes on for others.
    go.send(()).unwrap();
    assert_eq!(find(&names, "a").unwrap(), "10.0.0.1:80");
}

#[test]
fn try_again_is_never_remembered() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let resolver = move |_: &str| match counted.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(vec![SocketAddr::from(([10, 0, 0, 1], 0))]),
    };
    let names = Names::new(resolver, || Duration::ZERO, NamesLimits::default());
    for _ in 0..2 {
        assert!(is_try_again(&find(&names, "a").unwrap_err()));
    }
    assert_eq!(find(&names, "a").unwrap(), "10.0.0.1:80");
    assert!(names.lock().order.len() == 1 && names.known("a", 80).is_some());
    assert!(says_try_again("failed to lookup address information: Temporary failure in name resolution"));
    assert!(!says_try_again("failed to lookup address information: Name or service not known"));
}

#[test]
fn localhost_is_never_asked_for() {
    let fake = Fake::default();
    let names = fake.names(NamesLimits::default());
    for name in ["localhost", "LOCALHOST", "localhost.", "a.b.localhost"] {
        assert_eq!(find(&names, name).unwrap(), "127.0.0.1:80 [::1]:80", "{name}");
    }
    assert_eq!(fake.asked(), 0);
    for name in ["localhost.example", "notlocalhost"] {
        assert!(names.known(name, 80).is_none(), "{name}");
    }
}

#[test]
fn the_system_knows_this_host() {
    let names = Names::default();
    assert_eq!(find(&names, "127.0.0.1").unwrap(), "127.0.0.1:80");
    find(&names, "no-such-name.invalid").unwrap_err();
}

/// Names whose resolver answers what the test sends.
struct Scripted {
    names: Names,
    answer: SyncSender<io::Result<Vec<SocketAddr>>>,
    /// Receives once for each lookup that waits for its answer. Those that begin later wait behind it.
    has_begun: Receiver<()>,
    seconds: Arc<AtomicU64>,
}

fn scripted() -> Scripted {
    let ((answer, answers), (begun, has_begun)) = (sync_channel(16), sync_channel(16));
    let (answers, seconds) = (Mutex::new(answers), Arc::new(AtomicU64::new(0)));
    let clock = seconds.clone();
    let resolve = move |_: &str| {
        let answers: MutexGuard<'_, Receiver<io::Result<Vec<SocketAddr>>>> = answers.lock().unwrap();
        begun.send(()).unwrap();
        answers.recv().unwrap()
    };
    let now = move || SECOND * clock.load(Ordering::SeqCst) as u32;
    Scripted { names: Names::new(resolve, now, NamesLimits::default()), answer, has_begun, seconds }
}

#[test]
fn a_lookup_ahead_keeps_its_failure_until_somebody_asks_again() {
    let Scripted { names, answer, has_begun, seconds } = scripted();
    let ahead = |names: &Names| {
        let (done, is_done) = sync_channel(1);
        let is_known = names.look_up_ahead("a", move || done.send(()).unwrap());
        (is_known, is_done)
    };
    let again = || Err(io::Error::from(io::ErrorKind::WouldBlock));
    let (is_known, is_done) = ahead(&names);
    assert!(!is_known);
    answer.send(again()).unwrap();
    is_done.recv().unwrap();
    for _ in 0..2 {
        assert_eq!(find(&names, "a").unwrap_err().kind(), io::ErrorKind::WouldBlock, "without a lookup");
    }
    assert!(ahead(&names).0);
    names.forget_failure("a");
    let (is_known, is_done) = ahead(&names);
    assert!(!is_known, "a retry looks the name up");
    answer.send(Ok(vec!["10.0.0.2:9".parse().unwrap()])).unwrap();
    is_done.recv().unwrap();
    assert_eq!(find(&names, "a").unwrap(), "10.0.0.2:80");
    names.forget_failure("a");
    assert!(ahead(&names).0, "an answer isn't forgotten");
    seconds.store(100, Ordering::SeqCst);
    let (is_known, is_done) = ahead(&names);
    assert!(!is_known, "it is out of date");
    (0..3).for_each(|_| has_begun.recv().unwrap());
    names.give_up("a");
    is_done.recv().unwrap();
    assert_eq!(find(&names, "a").unwrap_err().kind(), io::ErrorKind::TimedOut);
    // The lookup that was given up ends without an answer, which changes nothing.
    answer.send(again()).unwrap();
    seconds.store(110, Ordering::SeqCst);
    assert_eq!(find(&names, "a").unwrap_err().kind(), io::ErrorKind::TimedOut);
    seconds.store(131, Ordering::SeqCst);
    answer.send(Ok(vec!["10.0.0.3:9".parse().unwrap()])).unwrap();
    assert_eq!(find(&names, "a").unwrap(), "10.0.0.3:80");
}

#[test]
fn a_lookup_that_was_given_up_ends_no_later_one() {
    let (first, second) = (sync_channel(1), sync_channel(1));
    let (begun, has_begun) = sync_channel(2);
    let (answers, seconds) = (Mutex::new(vec![second.1, first.1]), Arc::new(AtomicU64::new(0)));
    let clock = seconds.clone();
    let names = Names::new(
        move |_| {
            let answer: Receiver<io::Result<Vec<SocketAddr>>> = answers.lock().unwrap().pop().unwrap();
            begun.send(()).unwrap();
            answer.recv().unwrap()
        },
        move || SECOND * clock.load(Ordering::SeqCst) as u32,
        NamesLimits::default(),
    );
    let ahead = || {
        let (done, is_done) = sync_channel(1);
        assert!(!names.look_up_ahead("a", move || done.send(()).unwrap()));
        has_begun.recv().unwrap();
        is_done
    };
    let is_given_up = ahead();
    names.give_up("a");
    is_given_up.recv().unwrap();
    seconds.store(31, Ordering::SeqCst);
    let is_done = ahead();
    first.0.send(Err(io::ErrorKind::WouldBlock.into())).unwrap();
    // Each lookup holds a clone until it has ended.
    while Arc::strong_count(&names.0) > 2 {
        std::thread::yield_now();
    }
    is_done.try_recv().expect_err("the later lookup goes on");
    second.0.send(Ok(vec!["10.0.0.3:9".parse().unwrap()])).unwrap();
    is_done.recv().unwrap();
    assert_eq!(find(&names, "a").unwrap(), "10.0.0.3:80");
}
