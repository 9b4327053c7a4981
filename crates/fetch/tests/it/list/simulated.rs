//! The job in the simulation: whatever fails, a file is complete or absent.

use std::io;
use std::path::Path;
use std::time::Duration;

use haul_engine::{Job, Step};
use haul_fetch::{Config, Destination, Error, Failed, FetchJob, FetchTask, Fetched, Segments};
use haul_io::sim::{Ending, Files, Reply, Sim};
use haul_io::{Durability, Existing, Io, OpenMode, Preserve, Publish};

const BODY_BYTES: usize = 300_000;

fn body() -> Vec<u8> {
    (0..=255).cycle().take(BODY_BYTES).collect()
}

fn plain_reply() -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY_BYTES}\r\n\r\n").into_bytes(), body()].concat()
}

fn chunked_reply() -> Vec<u8> {
    let mut reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body().chunks(70_001) {
        haul_http1::encode_chunk(chunk, &mut reply);
    }
    reply.extend_from_slice(b"0\r\n\r\n");
    reply
}

fn machine(seed: u64, replies: Vec<Reply>) -> Sim {
    let mut files = Files::default();
    files.put("d/other", b"untouched");
    let sim = Sim::with_files(seed, files);
    sim.peers().listen("host", 80, replies);
    sim
}

fn open(bytes: Vec<u8>) -> Reply {
    Reply { bytes, ending: Ending::Open }
}

/// A job that makes one attempt.
fn once() -> FetchJob {
    FetchJob::new(Config { retries: 0, ..Config::default() })
}

fn task(path: &str) -> FetchTask {
    task_of(path, Durability::Synced)
}

fn task_of(path: &str, durability: Durability) -> FetchTask {
    let (existing, preserve) = (Existing::Refuse, Preserve::default());
    let publish = Publish { existing, durability, preserve, ..Publish::new(path) };
    FetchTask::new("http://host/x", Destination::File(publish))
}

async fn fetch(sim: &Sim, job: &FetchJob, task: &FetchTask) -> Result<Fetched, Failed> {
    match job.start(sim, task).await? {
        Step::Done(fetched) => Ok(fetched),
        Step::Split { .. } => panic!("segments were not asked for"),
        Step::Again => panic!("retries were not asked for"),
    }
}

/// Checks that the file is the body or absent, and that success means the former.
#[track_caller]
fn check(sim: &Sim, succeeded: bool, what: &str) {
    let files = sim.files();
    let file = files.get("d/x");
    assert!(file.is_none() || file == Some(&body()), "{what}: a damaged file");
    assert!(!succeeded || file.is_some(), "{what}: success without a file");
    assert_eq!(files.get("d/other"), Some(b"untouched".as_slice()));
    assert_eq!(files.names().len(), 2 + usize::from(file.is_some()), "{what}: something is left");
}

#[test]
fn bodies_are_complete_despite_short_reads() {
    for reply in [plain_reply(), chunked_reply()] {
        for seed in 0..20 {
            let sim = machine(seed, vec![open(reply.clone())]);
            let job = once();
            sim.run(fetch(&sim, &job, &task("d/x"))).unwrap().unwrap();
            check(&sim, true, &format!("seed {seed}"));
        }
    }
}

#[test]
fn whichever_operation_fails_the_file_is_complete_or_absent() {
    let sim = machine(1, vec![open(plain_reply())]);
    sim.run(fetch(&sim, &once(), &task("d/x"))).unwrap().unwrap();
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ConnectionReset, io::ErrorKind::TimedOut] {
        for number in 0..sim.submitted() {
            let sim = machine(1, vec![open(plain_reply())]);
            sim.fail_operation(number, kind);
            let result = sim.run(fetch(&sim, &once(), &task("d/x"))).unwrap();
            check(&sim, result.is_ok(), &format!("{kind} at operation {number}"));
        }
    }
}

#[test]
fn a_truncated_response_is_never_a_file() {
    for reply in [plain_reply(), chunked_reply()] {
        let cuts = (0..200).chain([1_000, 65_600, 131_072, 200_000, reply.len() - 2, reply.len() - 1]);
        for cut in cuts {
            for ending in [Ending::Close, Ending::Reset, Ending::Open] {
                let sim = machine(cut as u64, vec![Reply { bytes: reply[..cut].to_vec(), ending }]);
                let job = once();
                let result = sim.run(fetch(&sim, &job, &task("d/x"))).unwrap();
                assert!(result.is_err(), "cut at {cut}, {ending:?}");
                check(&sim, false, &format!("cut at {cut}, {ending:?}"));
            }
        }
    }
}

