//! Connections that stall while other lanes have finished.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul_engine::{Job, Step};
use haul_fetch::{Config, Destination, Error, Failed, FetchJob, FetchTask, Fetched, Segments};
use haul_io::sim::{Ending, Files, Reply, Sim};
use haul_io::{Durability, Existing, Preserve, Publish};
use haul_testkit::{End, Request, Server};

use super::setting::{BYTES, Dir, body, fetch, range_of, ranged, segments, undivided, whole};

/// One of three segments.
const SPAN: usize = BYTES.div_ceil(3);

/// A response that ends in silence after so many bytes.
fn reply(range: Option<(usize, usize)>, bytes: usize) -> Reply {
    let (first, end) = range.unwrap_or((0, BYTES));
    let status = match range {
        None => "200 OK\r\nAccept-Ranges: bytes".to_owned(),
        Some(_) => format!("206 x\r\nContent-Range: bytes {first}-{}/{BYTES}", end - 1),
    };
    let head = format!("HTTP/1.1 {status}\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n", end - first);
    let bytes = [head.into_bytes(), body()[first..end.min(first + bytes)].to_vec()].concat();
    Reply { bytes, ending: Ending::Open }
}

/// In the simulation a silent peer times out at once.
fn simulated(replies: Vec<Reply>) -> (Result<Fetched, Failed>, Option<Vec<u8>>) {
    let mut files = Files::default();
    files.put("d/other", b"");
    let sim = Sim::with_files(1, files);
    sim.peers().listen("host", 80, replies);
    let (existing, durability, preserve) = (Existing::Refuse, Durability::Eventual, Preserve::default());
    let publish = Publish { existing, durability, preserve, ..Publish::new("d/x") };
    let task = FetchTask::new("http://host/x", Destination::File(publish));
    let job = FetchJob::new(Config { retries: 0, ..undivided(3) });
    let end = sim.run(async {
        let Step::Split { state, parts: 3 } = job.start(&sim, &task).await? else { panic!("as one") };
        for index in [1, 2, 0] {
            job.part(&sim, &task, &state, index).await?;
        }
        job.finish(&sim, &task, &state, true).await
    });
    let file = sim.files().get("d/x").map(<[u8]>::to_vec);
    (end.unwrap(), file)
}

#[test]
fn bytes_missing_on_a_stalled_connection_are_requested_on_another() {
    let (second, third) = (Some((SPAN, 2 * SPAN)), Some((2 * SPAN, BYTES)));
    let rest = |first: usize, end| Some((first + 50_000, end));
    for (what, replies) in [
        ("the second", vec![(None, BYTES), (second, 50_000), (rest(SPAN, 2 * SPAN), BYTES), (third, BYTES)]),
        ("without a byte", vec![(None, BYTES), (second, 0), (second, BYTES), (third, BYTES)]),
        ("the third", vec![(None, BYTES), (second, BYTES), (third, 50_000), (rest(2 * SPAN, BYTES), BYTES)]),
        ("the first", vec![(None, 50_000), (second, BYTES), (third, BYTES), (rest(0, SPAN), BYTES)]),
    ] {
        let replies = replies.into_iter().map(|(range, bytes)| reply(range, bytes)).collect();
        let (end, file) = simulated(replies);
        assert_eq!(end.unwrap().attempts, 1, "{what}");
        assert!(file == Some(body()), "{what}");
    }
}

#[test]
fn a_connection_that_stalls_right_after_another_is_not_given_up() {
    let (second, third) = (Some((SPAN, 2 * SPAN)), Some((2 * SPAN, BYTES)));
    let silent = |first| reply(Some((first, 2 * SPAN)), 100);
    // The second lane has ended then; the third continues into the free span, and the first takes what is before it.
    let rest = reply(Some((SPAN + 200, 2 * SPAN)), BYTES);
    let replies = vec![reply(None, BYTES), reply(second, 100), silent(SPAN + 100), rest, reply(third, BYTES)];
    let (end, file) = simulated(replies);
    assert_eq!(end.unwrap().attempts, 1);
    assert!(file == Some(body()));
    // If no lane is left, the attempt has failed.
    let never = || Reply { bytes: Vec::new(), ending: Ending::Open };
    let replies = vec![reply(None, 10), never(), never(), never(), never(), never(), never()];
    let (end, file) = simulated(replies);
    assert!(matches!(end.unwrap_err().error, Error::Timeout(_)));
    assert_eq!(file, None);
}

#[test]
fn on_any_engine_other_lanes_make_up_for_a_stalled_connection() {
    let answer = |request: &Request| if range_of(request).is_some() { ranged(request) } else { whole() };
    for name in ["threads=4", "uring=1x8"] {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
            // Less than what other lanes leave to it.
            1 => answer(request).cut_after(5_000, End::Hold),
            _ => answer(request),
        });
        let config = segments(4);
        // Short, but no byte is lost if a busy machine makes it wait longer: pieces are small.
        let stall_timeout = Duration::from_millis(200);
        let config = Config { retries: 0, segments: Segments { stall_timeout, ..config.segments }, ..config };
        let place = Dir::new();
        let (end, bytes) = fetch(name, config, place.task(&server.url("/x")));
        assert_eq!((end, bytes), (Ok(1), BYTES as u64), "{name}");
        assert!(place.file() == Some(body()), "{name}");
    }
}
