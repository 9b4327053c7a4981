//! Results that are uploaded: they appear whole, once, or not at all.
//!
//! Owns: these checks.
//! Does not own: the place in memory ([`place`]), object stores.

mod place;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use haul_engine::{Engine, Event, run};
use haul_fetch::{Algorithm, Checksum, Config, Error, Expected, FetchJob, FetchTask, Segments, UploadAbout};
use haul_io::Cancel;
use haul_testkit::{Answer, End, Gate, Server, by_job, outcomes, seeded_bytes};

use self::place::{Inner, PART, Place};
use crate::encoded::format::Format;

const ENGINES: [&str; 4] = ["serial", "threads=4", "uring=1x8", "uring=2x4"];
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DATE_SECONDS: i64 = 784_111_777;

fn config() -> Config {
    Config { retry_pause: Duration::ZERO, ..Config::default() }
}

fn segments(count_max: usize) -> Config {
    let segments =
        Segments { count_max, bytes_min: 2 * PART as u64, piece_bytes_min: 1, ..Segments::default() };
    Config { segments, ..config() }
}

fn engine(name: &str) -> Engine {
    name.parse().unwrap()
}

/// How each task ended: the attempts and whether it was skipped, or its error.
fn fetch(name: &str, config: Config, tasks: Vec<FetchTask>) -> Vec<Result<(u32, bool), String>> {
    let job = FetchJob::new(config);
    let run = outcomes(&job, tasks.into_iter(), engine(name), |settled| match by_job(settled) {
        Ok(fetched) => Ok((fetched.attempts, fetched.skipped)),
        Err(failed) => Err(failed.error.to_string()),
    });
    run.of_tasks
}

/// The body of `/BYTES`: another one for each length.
fn body(path: &str) -> Vec<u8> {
    static ALL: LazyLock<Vec<u8>> = LazyLock::new(|| seeded_bytes(1, 24 * PART));
    let bytes: usize = path.trim_start_matches('/').parse().unwrap();
    ALL[bytes % 997..][..bytes].to_vec()
}

fn server() -> Server {
    Server::start(|request| {
        Answer::ranged(request, &body(request.path()), "\"1\"").header("Last-Modified", DATE)
    })
}

#[test]
fn bodies_of_all_lengths_arrive_on_every_engine() {
    let server = server();
    let lengths = [0, 1, 100_000, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 5];
    for name in ENGINES {
        for format in [None, Some(Format { chunk_bytes: 64 << 10, ..Format::default() })] {
            let place = Place::default();
            let task = |bytes: &usize| place.task(&server.url(&format!("/{bytes}")), &bytes.to_string());
            let config = match &format {
                Some(format) => Config { format: Some(Arc::new(format.clone())), ..config() },
                None => config(),
            };
            let ends = fetch(name, config, lengths.iter().map(task).collect());
            assert!(ends.iter().all(|end| *end == Ok((1, false))), "{name}: {ends:?}");
            for bytes in lengths {
                let object = place.object(&bytes.to_string());
                let content =
                    format.as_ref().map_or_else(|| object.clone(), |format| format.decoded(&object));
                assert!(content == body(&bytes.to_string()), "{name}, {bytes}");
                let (_, about) = place.state().objects[&bytes.to_string()];
                assert_eq!(about.modified, Some(DATE_SECONDS));
                assert_eq!(about.bytes, Some(object.len() as u64));
                assert_eq!(about.content_bytes, format.as_ref().map(|_| bytes as u64));
            }
            assert!(place.is_clean());
        }
    }
}

#[test]
fn segments_are_sent_part_by_part() {
    let server = server();
    for name in ENGINES {
        for (count, bytes) in [(2, 2 * PART), (4, 9 * PART + 5), (8, 20 * PART)] {
            for format in [None, Some(Format { chunk_bytes: 64 << 10, ..Format::default() })] {
                let place = Place::default();
                let config = match &format {
                    Some(format) => Config { format: Some(Arc::new(format.clone())), ..segments(count) },
                    None => segments(count),
                };
                let ends = fetch(name, config, vec![place.task(&server.url(&format!("/{bytes}")), "x")]);
                assert_eq!(ends, [Ok((1, false))], "{name}, {count}");
                let object = place.object("x");
                let content =
                    format.as_ref().map_or_else(|| object.clone(), |format| format.decoded(&object));
                assert!(content == body(&bytes.to_string()), "{name}, {count}");
                assert_eq!(place.state().parts, bytes.div_ceil(PART), "{name}, {count}");
                assert!(place.is_clean());
            }
        }
    }
}

