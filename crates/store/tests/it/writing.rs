//! Objects appear whole, once, and leave nothing behind.

use std::io::Write;
use std::time::Duration;

use haul_store::{Error, Existing, Kind, WriterOptions};
use haul_testkit::{Answer, seeded_bytes};

use crate::fake::{Fake, Fault, bucket, object, refusal};

const PART: usize = 5 << 20;

fn small_parts() -> WriterOptions {
    WriterOptions { part_bytes: 1, parts_in_flight_max: 2, ..WriterOptions::default() }
}

#[track_caller]
fn write(
    fake: &Fake,
    key: &str,
    bytes: &[u8],
    options: WriterOptions,
) -> Result<haul_store::Published, Error> {
    let mut writer = fake.store().writer(&object(key), options);
    writer.write_all(bytes).map_err(|error| *error.into_inner().unwrap().downcast::<Error>().unwrap())?;
    writer.finish()
}

#[test]
fn short_objects_are_sent_at_once_and_long_ones_in_parts() {
    let fake = Fake::new();
    for len in [0, 1, PART, PART + 1, 3 * PART, 3 * PART + 7] {
        let bytes = seeded_bytes(len as u64, len);
        let published = write(&fake, &format!("k/{len}"), &bytes, small_parts()).unwrap();
        let state = fake.state();
        let entry = &state.objects[&format!("k/{len}")];
        assert!(entry.bytes == bytes && entry.etag == published.etag && published.bytes == len as u64);
        assert!(state.uploads.is_empty());
    }
    assert_eq!(fake.count("POST", "uploads="), 3);
}

#[test]
fn an_object_is_not_replaced_unless_asked() {
    let fake = Fake::new();
    for len in [3, PART + 1] {
        let (first, second) = (seeded_bytes(1, len), seeded_bytes(2, len));
        write(&fake, "k", &first, WriterOptions { existing: Existing::Replace, ..small_parts() }).unwrap();
        let error = write(&fake, "k", &second, small_parts()).unwrap_err();
        assert!(matches!(error, Error::Exists), "{error}");
        assert!(fake.state().objects["k"].bytes == first && fake.state().uploads.is_empty());
    }
}

#[test]
fn a_version_is_replaced_only_by_what_was_made_from_it() {
    for len in [3, PART + 1] {
        let fake = Fake::new();
        let fields = vec![
            ("x-amz-meta-owner".to_owned(), "ada".to_owned()),
            ("x-amz-meta-mtime".to_owned(), "7".to_owned()),
            ("cache-control".to_owned(), "no-store".to_owned()),
        ];
        let first = WriterOptions { fields: fields.clone(), ..small_parts() };
        write(&fake, "k", &seeded_bytes(1, len), first).unwrap();
        let store = fake.store();
        let stat = store.stat(&object("k")).unwrap().unwrap();
        assert!(fields.iter().all(|field| stat.fields.contains(field)), "{:?}", stat.fields);
        assert!(stat.modified == Some(7) && stat.fields.iter().all(|(name, _)| !name.contains("haul")));
        let replacing = |etag: &str| WriterOptions {
            existing: Existing::ReplaceVersion(etag.to_owned()),
            fields: stat.fields.clone(),
            modified: Some(8),
            ..small_parts()
        };
        let second = seeded_bytes(2, len);
        let published = write(&fake, "k", &second, replacing(&stat.etag)).unwrap();
        let now = store.stat(&object("k")).unwrap().unwrap();
        assert!(now.etag == published.etag && now.modified == Some(8), "{now:?}");
        assert!(now.fields.contains(&fields[0]) && now.fields.contains(&fields[2]), "{:?}", now.fields);
        // The first version is gone; the condition of the request says so, too.
        for looks_first in [true, false] {
            let late = WriterOptions { looks_first, ..replacing(&stat.etag) };
            let error = write(&fake, "k", &seeded_bytes(3, len), late).unwrap_err();
            assert!(matches!(error, Error::Changed), "{error}");
        }
        assert!(fake.state().objects["k"].bytes == second && fake.state().uploads.is_empty());
        store.remove(&object("k")).unwrap();
        let late = WriterOptions { looks_first: false, ..replacing(&published.etag) };
        let error = write(&fake, "k", &second, late).unwrap_err();
        assert!(matches!(error, Error::Changed) && fake.state().objects.is_empty(), "{error}");
    }
}

#[test]
fn a_version_that_changes_while_parts_are_sent_is_kept() {
    let fake = Fake::new();
    let etag = write(&fake, "k", b"first", small_parts()).unwrap().etag;
    let options = WriterOptions { existing: Existing::ReplaceVersion(etag), ..small_parts() };
    let mut writer = fake.store().writer(&object("k"), options);
    writer.write_all(&seeded_bytes(1, 2 * PART)).unwrap();
    fake.state().put("k", b"other");
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, Error::Changed), "{error}");
    assert!(fake.state().objects["k"].bytes == b"other" && fake.state().uploads.is_empty());
}

