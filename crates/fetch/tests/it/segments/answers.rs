//! Which responses can be part of a file in segments.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use haul_fetch::{Error, FetchJob, Segments};
use haul_testkit::{Answer, Server, seeded_bytes};

use super::setting::{
    BYTES, Dir, body, in_order, range_of, ranged, ranges, segments, segments_config, undivided, whole,
};

#[test]
fn files_whose_parts_cannot_be_combined_are_not_split() {
    let tagged = |answer: Answer| answer.header("ETag", "\"1\"");
    let ranges = |answer: Answer| answer.header("Accept-Ranges", "bytes");
    for (what, answer, content) in [
        ("no ranges", tagged(Answer::ok(body())), body()),
        ("ranges refused", tagged(Answer::ok(body())).header("Accept-Ranges", "none"), body()),
        ("weak", ranges(Answer::ok(body())).header("ETag", "W/\"1\""), body()),
        ("no validator", ranges(Answer::ok(body())), body()),
        (
            "a fresh date",
            ranges(Answer::ok(body())).header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
            body(),
        ),
        ("no length", ranges(tagged(Answer::ok(body()))).chunked(&[9_000]), body()),
        ("until the end", ranges(tagged(Answer::ok(body()))).until_close(), body()),
        ("coded", ranges(tagged(Answer::ok(body()))).header("Content-Encoding", "gzip"), body()),
        ("empty", ranges(tagged(Answer::ok(""))), Vec::new()),
        ("short", ranges(tagged(Answer::ok("short"))), b"short".to_vec()),
    ] {
        let server = Server::start(move |_| answer.clone());
        let place = Dir::new();
        let config = segments_config(Segments { bytes_min: 6, ..segments(4).segments });
        // Without any part.
        in_order(&FetchJob::new(config), &place.task(&server.url("/x")), &[]).unwrap();
        assert!(place.file() == Some(content), "{what}");
        assert_eq!(server.requests().len(), 1, "{what}");
    }
}

