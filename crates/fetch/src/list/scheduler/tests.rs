//! The scheduler, step by step and under random histories.
//!
//! Owns: the guarantees to callers: limits, turns, pauses, no lost tasks.
//! Does not own: real time.

use super::*;

fn origin(name: &str) -> Origin {
    Origin { tls: false, host: name.to_owned(), port: 80 }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn limits(total_max: usize, per_host_max: usize, per_host_rate: Option<f64>) -> HostLimits {
    HostLimits { total_max, per_host_max, per_host_rate, ..HostLimits::default() }
}

/// A scheduler with these tasks, named by host and number.
fn scheduler(limits: HostLimits, tasks: &[&'static str]) -> Scheduler<&'static str> {
    let mut scheduler = Scheduler::new(limits);
    for &task in tasks {
        scheduler.add(&origin(&task[..1]), task, ms(0));
    }
    scheduler
}

fn starts(scheduler: &mut Scheduler<&'static str>, now: u64) -> Vec<&'static str> {
    std::iter::from_fn(|| scheduler.next(ms(now), |_| true)).collect()
}

#[test]
fn hosts_take_turns_and_none_has_more_than_its_share() {
    let mut it = scheduler(limits(5, 2, None), &["a1", "a2", "a3", "a4", "b1", "c1", "c2"]);
    assert_eq!(starts(&mut it, 0), ["a1", "b1", "c1", "a2", "c2"]);
    it.ended(&origin("b"), ms(1));
    assert_eq!(starts(&mut it, 1), [""; 0], "a has its share under way");
    it.ended(&origin("a"), ms(2));
    assert_eq!(starts(&mut it, 2), ["a3"]);
    it.ended(&origin("c"), ms(3));
    it.ended(&origin("a"), ms(3));
    assert_eq!(starts(&mut it, 3), ["a4"]);
    assert!(it.is_empty());
}

#[test]
fn a_rate_spaces_the_starts_of_each_host() {
    let mut it = scheduler(limits(9, 9, Some(10.0)), &["a1", "a2", "a3", "b1", "b2"]);
    for (now, expected) in
        [(0, vec!["a1", "b1"]), (99, vec![]), (100, vec!["a2", "b2"]), (150, vec![]), (500, vec!["a3"])]
    {
        assert_eq!(starts(&mut it, now), expected, "at {now} ms");
    }
    it.add(&origin("a"), "a4", ms(501));
    assert_eq!(starts(&mut it, 599), [""; 0], "no credit is saved up");
    assert_eq!(starts(&mut it, 600), ["a4"]);
}

#[test]
fn a_rate_is_kept_by_a_caller_that_asks_late() {
    for rate in [1.0, 7.0, 60.0, 333.0, 1_000.0, 5_000.0] {
        let mut it = scheduler(limits(1_000_000, 1_000_000, Some(rate)), &[]);
        let tasks = (rate * 20.0) as usize + 100;
        (0..tasks).for_each(|_| it.add(&origin("a"), "a", ms(3)));
        // Engines ask every ten milliseconds or so.
        let (mut now, mut started, mut state) = (3_000, 0, 1_u64);
        while now < 20_003_000 {
            let time = Duration::from_micros(now);
            started += std::iter::from_fn(|| it.next(time, |_| true)).count();
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            now += 9_000 + (state >> 33) % 3_000;
        }
        let ratio = started as f64 / (rate * 20.0);
        assert!((0.95..=1.05).contains(&ratio), "{started} starts in 20 s at {rate}/s");
    }
}

#[test]
fn a_rate_counts_the_requests_that_tasks_made() {
    // Each task makes the given number of requests, and ends 20 ms after its start.
    for (requests, rate) in [(0, 50.0), (1, 50.0), (2, 50.0), (3, 200.0), (10, 1.0)] {
        let mut it = scheduler(limits(1_000, 1_000, Some(rate)), &[]);
        (0..10_000).for_each(|_| it.add(&origin("a"), "a", ms(0)));
        let mut ends = VecDeque::new();
        let mut started = 0;
        for now in (0..100_000).step_by(10) {
            while ends.front().is_some_and(|end| *end <= now) {
                ends.pop_front();
                it.requested(&origin("a"), requests, ms(now));
                it.ended(&origin("a"), ms(now));
            }
            let count = starts(&mut it, now).len();
            started += count;
            ends.extend(std::iter::repeat_n(now + 20, count));
        }
        if requests == 0 {
            // A turn that isn't used is given to the next task.
            assert!(started > 4_000, "{started}");
            continue;
        }
        let ratio = started as f64 * f64::from(requests) / (rate * 100.0);
        assert!((0.95..=1.11).contains(&ratio), "{requests} each, {rate}/s: {started} starts, {ratio}");
    }
}

#[test]
fn turns_that_are_given_back_shorten_no_pause() {
    let mut it = scheduler(limits(9, 9, Some(10.0)), &["a1", "a2", "a3"]);
    assert_eq!(starts(&mut it, 0), ["a1"]);
    it.pause(&origin("a"), ms(70), ms(5));
    it.requested(&origin("a"), 0, ms(5));
    assert_eq!(starts(&mut it, 69), [""; 0]);
    assert_eq!(starts(&mut it, 70), ["a2"]);
    assert_eq!(starts(&mut it, 169), [""; 0]);
    assert_eq!(starts(&mut it, 170), ["a3"]);
}

#[test]
fn a_host_that_is_not_ready_holds_up_no_other_and_starts_when_released() {
    let mut it = scheduler(limits(9, 2, None), &["a1", "b1", "a2", "a3", "b2"]);
    let mut asked = Vec::new();
    let first: Vec<_> = std::iter::from_fn(|| {
        it.next(ms(0), |origin| {
            asked.push(origin.host.clone());
            origin.host == "b"
        })
    })
    .collect();
    assert_eq!((first, asked.join("")), (vec!["b1", "b2"], "abb".to_owned()), "a is asked for once");
    it.add(&origin("a"), "a4", ms(1));
    it.pause(&origin("a"), ms(5), ms(1));
    assert_eq!(starts(&mut it, 1), [""; 0]);
    it.release(&origin("a"), ms(2));
    it.release(&origin("a"), ms(2));
    it.release(&origin("c"), ms(2));
    assert_eq!(starts(&mut it, 2), [""; 0], "it is paused");
    assert_eq!(starts(&mut it, 5), ["a1", "a2"]);
}

#[test]
fn a_pause_holds_one_host_and_the_longest_counts() {
    let mut it = scheduler(limits(9, 9, None), &["a1", "b1", "a2"]);
    it.pause(&origin("a"), ms(50), ms(0));
    it.pause(&origin("a"), ms(200), ms(0));
    it.pause(&origin("a"), ms(100), ms(0));
    assert_eq!(starts(&mut it, 0), ["b1"]);
    assert_eq!(starts(&mut it, 199), [""; 0]);
    assert_eq!(starts(&mut it, 200), ["a1", "a2"]);
    it.pause(&origin("c"), ms(300), ms(200));
    it.add(&origin("c"), "c1", ms(210));
    assert_eq!(starts(&mut it, 299), [""; 0], "a pause is known before the tasks it holds");
    assert_eq!(starts(&mut it, 300), ["c1"]);
}

#[test]
fn delayed_tasks_start_when_due_and_before_new_ones() {
    let mut it = scheduler(limits(9, 1, None), &["a1", "a2", "a3"]);
    assert_eq!(starts(&mut it, 0), ["a1"]);
    it.add_at(&origin("a"), "a1", ms(40));
    it.ended(&origin("a"), ms(10));
    assert_eq!(starts(&mut it, 10), ["a2"], "a delayed task occupies no slot");
    it.ended(&origin("a"), ms(50));
    assert_eq!(starts(&mut it, 50), ["a1"]);
    it.ended(&origin("a"), ms(60));
    assert_eq!(starts(&mut it, 60), ["a3"]);
}

#[test]
fn the_number_of_held_tasks_is_bounded_and_hosts_are_forgotten() {
    let mut it = Scheduler::new(HostLimits { held_max: 4, ..limits(9, 1, None) });
    it.add(&origin("a"), "a1", ms(0));
    it.add(&origin("a"), "a2", ms(0));
    assert!(it.has_room());
    it.add(&origin("a"), "a3", ms(0));
    assert!(!it.has_room(), "three tasks and a host");
    for _ in 0..3 {
        assert!(it.next(ms(0), |_| true).is_some());
        it.ended(&origin("a"), ms(0));
    }
    it.pause(&origin("b"), ms(10), ms(0));
    assert_eq!(it.hosts.len(), 1, "a pause is remembered");
    assert_eq!(it.next(ms(10), |_| true), None);
    assert!(it.hosts.is_empty() && it.timers.is_empty() && it.turns.is_empty());
}

#[test]
fn random_histories_keep_every_bound_and_lose_nothing() {
    for seed in 0..50_u64 {
        let mut state = seed;
        let mut below = |bound: u64| {
            state = (state ^ 0x5bd1_e995).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        let limits = limits(6, 3, (seed % 2 == 0).then_some(200.0));
        let mut it = Scheduler::new(limits);
        let (mut now, mut added, mut done) = (0, 0, 0);
        let mut under_way = Vec::new();
        while done < 300 {
            now += below(8);
            if added < 300 && it.has_room() {
                let name = ["a", "b", "c", "d"][below(4) as usize];
                it.add(&origin(name), (name, added), ms(now));
                added += 1;
            }
            if below(20) == 0 {
                it.pause(&origin("b"), ms(now + below(60)), ms(now));
            }
            under_way.extend(std::iter::from_fn(|| it.next(ms(now), |_| true)));
            assert!(under_way.len() <= limits.total_max);
            for name in ["a", "b", "c", "d"] {
                let of_host = under_way.iter().filter(|(host, _)| *host == name).count();
                assert!(of_host <= limits.per_host_max, "seed {seed}: {of_host} for {name}");
            }
            if !under_way.is_empty() {
                let task = under_way.swap_remove(below(under_way.len() as u64) as usize);
                if below(3) == 0 {
                    it.add_at(&origin(task.0), task, ms(now + below(40)));
                } else {
                    done += 1;
                }
                it.ended(&origin(task.0), ms(now));
            }
        }
        assert_eq!(it.next(ms(now + 1_000), |_| true), None);
        assert!(it.is_empty() && it.hosts.is_empty() && it.timers.is_empty(), "seed {seed}");
    }
}

#[test]
fn the_next_delay_that_ends_is_known() {
    let mut it = scheduler(limits(9, 9, None), &[]);
    assert_eq!(it.next_due(), None);
    it.add_at(&origin("a"), "a1", ms(30));
    it.pause(&origin("b"), ms(20), ms(0));
    it.add(&origin("b"), "b1", ms(0));
    assert_eq!((starts(&mut it, 0), it.next_due()), (vec![], Some(ms(20))));
    assert_eq!((starts(&mut it, 20), it.next_due()), (vec!["b1"], Some(ms(30))));
    assert_eq!((starts(&mut it, 30), it.next_due()), (vec!["a1"], None));
}

fn shared(limits: HostLimits, tasks: &[&'static str]) -> Scheduler<&'static str> {
    let mut scheduler = Scheduler::new(limits);
    scheduler.share_hosts();
    for &task in tasks {
        scheduler.add(&origin(&task[..1]), task, ms(0));
    }
    scheduler
}

fn share(active_max: usize, rate: Option<f64>) -> HostShare {
    HostShare { active_max, rate }
}

/// What is needed at hosts by their names: running and wanted tasks.
fn demands(scheduler: &mut Scheduler<&'static str>) -> Vec<(String, [usize; 2])> {
    let demands = scheduler.demands().into_iter();
    demands.map(|(origin, Demand { running, wanted })| (origin.host, [running, wanted])).collect()
}

#[test]
fn without_a_share_nothing_starts_and_a_share_is_for_one_host() {
    let mut it = shared(limits(9, 3, None), &["a1", "a2", "a3", "a4", "b1"]);
    let named = |name: &str, numbers| (name.to_owned(), numbers);
    assert_eq!(demands(&mut it), [named("a", [0, 3]), named("b", [0, 1])], "no more than it could run");
    assert_eq!(starts(&mut it, 0), [""; 0]);
    it.set_share(&origin("a"), share(2, None), ms(1));
    it.set_share(&origin("c"), share(2, None), ms(1));
    assert_eq!(starts(&mut it, 1), ["a1", "a2"]);
    assert_eq!(demands(&mut it), [named("a", [2, 3])]);
    it.set_share(&origin("a"), share(9, None), ms(2));
    assert_eq!(starts(&mut it, 2), ["a3"], "the limit of the source holds as well");
    it.set_share(&origin("a"), share(0, None), ms(3));
    it.ended(&origin("a"), ms(3));
    it.ended(&origin("a"), ms(3));
    assert_eq!(starts(&mut it, 3), [""; 0], "the share was lost");
    it.set_share(&origin("a"), share(2, None), ms(4));
    assert_eq!(starts(&mut it, 4), ["a4"]);
    it.ended(&origin("a"), ms(5));
    it.ended(&origin("a"), ms(5));
    assert_eq!(demands(&mut it), [named("a", [0, 0])], "a host without tasks wants nothing");
    it.add(&origin("a"), "a5", ms(6));
    assert_eq!(starts(&mut it, 6), [""; 0], "a host that was forgotten needs another share");
    assert_eq!(demands(&mut it), [named("a", [0, 1])]);
}

#[test]
fn a_rate_that_changes_leaves_what_it_has_to_make_up_for() {
    let mut it = shared(limits(9, 9, Some(10.0)), &["a1", "a2", "a3", "a4", "a5"]);
    it.set_share(&origin("a"), share(9, Some(10.0)), ms(0));
    assert_eq!(starts(&mut it, 0), ["a1"]);
    // Half of the interval is left when the rate falls to a quarter: half of the longer one.
    it.set_share(&origin("a"), share(9, Some(2.5)), ms(50));
    assert_eq!(starts(&mut it, 249), [""; 0]);
    assert_eq!(starts(&mut it, 250), ["a2"]);
    // A quarter of the interval has passed when it rises again.
    it.set_share(&origin("a"), share(9, Some(10.0)), ms(350));
    assert_eq!((starts(&mut it, 424), it.next_due()), (vec![], Some(ms(425))));
    assert_eq!(starts(&mut it, 425), ["a3"]);
    // Without a share, requests are accounted for at the rate before.
    it.set_share(&origin("a"), share(0, Some(0.0)), ms(430));
    it.requested(&origin("a"), 3, ms(440));
    it.set_share(&origin("a"), share(9, Some(10.0)), ms(450));
    assert_eq!(starts(&mut it, 724), [""; 0]);
    assert_eq!(starts(&mut it, 725), ["a4"]);
    // As long as something is to be made up for, the host wants its share.
    for _ in 0..4 {
        it.ended(&origin("a"), ms(726));
    }
    it.drain();
    demands(&mut it);
    assert_eq!(starts(&mut it, 800), [""; 0]);
}