#[test]
fn an_object_that_appears_meanwhile_is_not_replaced() {
    let fake = Fake::new();
    let mut writer = fake.store().writer(&object("k"), small_parts());
    writer.write_all(&seeded_bytes(1, 2 * PART)).unwrap();
    fake.state().put("k", b"other");
    assert!(matches!(writer.finish(), Err(Error::Exists)));
    assert_eq!(fake.state().objects["k"].bytes, b"other");
    assert!(fake.state().uploads.is_empty());
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let fake = Fake::new();
    let cancel = haul_io::Cancel::new().unwrap();
    let store = haul_store::Store::new(fake.settings(), &cancel).unwrap();
    let mut writer = store.writer(&object("k"), small_parts());
    writer.write_all(&seeded_bytes(1, 3 * PART)).unwrap();
    fake.server.wait_requests(3);
    // Also when the run was interrupted.
    cancel.trigger();
    drop(writer);
    assert!(fake.state().uploads.is_empty() && fake.state().objects.is_empty());
    assert_eq!(fake.count("DELETE", "uploadId="), 1);
}

#[test]
fn each_part_is_repeated_alone() {
    let fake = Fake::scripted(|request, count| {
        let is_part = request.target.contains("partNumber=2");
        match count {
            0 if is_part => Some(Fault::Instead(refusal(503, "SlowDown").header("Retry-After", "0"))),
            1 if is_part => Some(Fault::LostAnswer),
            2 if is_part => Some(Fault::Instead(refusal(400, "BadDigest"))),
            _ => None,
        }
    });
    let bytes = seeded_bytes(1, 4 * PART);
    write(&fake, "k", &bytes, small_parts()).unwrap();
    assert!(fake.state().objects["k"].bytes == bytes);
    let counts = [1, 2, 3, 4].map(|number| fake.count("PUT", &format!("partNumber={number}")));
    assert_eq!(counts, [1, 4, 1, 1]);
}

#[test]
fn a_part_that_fails_for_good_ends_the_upload() {
    let fake = Fake::scripted(|request, _| {
        request.target.contains("partNumber=2").then(|| Fault::Instead(refusal(403, "AccessDenied")))
    });
    let error = write(&fake, "k", &seeded_bytes(1, 6 * PART), small_parts()).unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.kind == Kind::Denied), "{error}");
    assert!(fake.state().uploads.is_empty() && fake.state().objects.is_empty());
}

#[test]
fn a_lost_answer_of_the_last_request_is_no_failure() {
    for len in [3, PART + 1] {
        let fake = Fake::scripted(|request, count| {
            let is_last =
                request.target == "/bucket/k" && request.method == "PUT" || request.method == "POST";
            let is_last = is_last && !request.target.contains("uploads=");
            (is_last && count == 0).then_some(Fault::LostAnswer)
        });
        let bytes = seeded_bytes(1, len);
        let published = write(&fake, "k", &bytes, small_parts()).unwrap();
        assert!(fake.state().objects["k"].bytes == bytes && fake.state().objects["k"].etag == published.etag);
    }
}

#[test]
fn a_request_that_the_client_repeats_by_itself_is_no_failure() {
    for len in [3, PART + 1] {
        let fake = Fake::scripted(|request, count| {
            let is_last =
                request.target == "/bucket/k" && request.method == "PUT" || request.method == "POST";
            let is_last = is_last && !request.target.contains("uploads=");
            (is_last && count == 0).then_some(Fault::LostAnswer)
        });
        // The connection has been used before, so that the cut looks like the end of an idle one.
        let store = fake.store();
        store.remove(&object("other")).unwrap();
        let bytes = seeded_bytes(1, len);
        let mut writer = store.writer(&object("k"), small_parts());
        writer.write_all(&bytes).unwrap();
        writer.finish().unwrap();
        assert!(fake.state().objects["k"].bytes == bytes);
    }
}

#[test]
fn another_runs_object_is_not_taken_for_our_own() {
    let fake = Fake::scripted(|request, count| {
        (request.method == "PUT" && count == 0).then(|| Fault::Instead(refusal(500, "InternalError")))
    });
    fake.state().put("k", b"other");
    let token = ("x-amz-meta-haul-upload".to_owned(), "theirs".to_owned());
    fake.state().objects.get_mut("k").unwrap().metadata.push(token);
    assert!(matches!(write(&fake, "k", b"mine", small_parts()), Err(Error::Exists)));
}