#[test]
fn lanes_send_their_parts_in_parallel() {
    const BYTES: usize = 9 * PART + 5;
    for name in ["threads=4", "uring=1x8"] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| {
            let answer = Answer::ranged(request, &body(request.path()), "\"1\"");
            if request.header("range").is_none() { answer.gate_at(PART + 1, &held) } else { answer }
        });
        let place = Place::default();
        let task = place.task(&server.url(&format!("/{BYTES}")), "x");
        std::thread::scope(|scope| {
            let fetching = scope.spawn(|| fetch(name, segments(3), vec![task]));
            // The first connection stands still behind its first part; the others send theirs.
            server.wait_requests(3);
            gate.open();
            assert_eq!(fetching.join().unwrap(), [Ok((1, false))], "{name}");
        });
        assert!(place.object("x") == body(&BYTES.to_string()) && place.is_clean(), "{name}");
        assert_eq!(place.state().parts, 10, "{name}");
    }
}

#[test]
fn an_object_whose_publication_was_begun_is_reported_truly() {
    let server = server();
    for name in ENGINES {
        let gate = Gate::new();
        let (sender, reached) = channel();
        let place = Place::of(Inner { publish_gate: Some((sender, gate.clone())), ..Inner::default() });
        let cancel = Cancel::new().unwrap();
        let config = haul_engine::Config::new(engine(name), cancel.clone());
        let task = place.task(&server.url("/100"), "x");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                reached.recv().unwrap();
                cancel.trigger();
                gate.open();
            });
            let mut succeeded = 0;
            run(&FetchJob::new(segments(1)), [task].into_iter(), &config, |event| {
                succeeded += u32::from(matches!(event, Event::Settled(settled) if settled.outcome.is_ok()));
            });
            assert_eq!(succeeded, 1, "{name}: the object is there");
            assert!(place.object("x") == body("100"), "{name}");
        });
    }
}

#[test]
fn what_was_sent_is_kept_when_a_connection_breaks() {
    let bytes = 6 * PART + 5;
    for name in ENGINES {
        for count in [1, 4] {
            let broken = AtomicUsize::new(0);
            let server = Server::start(move |request| {
                let answer = Answer::ranged(request, &body(request.path()), "\"1\"");
                match broken.fetch_add(1, Ordering::SeqCst) {
                    0 => answer.cut_after(5 * PART / 2, End::Reset),
                    1 => answer.cut_after(PART / 2, End::Reset),
                    _ => answer,
                }
            });
            let place = Place::default();
            let ends = fetch(name, segments(count), vec![place.task(&server.url(&format!("/{bytes}")), "x")]);
            assert!(matches!(ends[..], [Ok((_, false))]), "{name}, {count}: {ends:?}");
            assert!(place.object("x") == body(&bytes.to_string()), "{name}, {count}");
            assert!(place.is_clean());
            // Each part was sent once, which the place checks: nothing starts over.
            assert_eq!(place.state().parts, 7, "{name}, {count}");
        }
    }
}

#[test]
fn a_part_that_is_refused_fails_the_task_and_leaves_nothing() {
    let server = server();
    for name in ENGINES {
        for count in [1, 4] {
            let place = Place::of(Inner { fails_at: Some(2), ..Inner::default() });
            let task = place.task(&server.url(&format!("/{}", 12 * PART)), "x");
            let ends = fetch(name, segments(count), vec![task]);
            let error = ends[0].clone().unwrap_err();
            assert!(error.contains("the part is refused"), "{name}, {count}: {error}");
            assert!(place.is_clean() && place.state().objects.is_empty(), "{name}, {count}");
        }
    }
}

#[test]
fn what_fails_a_check_is_never_published() {
    let server = server();
    let wrong = Checksum::from_hex(Algorithm::Sha256, &"0".repeat(64)).unwrap();
    for name in ENGINES {
        for bytes in [100, 5 * PART] {
            for expected in [
                Expected { checksums: vec![wrong.clone()], ..Expected::default() },
                Expected { size: Some(7), ..Expected::default() },
            ] {
                let place = Place::default();
                let mut task = place.task(&server.url(&format!("/{bytes}")), "x");
                task.expected = expected;
                assert!(fetch(name, segments(4), vec![task])[0].is_err());
                assert!(place.is_clean() && place.state().objects.is_empty(), "{name}, {bytes}");
            }
        }
    }
    // A file that is hashed arrives in order, as an upload can't be read again.
    let place = Place::default();
    let mut task = place.task(&server.url(&format!("/{}", 5 * PART)), "x");
    task.expected = Expected { hash: Some(Algorithm::Sha256), ..Expected::default() };
    assert_eq!(fetch("threads=4", segments(4), vec![task]), [Ok((1, false))]);
}

