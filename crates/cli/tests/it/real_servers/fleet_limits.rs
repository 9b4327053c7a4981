//! Limits of hosts that hold over a whole fleet, counted at the server: rates, transfers at once, pauses.
//!
//! Owns: these checks.
//! Does not own: slices ([`super::fleet`]), the shares' own tests (`haul-fleet`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use haul_testkit::{Answer, Request, Server};

use super::fleet::{Fleet, check_rate, wait};

/// What runs at a server at once.
#[derive(Default)]
struct AtOnce {
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

impl AtOnce {
    /// Answers after `latency`.
    fn answer(&self, latency: Duration) -> Answer {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.all.fetch_add(1, Ordering::SeqCst);
        // The distance of the server: nothing is ordered by it.
        std::thread::sleep(latency);
        self.now.fetch_sub(1, Ordering::SeqCst);
        Answer::ok("x")
    }
}

/// The rate in the middle of a run, where all nodes work.
fn middle_rate(times: &[Instant]) -> f64 {
    let middle = &times[times.len() / 4..times.len() * 3 / 4];
    (middle.len() - 1) as f64 / (middle[middle.len() - 1] - middle[0]).as_secs_f64()
}

#[test]
fn a_rate_holds_for_three_nodes_together() {
    const RATE: f64 = 60.0;
    let Some(fleet) = Fleet::of(240, |_| Answer::ok("x")) else { return };
    let mut rates = Vec::new();
    for run in ["a", "b", "c"] {
        let _ = std::fs::remove_dir_all(fleet.dir.path().join("got"));
        fleet.times();
        // Of the run and of its nodes, the stricter one counts.
        let (of_run, of_nodes) = if run == "a" { ("60", "1000") } else { ("70/s", "60/s") };
        fleet.create(run, &["--slice", "5", "--rate", of_run]);
        let nodes: Vec<_> = (0..3).map(|_| fleet.node(&fleet.url(run), &["--rate", of_nodes])).collect();
        nodes.into_iter().for_each(|node| drop(node.finish().expect_status(0)));
        let times = fleet.times();
        assert_eq!(times.len(), 240);
        check_rate(&times, RATE, 3);
        let rate = middle_rate(&times);
        if (rate / RATE - 1.0).abs() <= 0.05 {
            return;
        }
        // A machine that is busy may have been late.
        rates.push(rate);
    }
    panic!("{rates:?} requests per second instead of {RATE}");
}

#[test]
fn nodes_never_have_more_transfers_at_a_host_than_allowed_and_take_over_those_of_a_dead_one() {
    const LATENCY: Duration = Duration::from_millis(20);
    let at_once = Arc::new(AtOnce::default());
    let of_server = at_once.clone();
    let Some(fleet) = Fleet::of(0, move |_| of_server.answer(LATENCY)) else { return };
    // Half of the lines lead there by a redirect.
    let target = fleet.origin();
    let other =
        Server::start(move |request| Answer::redirect(302, &format!("http://{target}{}", request.path())));
    let start = |number| if number % 2 == 0 { target } else { other.address() };
    fleet.list((0..600).map(|number| format!("http://{}/{number}", start(number))));
    fleet.create("r", &["--slice", "10", "--lease", "1s"]);
    let mut nodes: Vec<_> = (0..3).map(|_| fleet.node(&fleet.url("r"), &["--per-host", "4"])).collect();
    wait(|| at_once.all.load(Ordering::SeqCst) > 60);
    nodes.remove(0).kill();
    assert!(at_once.most.load(Ordering::SeqCst) <= 4);
    std::thread::sleep(Duration::from_millis(1_500));
    // Its permits are those of the others now.
    at_once.most.store(0, Ordering::SeqCst);
    nodes.into_iter().for_each(|node| drop(node.finish().expect_status(0)));
    assert_eq!(at_once.most.load(Ordering::SeqCst), 4);
    assert_eq!(fleet.total("r", "succeeded"), 600);
}

/// Which of two nodes sent a request.
fn sender(request: &Request) -> usize {
    usize::from(request.header("user-agent") == Some("second"))
}

#[test]
fn a_host_that_asks_one_node_to_wait_is_left_alone_by_all() {
    const PAUSE: Duration = Duration::from_secs(3);
    let seen = Arc::new(Mutex::new(Vec::<(Instant, usize)>::new()));
    let paused = Arc::new(Mutex::new(None));
    let (of_server, pause) = (seen.clone(), paused.clone());
    let handler = move |request: &Request| {
        let mut seen = of_server.lock().unwrap();
        seen.push((Instant::now(), sender(request)));
        let work = [0, 1].map(|node| seen.iter().filter(|(_, sender)| *sender == node).count());
        let mut pause = pause.lock().unwrap();
        if pause.is_none() && work.iter().all(|count| *count >= 3) {
            *pause = Some((Instant::now(), sender(request)));
            return Answer::new(429).header("Retry-After", "3");
        }
        Answer::ok("x").delay(Duration::from_millis(10))
    };
    let Some(fleet) = Fleet::of(400, handler) else { return };
    fleet.create("r", &["--slice", "20"]);
    let nodes = ["first", "second"].map(|agent| fleet.node(&fleet.url("r"), &["-j", "1", "-A", agent]));
    nodes.into_iter().for_each(|node| drop(node.finish().expect_status(0)));
    let (at, _) = paused.lock().unwrap().expect("both nodes worked");
    let seen = seen.lock().unwrap();
    let after: Vec<_> =
        seen.iter().filter(|(time, _)| *time > at).map(|(time, node)| (*time - at, *node)).collect();
    // The other node may have begun something before it heard of it.
    let early: Vec<_> =
        after.iter().filter(|(after, _)| *after < PAUSE - Duration::from_millis(50)).collect();
    assert!(early.iter().all(|(after, _)| *after < PAUSE / 2), "{early:?}");
    assert!(after.iter().any(|(after, _)| *after > PAUSE), "nothing was left to do");
}
