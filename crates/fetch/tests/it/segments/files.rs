//! Large files over several connections, against scripted servers.

use std::sync::atomic::{AtomicUsize, Ordering};

use haul_engine::{Job, Step, run};
use haul_fetch::{Algorithm, Checksum, Config, Destination, Error, Expected, FetchJob, FetchTask, Segments};
use haul_io::{Blocking, Cancel, run_ready};
use haul_testkit::{Answer, End, Gate, Server};

use super::setting::{
    BYTES, Dir, body, engine, fetch, in_order, range_of, ranged, ranges, segments, segments_config,
    undivided, whole,
};

#[test]
fn the_bytes_are_the_same_for_every_engine_and_segment_count() {
    let server = Server::start(ranged);
    for name in ["serial", "threads=4", "uring=1x8", "uring=2x4"] {
        for count in 1..=8 {
            let place = Dir::new();
            let (end, bytes) = fetch(name, segments(count), place.task(&server.url("/x")));
            assert_eq!(end, Ok(1), "{name}, {count}");
            assert!(place.file() == Some(body()), "{name}, {count}");
            assert_eq!(bytes, BYTES as u64, "{name}, {count}: what is counted is what is there");
            assert_eq!(place.names().len(), 1);
        }
    }
}

#[test]
fn one_connection_alone_fetches_everything_with_one_request() {
    let server = Server::start(ranged);
    let place = Dir::new();
    assert_eq!(fetch("serial", segments(8), place.task(&server.url("/x"))).0, Ok(1));
    assert_eq!(server.requests().len(), 1, "nobody else was there to take a segment");
}

#[test]
fn segments_arrive_in_parallel() {
    for name in ["threads=4", "uring=1x8"] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match range_of(request) {
            None => whole().gate_at(50_000, &held),
            Some(range) => ranged(request).gate_at(range.len() / 2, &held),
        });
        let place = Dir::new();
        let task = place.task(&server.url("/x"));
        std::thread::scope(|scope| {
            let fetching = scope.spawn(|| fetch(name, undivided(4), task));
            server.wait_requests(4);
            gate.open();
            assert_eq!(fetching.join().unwrap().0, Ok(1), "{name}");
        });
        let mut asked = ranges(&server);
        asked.sort_by_key(|range| range.start);
        let span = BYTES.div_ceil(4);
        assert_eq!(asked, [span..2 * span, 2 * span..3 * span, 3 * span..BYTES], "{name}");
        assert!(place.file() == Some(body()), "{name}");
    }
}

#[test]
fn other_lanes_take_over_the_bytes_ahead_of_a_slow_connection() {
    for name in ["threads=2", "uring=1x4"] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match range_of(request) {
            None => whole().gate_at(1_000, &held),
            Some(_) => ranged(request),
        });
        let place = Dir::new();
        let task = place.task(&server.url("/x"));
        std::thread::scope(|scope| {
            let fetching = scope.spawn(|| fetch(name, segments(2), task));
            // Half, a quarter and so on, until less than two pieces are left.
            server.wait_requests(6);
            gate.open();
            assert_eq!(fetching.join().unwrap(), (Ok(1), BYTES as u64), "{name}");
        });
        let asked = ranges(&server);
        assert!(asked.iter().map(|range| range.start).min() < Some(20_000), "{name}: {asked:?}");
        assert!(place.file() == Some(body()), "{name}");
    }
}

#[test]
fn a_broken_segment_continues_after_its_last_byte() {
    for end in [End::Close, End::Reset] {
        for broken in 0..3 {
            let count = AtomicUsize::new(0);
            let server = Server::start(move |request| {
                let answer = if request.header("range").is_some() { ranged(request) } else { whole() };
                if count.fetch_add(1, Ordering::SeqCst) == broken {
                    answer.cut_after(50_000, end)
                } else {
                    answer
                }
            });
            let place = Dir::new();
            let task = place.task(&server.url("/x"));
            let fetched = in_order(&FetchJob::new(undivided(3)), &task, &[1, 2, 0]).unwrap();
            assert!(fetched.attempts <= 2, "{end:?} in {broken}");
            assert!(place.file() == Some(body()), "{end:?} in {broken}");
            if end == End::Close {
                let start = [0, 133_335, 266_670][broken] + 50_000;
                assert!(ranges(&server).iter().any(|range| range.start == start), "{:?}", ranges(&server));
            }
            assert_eq!(place.names().len(), 1);
        }
    }
}