#[test]
fn a_connection_that_died_while_idle_is_replaced_once() {
    for ending in [Ending::Close, Ending::Reset] {
        let first = Reply { bytes: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(), ending };
        let sim = machine(3, vec![first, open(plain_reply())]);
        let job = once();
        sim.run(fetch(&sim, &job, &task("d/first"))).unwrap().unwrap();
        sim.run(fetch(&sim, &job, &task("d/x"))).unwrap().unwrap();
        assert_eq!(sim.files().get("d/x"), Some(body().as_slice()));
        assert_eq!(sim.peers().connection_count(), 2);
    }
}

#[test]
fn after_a_power_cut_a_file_is_complete_or_absent() {
    let sim = machine(1, vec![open(plain_reply())]);
    sim.run(fetch(&sim, &once(), &task("d/x"))).unwrap().unwrap();
    for number in 0..=sim.submitted() {
        for seed in 0..5 {
            let sim = machine(seed, vec![open(plain_reply())]);
            sim.cut_power_at(number);
            let ended = sim.run(fetch(&sim, &once(), &task("d/x"))).is_some();
            let left = sim.after_power_cut();
            let file = left.get("d/x");
            assert!(file.is_none() || file == Some(&body()), "cut at {number}, seed {seed}");
            assert!(!ended || file.is_some(), "reported done and lost: cut at {number}, seed {seed}");
            assert!(left.names().contains(&Path::new("d/other")));
        }
    }
}

/// The whole, with a validator.
fn tagged_reply() -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
    [head.into_bytes(), body()].concat()
}

/// The server's response to the request that continues the files of a killed run.
fn missing_bytes_reply(files: &Files) -> Vec<u8> {
    let first = match (files.get("d/x.haul-part"), files.get("d/x.haul-part.from")) {
        (Some(part), Some(_)) if !part.is_empty() => part.len(),
        _ => return tagged_reply(),
    };
    if first == BODY_BYTES {
        let head = format!("HTTP/1.1 416 x\r\nContent-Range: bytes */{first}\r\nContent-Length: 0\r\n\r\n");
        return head.into_bytes();
    }
    let last = BODY_BYTES - 1;
    let range =
        format!("Content-Range: bytes {first}-{last}/{BODY_BYTES}\r\nContent-Length: {}", BODY_BYTES - first);
    let head = format!("HTTP/1.1 206 x\r\nETag: \"1\"\r\n{range}\r\n\r\n");
    [head.into_bytes(), body()[first..].to_vec()].concat()
}

#[test]
fn after_a_kill_at_any_step_the_next_run_completes_the_file() {
    let keeping = || FetchJob::new(Config { retries: 0, resume: true, ..Config::default() });
    let sim = machine(1, vec![open(tagged_reply())]);
    sim.run(fetch(&sim, &keeping(), &task("d/x"))).unwrap().unwrap();
    check(&sim, true, "undisturbed");
    let mut continued = 0;
    for number in 0..=sim.submitted() {
        for seed in 0..2 {
            let what = format!("killed at {number}, seed {seed}");
            let killed = machine(seed, vec![open(tagged_reply())]);
            killed.cut_power_at(number);
            killed.run(fetch(&killed, &keeping(), &task("d/x")));
            // A killed process loses nothing that it wrote, unlike a machine without power.
            let files = killed.files().clone();
            if let Some(part) = files.get("d/x.haul-part") {
                assert!(body().starts_with(part), "{what}");
            }
            if files.get("d/x").is_some() {
                check_content(&files, &what);
                continue;
            }
            let reply = missing_bytes_reply(&files);
            continued += u64::from(reply.starts_with(b"HTTP/1.1 206"));
            let sim = Sim::with_files(seed + 100, files);
            sim.peers().listen("host", 80, vec![open(reply)]);
            sim.run(fetch(&sim, &keeping(), &task("d/x"))).unwrap().unwrap();
            check(&sim, true, &what);
        }
    }
    assert!(continued > 5, "{continued} runs went on from what was there");
}

#[track_caller]
fn check_content(files: &Files, what: &str) {
    assert!(files.get("d/x") == Some(body().as_slice()), "{what}: a damaged file");
}