#[test]
fn a_strong_date_is_as_good_as_an_entity_tag() {
    let dated = |answer: Answer| {
        let answer = answer.header("Date", "Mon, 07 Nov 1994 08:49:37 GMT").header("Accept-Ranges", "bytes");
        answer.header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
    };
    let server = Server::start(move |request| match range_of(request) {
        None => dated(Answer::ok(body())),
        Some(range) => {
            assert_eq!(request.header("if-range"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
            dated(part(range, BYTES))
        }
    });
    let place = Dir::new();
    in_order(&FetchJob::new(undivided(3)), &place.task(&server.url("/x")), &[1, 2, 0]).unwrap();
    assert!(place.file() == Some(body()));
    assert_eq!(server.requests().len(), 3);
}

/// A part of the body, without a validator, announced with this total.
fn part(range: Range<usize>, total: usize) -> Answer {
    let said = format!("bytes {}-{}/{total}", range.start, range.end - 1);
    Answer::new(206).header("Content-Range", &said).body(&body()[range])
}

/// The response of a faulty server to a request for a part.
type Wrong = fn(Range<usize>) -> Answer;

#[test]
fn a_part_of_another_file_makes_the_task_start_over_unsplit() {
    let wrongs: [(&str, Wrong); 14] = [
        ("another tag", |range| part(range, BYTES).header("ETag", "\"2\"")),
        ("a weak tag", |range| part(range, BYTES).header("ETag", "W/\"1\"")),
        ("no tag", |range| part(range, BYTES)),
        ("the whole", |_| whole()),
        ("another whole", |_| Answer::ok(seeded_bytes(8, BYTES)).header("ETag", "\"2\"")),
        ("another total", |range| part(range, BYTES + 1).header("ETag", "\"1\"")),
        ("bytes before", |range| part(range.start - 1..range.end - 1, BYTES).header("ETag", "\"1\"")),
        ("bytes behind", |range| {
            part(range.start..(range.end + 1).min(BYTES - 1), BYTES).header("ETag", "\"2\"")
        }),
        ("no range", |range| Answer::new(206).header("ETag", "\"1\"").body(&body()[range])),
        ("several parts", |_| {
            let answer = Answer::new(206).header("ETag", "\"1\"").body("--x\r\n");
            answer.header("Content-Type", "multipart/byteranges; boundary=x")
        }),
        ("too many bytes", |range| {
            let said = format!("bytes {}-{}/{BYTES}", range.start, range.end - 1);
            let answer = Answer::new(206).header("ETag", "\"1\"").header("Content-Range", &said);
            answer.body(vec![0; range.len() + 1]).chunked(&[range.len() + 1])
        }),
        ("too few bytes", |range| {
            let said = format!("bytes {}-{}/{BYTES}", range.start, range.end - 1);
            let answer = Answer::new(206).header("ETag", "\"1\"").header("Content-Range", &said);
            answer.body(&body()[range.start..range.end - 1]).chunked(&[1_000])
        }),
        ("coded", |range| part(range, BYTES).header("ETag", "\"1\"").header("Content-Encoding", "gzip")),
        ("unsatisfiable", |_| Answer::new(416).header("Content-Range", &format!("bytes */{BYTES}"))),
    ];
    for (what, wrong) in wrongs {
        for wrong_one in 1..=2 {
            let parts = AtomicUsize::new(0);
            let server = Server::start(move |request| match range_of(request) {
                Some(range) if parts.fetch_add(1, Ordering::SeqCst) + 1 == wrong_one => wrong(range),
                _ => ranged(request),
            });
            let place = Dir::new();
            let task = place.task(&server.url("/x"));
            let fetched = in_order(&FetchJob::new(undivided(3)), &task, &[1, 2, 0]).unwrap();
            assert_eq!(fetched.attempts, 2, "{what}");
            assert!(place.file() == Some(body()), "{what}");
            let requests = server.requests();
            assert_eq!(requests.len(), wrong_one + 2, "{what}: nobody asked for more once it was known");
            assert_eq!(requests.last().unwrap().header("range"), None, "{what}");
            assert_eq!(place.names().len(), 1, "{what}");
        }
    }
}

#[test]
fn a_file_that_changes_is_never_a_mixture() {
    // From the third request on, the server has another file of the same length.
    let count = AtomicUsize::new(0);
    let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => ranged(request),
        _ => Answer::ranged(request, &seeded_bytes(8, BYTES), "\"2\""),
    });
    let place = Dir::new();
    in_order(&FetchJob::new(undivided(4)), &place.task(&server.url("/x")), &[1, 2, 3, 0]).unwrap();
    assert!(place.file() == Some(seeded_bytes(8, BYTES)));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_server_may_send_less_than_requested() {
    let server = Server::start(move |request| match range_of(request) {
        None => whole(),
        Some(range) => part(range.start..range.end.min(range.start + 60_000), BYTES).header("ETag", "\"1\""),
    });
    let place = Dir::new();
    in_order(&FetchJob::new(undivided(2)), &place.task(&server.url("/x")), &[1, 0]).unwrap();
    assert!(place.file() == Some(body()));
    let starts: Vec<_> = ranges(&server).iter().map(|range| range.start).collect();
    assert_eq!(starts, [200_002, 260_002, 320_002, 380_002]);
}

#[test]
fn digests_of_responses_are_checked() {
    let wrong = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    for (name, of_part) in [("Content-Digest", false), ("Repr-Digest", false), ("Content-Digest", true)] {
        let server = Server::start(move |request| {
            if request.header("range").is_some() == of_part {
                ranged(request).header(name, wrong)
            } else {
                ranged(request)
            }
        });
        let place = Dir::new();
        let task = place.task(&server.url("/x"));
        let failed = in_order(&FetchJob::new(undivided(2)), &task, &[1, 0]).unwrap_err();
        assert!(matches!(failed.error, Error::Checksum { .. }), "{name}: {failed}");
        assert_eq!(place.names().len(), 0);
    }
}