#[test]
fn a_host_that_accepts_one_connection_only_still_delivers_the_whole() {
    for status in [403, 429, 503] {
        let server = Server::start(move |request| match request.header("range") {
            None => whole(),
            Some(_) => Answer::new(status).header("Retry-After", "7"),
        });
        let place = Dir::new();
        let task = place.task(&server.url("/x"));
        let fetched = in_order(&FetchJob::new(undivided(3)), &task, &[1, 2, 0]).unwrap();
        assert!(fetched.attempts == 1 && place.file() == Some(body()), "{status}");
        assert_eq!(server.requests().len(), 3, "{status}");
    }
}

#[test]
fn a_final_failure_leaves_nothing() {
    let refusing = Server::start(|request| match request.header("range") {
        None => whole().cut_after(10, End::Close),
        Some(_) => Answer::new(403),
    });
    let place = Dir::new();
    let failed =
        in_order(&FetchJob::new(undivided(2)), &place.task(&refusing.url("/x")), &[1, 0]).unwrap_err();
    assert!(matches!(failed.error, Error::Status(_)), "{failed}");
    assert_eq!((place.names(), refusing.requests().len()), (Vec::<String>::new(), 2));
    let breaking = Server::start(|request| ranged(request).header("X", "y").cut_after(1, End::Close));
    let config = Config { retries: 2, ..undivided(2) };
    let failed = in_order(&FetchJob::new(config), &place.task(&breaking.url("/x")), &[1, 0]).unwrap_err();
    assert!(matches!(failed.error, Error::Protocol(_)), "{failed}");
    assert_eq!((place.names(), failed.attempts, breaking.requests().len()), (Vec::<String>::new(), 3, 6));
    let server = Server::start(ranged);
    let config = Config { body_bytes_max: Some(BYTES as u64 - 1), ..segments(3) };
    let (end, _) = fetch("threads=3", config, place.task(&server.url("/x")));
    assert!(end.unwrap_err().contains("TooLarge"));
    assert_eq!((place.names(), server.requests().len()), (Vec::<String>::new(), 1));
}

fn sha256(bytes: &[u8]) -> Checksum {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Checksum::from_hex(Algorithm::Sha256, &hex).unwrap()
}

#[test]
fn checksums_are_of_the_whole() {
    let server = Server::start(ranged);
    for (checksum, fits) in [(sha256(&body()), true), (sha256(b"else"), false)] {
        let place = Dir::new();
        let mut task = place.task(&server.url("/x"));
        let hash = Some(Algorithm::Sha256);
        task.expected = Expected { checksums: vec![checksum], size: Some(BYTES as u64), hash };
        let end = in_order(&FetchJob::new(segments(4)), &task, &[1, 3, 2, 0]);
        assert_eq!(place.names().len(), usize::from(fits));
        match end {
            Ok(fetched) => assert_eq!((fetched.hash, fits), (Some(sha256(&body())), true)),
            Err(failed) => assert!(matches!(failed.error, Error::Checksum { .. }) && !fits, "{failed}"),
        }
    }
}

#[test]
fn additional_connections_take_only_permits_that_tasks_leave_free() {
    for (per_host_max, requests) in [(1, 1), (2, 2), (3, 3), (9, 4)] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| ranged(request).gate_at(10, &held));
        let place = Dir::new();
        let config = segments_config(Segments { per_host_max, ..undivided(4).segments });
        let task = place.task(&server.url("/x"));
        let (job, io) = (FetchJob::new(config), Blocking::new(Cancel::new().unwrap()));
        let Step::Split { state, parts: 4 } = run_ready(job.start(&io, &task)).unwrap() else {
            panic!("whole")
        };
        std::thread::scope(|scope| {
            let part = |index| {
                let (job, task, state) = (&job, &task, &state);
                scope.spawn(move || {
                    let io = Blocking::new(Cancel::new().unwrap());
                    run_ready(job.part(&io, task, state, index)).unwrap();
                })
            };
            // Each takes its permit before the next one starts.
            for index in 1..4 {
                let lane = part(index);
                if index < requests as u64 {
                    drop(server.wait_requests(index as usize + 1))
                } else {
                    lane.join().unwrap()
                }
            }
            assert_eq!(server.requests().len(), requests, "{per_host_max}");
            gate.open();
            part(0);
        });
        run_ready(job.finish(&io, &task, &state, true)).unwrap();
        assert!(place.file() == Some(body()));
    }
}