#[test]
fn the_rate_limit_is_respected() {
    for reply in [plain_reply(), chunked_reply()] {
        let sim = machine(5, vec![open(reply)]);
        let job = FetchJob::new(Config { retries: 0, rate_max: Some(100_000), ..Config::default() });
        let started = Io::now(&sim);
        sim.run(fetch(&sim, &job, &task("d/x"))).unwrap().unwrap();
        let seconds = (Io::now(&sim) - started).as_secs_f64();
        let ideal = BODY_BYTES as f64 / 100_000.0;
        assert!((ideal..ideal * 1.1).contains(&seconds), "{seconds} s instead of {ideal} s");
        check(&sim, true, "slowly");
    }
}

#[test]
fn a_slow_server_is_given_up_before_the_read_timeout() {
    let cut = plain_reply()[..250_000].to_vec();
    for (rate_min, expected_seconds) in [(Some(10_000), 30), (Some(1), 60), (None, 600)] {
        let sim = machine(5, vec![open(cut.clone())]);
        let read_timeout = Duration::from_secs(600);
        let job = FetchJob::new(Config { retries: 0, rate_min, read_timeout, ..Config::default() });
        let failed = sim.run(fetch(&sim, &job, &task("d/x"))).unwrap().unwrap_err();
        let is_slow = matches!(failed.error, Error::TooSlow { .. });
        assert_eq!(is_slow, rate_min.is_some(), "{failed}");
        let seconds = Io::now(&sim).as_secs();
        assert!((expected_seconds..expected_seconds + 5).contains(&seconds), "{seconds} s");
    }
}

/// A body with the same length in every version: only its record distinguishes them.
fn version(tag: u8) -> Vec<u8> {
    vec![tag; 1_000]
}

fn version_reply(tag: u8) -> Vec<u8> {
    // The date is the same as well; it becomes the time of the file.
    let head = "HTTP/1.1 200 OK\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 1000";
    [format!("{head}\r\nETag: \"{tag}\"\r\n\r\n").into_bytes(), version(tag)].concat()
}

fn syncing() -> FetchJob {
    FetchJob::new(Config { retries: 0, sync: true, ..Config::default() })
}

/// Whether the file has no record that describes its bytes.
fn is_bare(files: &Files) -> bool {
    files.get("d/x.haul-from").is_none_or(|record| !record.windows(6).any(|window| window == b"etag: "))
}

/// Checks that a record next to the file describes that file, if it describes any.
#[track_caller]
fn check_record(files: &Files, what: &str) {
    // A truncated record doesn't count.
    let whole = files.get("d/x.haul-from").filter(|record| record.ends_with(b"\nend\n"));
    let Some(record) = whole.filter(|_| !is_bare(files)) else { return };
    let record = String::from_utf8(record.to_vec()).unwrap();
    let tag = [1, 2].into_iter().find(|tag| record.contains(&format!("etag: \"{tag}\"\n")));
    let tag = tag.unwrap_or_else(|| panic!("{what}: {record}"));
    assert!(files.get("d/x") == Some(version(tag).as_slice()), "{what}: a record of other bytes");
}

#[test]
fn however_a_run_ends_no_record_describes_other_bytes() {
    // The first version and its record exist; the second is being fetched.
    let first = machine(1, vec![open(version_reply(1))]);
    first.run(fetch(&first, &syncing(), &task_of("d/x", Durability::Eventual))).unwrap().unwrap();
    let stable = async || {
        for (path, mode) in [("d/x.haul-from", OpenMode::Read { follow: false }), ("d", OpenMode::Directory)]
        {
            let file = first.open(None, Path::new(path), mode).await.unwrap();
            first.sync(&file).await.unwrap();
        }
    };
    first.run(stable()).unwrap();
    let before = first.files().clone();
    assert!(before.get("d/x.haul-from").is_some());
    let second = |seed: u64| {
        let sim = Sim::with_files(seed, before.clone());
        sim.peers().listen("host", 80, vec![open(version_reply(2))]);
        sim
    };
    let whole = second(1);
    whole.run(fetch(&whole, &syncing(), &task_of("d/x", Durability::Eventual))).unwrap().unwrap();
    check_record(&whole.files(), "undisturbed");
    assert_eq!(whole.files().get("d/x"), Some(version(2).as_slice()));
    let (mut old, mut new, mut bare) = (0, 0, 0);
    for number in 0..=whole.submitted() {
        for seed in 0..20 {
            let what = format!("ended at {number}, seed {seed}");
            let cut = second(seed);
            cut.cut_power_at(number);
            cut.run(fetch(&cut, &syncing(), &task_of("d/x", Durability::Eventual)));
            // After a kill, which loses nothing that was written, and after a power cut.
            let killed = cut.files().clone();
            for files in [killed, cut.after_power_cut()] {
                check_record(&files, &what);
                let content = files.get("d/x").map(<[u8]>::to_vec);
                old += usize::from(content == Some(version(1)));
                new += usize::from(content == Some(version(2)));
                bare += usize::from(is_bare(&files));
                assert!(content == Some(version(1)) || content == Some(version(2)), "{what}");
            }
        }
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::TimedOut] {
            let failing = second(1);
            failing.fail_operation(number, kind);
            failing.run(fetch(&failing, &syncing(), &task_of("d/x", Durability::Eventual))).unwrap().ok();
            check_record(&failing.files(), &format!("{kind} at {number}"));
        }
    }
    assert!(old > 5 && new > 5 && bare > 5, "{old}, {new}, {bare}: every state was seen");
}