#[test]
fn a_failure_after_a_success_was_announced_is_seen() {
    let fake = Fake::scripted(|request, count| {
        let is_completion = request.method == "POST" && request.target.contains("uploadId=");
        let answer = || Answer::ok("<Error><Code>InternalError</Code><Message>m</Message></Error>");
        (is_completion && count < 2).then(|| Fault::Instead(answer()))
    });
    let bytes = seeded_bytes(1, PART + 1);
    write(&fake, "k", &bytes, small_parts()).unwrap();
    assert!(fake.state().objects["k"].bytes == bytes);
    assert_eq!(fake.count("POST", "uploadId="), 3);
}

#[test]
fn another_checksum_than_was_sent_is_an_error() {
    let wrong =
        || Answer::new(200).header("ETag", "\"x\"").header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=");
    for (len, method) in [(3, "PUT"), (PART + 1, "PUT")] {
        let fake =
            Fake::scripted(move |request, _| (request.method == method).then(|| Fault::Instead(wrong())));
        let error = write(&fake, "k", &seeded_bytes(1, len), small_parts()).unwrap_err();
        assert!(matches!(error, Error::Checksum { .. }), "{error}");
        assert!(fake.state().uploads.is_empty());
    }
}

#[test]
fn an_upload_is_continued_with_the_same_bytes() {
    let fake = Fake::new();
    fake.state().page = 2;
    let bytes = seeded_bytes(1, 4 * PART + 9);
    // A run that was killed: its upload and its parts stay.
    std::mem::forget({
        let mut writer = fake.store().writer(&object("k"), small_parts());
        writer.write_all(&bytes).unwrap();
        writer
    });
    fake.server.wait_requests(6);
    let before = fake.state().uploads.values().next().unwrap().parts.len();
    assert!(before >= 2);
    // Its second part was damaged meanwhile, as if another run had written it.
    let sent = fake.count("PUT", "partNumber=");
    fake.state().uploads.values_mut().next().unwrap().parts.get_mut(&2).unwrap().1 =
        "AAAAAAAAAAA=".to_owned();
    let published = write(&fake, "k", &bytes, WriterOptions { resume: true, ..small_parts() }).unwrap();
    assert!(fake.state().objects["k"].bytes == bytes && published.bytes == bytes.len() as u64);
    assert!(fake.state().uploads.is_empty());
    // The first part was there already; the second was sent again, and the last for the first time.
    assert_eq!(fake.count("PUT", "partNumber=1&"), 1);
    assert_eq!(fake.count("PUT", "partNumber=2&"), 2);
    assert!(fake.count("PUT", "partNumber=") > sent);
}

#[test]
fn other_bytes_are_never_mixed_with_an_earlier_upload() {
    let fake = Fake::new();
    std::mem::forget({
        let mut writer = fake.store().writer(&object("k"), small_parts());
        writer.write_all(&seeded_bytes(1, 3 * PART)).unwrap();
        writer
    });
    fake.server.wait_requests(4);
    let bytes = seeded_bytes(2, PART + 1);
    write(&fake, "k", &bytes, WriterOptions { resume: true, ..small_parts() }).unwrap();
    assert!(fake.state().objects["k"].bytes == bytes);
    assert!(fake.state().uploads.is_empty());
}

#[test]
fn left_over_uploads_are_swept() {
    let fake = Fake::new();
    fake.state().page = 2;
    // Their IDs, in the order of their beginnings, are in no order of the keys.
    for (index, key) in ["b/1", "a/1", "a/3", "a/2", "a/1"].into_iter().enumerate() {
        let mut writer = fake.store().writer(&object(key), small_parts());
        writer.write_all(&vec![0; PART + 1]).unwrap();
        std::mem::forget(writer);
        // Each is looked for, begun, and has sent a part.
        fake.server.wait_requests(3 * (index + 1));
    }
    let ours = "s3://bucket/a/".parse().unwrap();
    let swept = fake.store().sweep(&ours, Duration::ZERO, |upload| upload.object.key() != "a/3").unwrap();
    assert_eq!(swept, 3);
    let mut left: Vec<_> = fake.state().uploads.values().map(|upload| upload.key.clone()).collect();
    left.sort();
    assert_eq!(left, ["a/3", "b/1"]);
    // Uploads whose age is unknown may be young.
    assert_eq!(fake.store().sweep(&bucket(), Duration::from_secs(1), |_| true).unwrap(), 0);
}

#[test]
fn conditions_that_a_store_ignores_are_found() {
    let fake = Fake::new();
    let found = fake.store().probe(&bucket()).unwrap();
    assert!(
        found.all() && found.replace && fake.state().objects.is_empty() && fake.state().uploads.is_empty(),
        "{found}"
    );
    fake.state().ignores_conditions = true;
    let found = fake.store().probe(&bucket()).unwrap();
    assert!(!found.put && !found.complete && !found.read && !found.replace);
    assert!(found.to_string().contains("ignores If-None-Match when an object is written"), "{found}");
    assert!(fake.state().objects.is_empty() && fake.state().uploads.is_empty());
}