#[test]
fn a_name_that_is_taken_is_an_error() {
    let server = server();
    for name in ENGINES {
        for bytes in [100, 5 * PART] {
            let place = Place::default();
            let old = (b"old".to_vec(), UploadAbout::default());
            place.state().objects.insert("x".to_owned(), old.clone());
            let url = server.url(&format!("/{bytes}"));
            let exists = Error::Exists.to_string();
            assert_eq!(fetch(name, config(), vec![place.task(&url, "x")]), [Err(exists)]);
            assert!(place.state().objects["x"] == old && place.is_clean());
            // A name of the same run.
            let ends = fetch(name, config(), vec![place.task(&url, "y"), place.task(&url, "y")]);
            assert_eq!(ends.iter().filter(|end| **end == Err(Error::NameTaken.to_string())).count(), 1);
            assert!(place.object("y") == body(&bytes.to_string()));
        }
    }
}

#[test]
fn a_later_run_skips_what_is_complete() {
    let server = server();
    let format = Format::default();
    let formats = [None, Some(Arc::new(format) as Arc<_>)];
    for format in formats {
        let place = Place::default();
        let kept = || Config { resume: true, format: format.clone(), ..config() };
        let tasks =
            || [100, 5 * PART].map(|bytes| place.task(&server.url(&format!("/{bytes}")), &bytes.to_string()));
        assert_eq!(fetch("serial", kept(), tasks().into()), [Ok((1, false)), Ok((1, false))]);
        let before = place.state().objects.clone();
        assert_eq!(fetch("threads=2", kept(), tasks().into()), [Ok((1, true)), Ok((1, true))]);
        assert!(place.state().objects == before && place.is_clean());
        // Another length, another time, or none that was kept.
        for spoil in [
            |about: &mut (Vec<u8>, UploadAbout)| {
                about.0.pop();
                about.1.content_bytes = about.1.content_bytes.map(|bytes| bytes - 1);
            },
            |about: &mut (Vec<u8>, UploadAbout)| about.1.modified = Some(1),
            |about: &mut (Vec<u8>, UploadAbout)| about.1.modified = None,
        ] {
            place.state().objects = before.clone();
            place.state().objects.values_mut().for_each(spoil);
            let differs = || Err(Error::Differs.to_string());
            assert_eq!(fetch("uring=1x4", kept(), tasks().into()), [differs(), differs()]);
        }
    }
}

#[test]
fn an_interrupted_run_waits_for_what_is_under_way_and_leaves_nothing() {
    let server = server();
    for name in ENGINES {
        for count in [1, 4] {
            let gate = Gate::new();
            let (sender, reached) = channel();
            let place = Place::of(Inner { gate: Some((sender, gate.clone())), ..Inner::default() });
            let cancel = Cancel::new().unwrap();
            let config = haul_engine::Config::new(engine(name), cancel.clone());
            let tasks = [place.task(&server.url(&format!("/{}", 12 * PART)), "x")];
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    reached.recv().unwrap();
                    cancel.trigger();
                    gate.open();
                });
                let mut ends = 0;
                {
                    let job = FetchJob::new(segments(count));
                    let report = run(&job, tasks.into_iter(), &config, |event| {
                        ends += u32::from(matches!(event, Event::Settled(_)));
                    });
                    assert!(report.cancelled, "{name}, {count}");
                }
                assert_eq!(ends, 1, "{name}, {count}");
                assert!(place.is_clean() && place.state().objects.is_empty(), "{name}, {count}");
            });
        }
    }
}

#[test]
fn more_uploads_than_there_are_permits_end() {
    let server = server();
    for name in ["threads=48", "uring=2x24"] {
        let place = Place::default();
        let task =
            |number: usize| place.task(&server.url(&format!("/{}", 3 * PART + number)), &number.to_string());
        let ends = fetch(name, config(), (0..60).map(task).collect());
        assert!(ends.iter().all(|end| *end == Ok((1, false))), "{name}: {ends:?}");
        assert!(place.is_clean());
        for number in 0..60 {
            assert!(place.object(&number.to_string()) == body(&(3 * PART + number).to_string()), "{name}");
        }
    }
}