/// The responses to the four requests of a file in segments, in the order in which [`in_segments`] makes them.
fn segment_replies() -> Vec<Reply> {
    let whole = format!(
        "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nAccept-Ranges: bytes\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    );
    let whole = [whole.into_bytes(), body()].concat();
    let part = |first: usize| {
        let last = first + BODY_BYTES / 3 - 1;
        let head = format!(
            "HTTP/1.1 206 x\r\nETag: \"1\"\r\nContent-Range: bytes {first}-{last}/{BODY_BYTES}\r\n\
             Content-Length: {}\r\n\r\n",
            last + 1 - first
        );
        [head.into_bytes(), body()[first..=last].to_vec()].concat()
    };
    [whole, part(BODY_BYTES / 3), part(2 * (BODY_BYTES / 3))].map(open).into()
}

async fn in_segments(sim: &Sim, task: &FetchTask) -> Result<Fetched, Failed> {
    let segments = Segments {
        count_max: 3,
        bytes_min: 1,
        piece_bytes_min: BODY_BYTES as u64 / 3,
        ..Segments::default()
    };
    let job = FetchJob::new(Config { retries: 0, segments, ..Config::default() });
    match job.start(sim, task).await? {
        Step::Split { state, parts } => {
            assert_eq!(parts, 3);
            for index in [1, 2, 0] {
                job.part(sim, task, &state, index).await?;
            }
            let end = job.finish(sim, task, &state, true).await;
            assert!(!job.starts_again(task) || end.is_err());
            end
        }
        Step::Done(_) | Step::Again => panic!("it has ranges, a tag, a length"),
    }
}

#[test]
fn segments_are_complete_despite_short_reads() {
    for seed in 0..20 {
        let sim = machine(seed, segment_replies());
        sim.run(in_segments(&sim, &task("d/x"))).unwrap().unwrap();
        check(&sim, true, &format!("seed {seed}"));
        assert_eq!(sim.progress_bytes(), BODY_BYTES as u64);
    }
}

#[test]
fn whatever_fails_a_file_in_segments_is_complete_or_absent() {
    let sim = machine(1, segment_replies());
    sim.run(in_segments(&sim, &task("d/x"))).unwrap().unwrap();
    let (mut whole, mut absent) = (0, 0);
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ConnectionReset, io::ErrorKind::TimedOut] {
        for number in 0..sim.submitted() {
            let sim = machine(1, segment_replies());
            sim.fail_operation(number, kind);
            let result = sim.run(in_segments(&sim, &task("d/x"))).unwrap();
            check(&sim, result.is_ok(), &format!("{kind} at operation {number}"));
            *if result.is_ok() { &mut whole } else { &mut absent } += 1;
        }
    }
    assert!(whole > 5 && absent > 20, "{whole} whole, {absent} absent");
}

#[test]
fn after_a_power_cut_a_file_in_segments_is_complete_or_absent() {
    let sim = machine(1, segment_replies());
    sim.run(in_segments(&sim, &task("d/x"))).unwrap().unwrap();
    for number in 0..=sim.submitted() {
        for seed in 0..5 {
            let sim = machine(seed, segment_replies());
            sim.cut_power_at(number);
            let ended = sim.run(in_segments(&sim, &task("d/x"))).is_some();
            let left = sim.after_power_cut();
            let file = left.get("d/x");
            assert!(file.is_none() || file == Some(&body()), "cut at {number}, seed {seed}");
            assert!(!ended || file.is_some(), "reported done and lost: cut at {number}, seed {seed}");
        }
    }
}