#[test]
fn additional_connections_end_when_tasks_need_their_permits() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let [first, second, other] = gates.clone();
    let server = Server::start(move |request| match range_of(request).map(|range| range.start) {
        None if request.path() == "/y" => Answer::ok("y").gate_at(0, &other),
        None => whole(),
        Some(start) if start == BYTES.div_ceil(3) => ranged(request).gate_at(0, &first),
        Some(_) => ranged(request).gate_at(0, &second),
    });
    let place = Dir::new();
    let config = segments_config(Segments { per_host_max: 3, ..undivided(3).segments });
    let task = place.task(&server.url("/x"));
    let job = FetchJob::new(config);
    let io = || Blocking::new(Cancel::new().unwrap());
    let Step::Split { state, .. } = run_ready(job.start(&io(), &task)).unwrap() else { panic!("whole") };
    let small = FetchTask::new(&server.url("/y"), Destination::Discard);
    std::thread::scope(|scope| {
        let part = |index| {
            let (job, task, state) = (&job, &task, &state);
            scope.spawn(move || run_ready(job.part(&io(), task, state, index)).unwrap())
        };
        let first = part(1);
        server.wait_requests(2);
        let second = part(2);
        server.wait_requests(3);
        let fetching = scope.spawn(|| run_ready(job.start(&io(), &small)).is_ok());
        server.wait_requests(4);
        // One more permit than allowed is in use. A lane that receives bytes returns its own; the other lane then keeps
        // its.
        gates[0].open();
        first.join().unwrap();
        gates[1].open();
        second.join().unwrap();
        gates[2].open();
        assert!(fetching.join().unwrap());
        part(0);
    });
    run_ready(job.finish(&io(), &task, &state, true)).unwrap();
    assert!(place.file() == Some(body()));
    let asked = ranges(&server);
    let span = BYTES.div_ceil(3);
    assert!(asked[..2] == [span..2 * span, 2 * span..BYTES] && asked.len() == 3, "{asked:?}");
    assert!(asked[2].start > span && asked[2].end == 2 * span, "the rest of what was left: {asked:?}");
}

#[test]
fn files_that_are_kept_up_to_date_are_split_too() {
    let server = Server::start(ranged);
    let place = Dir::new();
    let config = Config { sync: true, ..undivided(3) };
    let job = FetchJob::new(config.clone());
    in_order(&job, &place.task(&server.url("/x")), &[2, 1, 0]).unwrap();
    assert!(place.file() == Some(body()));
    assert_eq!(place.names(), ["x", "x.haul-from"]);
    let again = in_order(&FetchJob::new(config), &place.task(&server.url("/x")), &[2, 1, 0]).unwrap();
    assert!(again.unchanged);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn files_that_later_runs_may_continue_are_not_split() {
    let server = Server::start(ranged);
    let place = Dir::new();
    let config = Config { resume: true, ..segments(3) };
    assert_eq!(fetch("threads=3", config, place.task(&server.url("/x"))).0, Ok(1));
    assert_eq!(server.requests().len(), 1);
    assert!(place.file() == Some(body()));
}

#[test]
fn redirects_are_followed_once_and_again_after_a_failure() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |request| match request.path() {
        "/x" => Answer::redirect(302, "/y"),
        // The first part breaks off, and so does the whole.
        _ => match count.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => ranged(request).cut_after(70_000, End::Close),
            _ => ranged(request),
        },
    });
    let place = Dir::new();
    let fetched = in_order(&FetchJob::new(undivided(2)), &place.task(&server.url("/x")), &[1, 0]).unwrap();
    assert!(place.file() == Some(body()));
    assert_eq!(fetched.attempts, 2);
    let paths: Vec<_> = server.requests().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(paths, ["/x", "/y", "/y", "/x", "/y", "/x", "/y"]);
}

#[test]
fn a_run_that_is_cancelled_leaves_nothing() {
    for name in ["threads=3", "uring=1x4"] {
        let gate = Gate::new();
        let server = Server::start(move |request| ranged(request).gate_at(10_000, &gate));
        let (place, cancel) = (Dir::new(), Cancel::new().unwrap());
        let (task, config) = (place.task(&server.url("/x")), engine(name, &cancel));
        std::thread::scope(|scope| {
            let job = FetchJob::new(undivided(3));
            let running = scope.spawn(move || run(&job, [task].into_iter(), &config, |_| ()));
            server.wait_requests(3);
            cancel.trigger();
            assert_eq!(running.join().unwrap().cancelled_tasks, 1, "{name}");
        });
        assert_eq!(place.names().len(), 0, "{name}");
    }
}
