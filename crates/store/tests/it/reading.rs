//! Bytes of one version, at any position; listings of any length.

use std::io::{Read, Seek, SeekFrom};

use haul_store::Error;
use haul_testkit::{Answer, End, seeded_bytes};

use crate::fake::{Fake, Fault, bucket, object};

const LEN: usize = 3 << 20;

fn inner(error: &std::io::Error) -> &Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[test]
fn an_object_is_read_at_any_position() {
    let fake = Fake::new();
    let bytes = seeded_bytes(1, LEN);
    fake.state().put("k", &bytes);
    assert!(fake.store().reader(&object("absent")).unwrap().is_none());
    let mut reader = fake.store().reader(&object("k")).unwrap().unwrap();
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    assert!(all == bytes);
    let requests = fake.count("GET", "/k");
    assert!((3..=6).contains(&requests), "{requests} requests");
    for (at, len) in [(LEN - 5, 10), (0, 70_000), (70_010, 10), (1 << 20, 300_000), (LEN, 1), (LEN + 9, 1)] {
        let mut piece = vec![0; len];
        reader.seek(SeekFrom::Start(at as u64)).unwrap();
        let mut read = 0;
        while let count @ 1.. = reader.read(&mut piece[read..]).unwrap() {
            read += count;
        }
        assert!(piece[..read] == bytes[at.min(LEN)..(at + len).min(LEN)], "{at}");
    }
    assert_eq!(reader.seek(SeekFrom::End(-3)).unwrap(), LEN as u64 - 3);
    assert!(reader.seek(SeekFrom::Current(-(LEN as i64))).is_err());
}

#[test]
fn a_replaced_object_is_never_mixed_with_the_first() {
    for ignores in [false, true] {
        let fake = Fake::new();
        fake.state().put("k", &seeded_bytes(1, LEN));
        fake.state().ignores_conditions = ignores;
        let mut reader = fake.store().reader(&object("k")).unwrap().unwrap();
        reader.read_exact(&mut [0; 1000]).unwrap();
        fake.state().put("k", &seeded_bytes(2, LEN));
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(matches!(inner(&error), Error::Changed), "{error}");
    }
    let fake = Fake::new();
    fake.state().put("k", &seeded_bytes(1, LEN));
    let mut reader = fake.store().reader(&object("k")).unwrap().unwrap();
    fake.state().objects.clear();
    let error = reader.read(&mut [0; 10]).unwrap_err();
    assert!(matches!(inner(&error), Error::Changed), "{error}");
}

#[test]
fn a_body_that_breaks_is_continued() {
    let bytes = seeded_bytes(1, 200_000);
    let whole = bytes.clone();
    let fake = Fake::scripted(move |request, count| {
        let answer = || {
            let answer =
                Answer::new(206).header("Content-Range", "bytes 0-199999/200000").header("ETag", "\"v1\"");
            answer.body(whole.clone()).cut_after(150_000, End::Close)
        };
        (request.method == "GET" && count == 0).then(|| Fault::Instead(answer()))
    });
    fake.state().put("k", &bytes);
    let mut all = Vec::new();
    fake.store().reader(&object("k")).unwrap().unwrap().read_to_end(&mut all).unwrap();
    assert!(all == bytes);
    let ranges: Vec<_> =
        fake.server.requests().iter().filter_map(|it| Some(it.header("range")?.to_owned())).collect();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert_ne!(ranges[1], "bytes=0-199999");
}

#[test]
fn an_answer_with_another_range_is_refused() {
    for range in ["bytes 1-10/200", "bytes 0-5/200", "bytes 0-199/*x", "nonsense", "bytes 0-199/300"] {
        let fake = Fake::scripted(move |request, _| {
            let answer =
                || Answer::new(206).header("Content-Range", range).header("ETag", "\"v1\"").body("x");
            (request.method == "GET").then(|| Fault::Instead(answer()))
        });
        fake.state().put("k", &[0; 200]);
        let error = fake.store().reader(&object("k")).unwrap().unwrap().read(&mut [0; 10]).unwrap_err();
        let is_refused = match inner(&error) {
            Error::Answer { .. } | Error::Changed => true,
            Error::Fetch(error) => matches!(error, haul_fetch::Error::UnaskedPart),
            _ => false,
        };
        assert!(is_refused, "{range}: {error}");
    }
}

#[test]
fn a_listing_has_every_key() {
    let fake = Fake::new();
    fake.state().page = 3;
    let keys = ["d/+a", "d/a b", "d/a%20b", "d/a\nb", "d/a<b", "d/ü", "d/z/y", "e"];
    keys.iter().for_each(|key| _ = fake.state().put(key, key.as_bytes()));
    let listed: Vec<_> = fake.store().list(&"s3://bucket/d/".parse().unwrap()).map(Result::unwrap).collect();
    let mut found: Vec<_> = listed.iter().map(|listed| listed.key.as_str()).collect();
    found.sort_unstable();
    let mut expected = keys[..7].to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(listed.iter().all(|listed| listed.bytes == listed.key.len() as u64 && !listed.etag.is_empty()));
    assert_eq!(fake.store().list(&bucket()).count(), 8);
}

#[test]
fn a_listing_that_does_not_progress_ends() {
    let fake = Fake::scripted(|_, _| {
        let text = "<L><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></L>";
        Some(Fault::Instead(Answer::ok(text)))
    });
    let items: Vec<_> = fake.store().list(&bucket()).collect();
    assert!(matches!(&items[..], [Err(Error::Answer { .. })]), "{items:?}");
    assert_eq!(fake.server.requests().len(), 2);
}
