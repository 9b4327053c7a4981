//! Against SeaweedFS: one server for all cases, as its start takes seconds.

use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use haul_store::{
    Bucket, Credentials, Endpoint, Error, Existing, Keys, Kind, Object, Settings, Store, WriterOptions,
};
use haul_testkit::{Weed, seeded_bytes};

use crate::fake;

const PART: usize = 5 << 20;

fn options() -> WriterOptions {
    WriterOptions { part_bytes: 1, parts_in_flight_max: 3, ..WriterOptions::default() }
}

fn write(store: &Store, object: &Object, bytes: &[u8], options: WriterOptions) -> Result<(), Error> {
    let mut writer = store.writer(object, options);
    writer.write_all(bytes).map_err(|error| *error.into_inner().unwrap().downcast::<Error>().unwrap())?;
    writer.finish().map(|_| ())
}

#[test]
fn seaweedfs_agrees() {
    let Some(weed) = Weed::start() else { return };
    let store = store(&weed, Weed::KEY, Weed::SECRET);
    let bucket: Bucket = "s3://haul-test/run/".parse().unwrap();
    round_trips(&store, &bucket);
    conditions(&store, &bucket);
    listing(&store, &bucket);
    interrupted(&store, &bucket);
    refused(&weed, &bucket);
}

fn store(weed: &Weed, id: &str, secret: &str) -> Store {
    let endpoint = Endpoint::at(&weed.url(), "us-east-1").unwrap();
    let credentials = Credentials::fixed(Keys::new(id, secret.to_owned().into(), None));
    let settings = fake::settings(endpoint, credentials);
    fake::store(Settings { retry_pause: Duration::from_millis(20), ..settings })
}

fn round_trips(store: &Store, bucket: &Bucket) {
    for len in [0, 1, 70_000, PART, 3 * PART + 12_345] {
        let object = bucket.object(&format!("len {len}+ü&?#.bin")).unwrap();
        let bytes = seeded_bytes(len as u64, len);
        write(store, &object, &bytes, options()).unwrap();
        let mut reader = store.reader(&object).unwrap().expect("the object is there");
        assert_eq!(reader.stat().bytes, len as u64);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == bytes, "{len}");
        if len > 1000 {
            let mut piece = vec![0; 500];
            reader.seek(SeekFrom::Start(len as u64 / 2)).unwrap();
            reader.read_exact(&mut piece).unwrap();
            assert!(piece == bytes[len / 2..len / 2 + 500]);
        }
    }
}

fn conditions(store: &Store, bucket: &Bucket) {
    let found = store.probe(bucket).unwrap();
    assert!(found.put && found.complete && found.read && found.replace, "{found:?}");
    for len in [5, PART + 1] {
        let object = bucket.object(&format!("once {len}")).unwrap();
        write(store, &object, &seeded_bytes(1, len), options()).unwrap();
        assert!(matches!(write(store, &object, &seeded_bytes(2, len), options()), Err(Error::Exists)));
        let mut reader = store.reader(&object).unwrap().unwrap();
        let replacing = WriterOptions { existing: Existing::Replace, ..options() };
        write(store, &object, &seeded_bytes(3, len), replacing).unwrap();
        let error = reader.read(&mut [0; 10]).unwrap_err();
        assert!(matches!(error.get_ref().unwrap().downcast_ref(), Some(Error::Changed)), "{error}");
        store.remove(&object).unwrap();
        store.remove(&object).unwrap();
        assert!(store.stat(&object).unwrap().is_none());
    }
}

fn listing(store: &Store, bucket: &Bucket) {
    let below: Bucket = format!("{bucket}many/").parse().unwrap();
    let mut expected: Vec<String> = (0..1005).map(|index| format!("run/many/{index:04}")).collect();
    expected.push("run/many/a b+c%20&<ü>".to_owned());
    std::thread::scope(|scope| {
        for keys in expected.chunks(128) {
            scope.spawn(move || {
                keys.iter().for_each(|key| {
                    write(store, &Object::new("haul-test", key).unwrap(), b"x", options()).unwrap();
                });
            });
        }
    });
    let mut found: Vec<_> = store.list(&below).map(|listed| listed.unwrap().key).collect();
    found.sort();
    expected.sort();
    assert!(found == expected, "{} of {}", found.len(), expected.len());
}

fn interrupted(store: &Store, bucket: &Bucket) {
    let object = bucket.object("killed").unwrap();
    let bytes = seeded_bytes(9, 4 * PART);
    let mut writer = store.writer(&object, options());
    writer.write_all(&bytes).unwrap();
    drop(writer);
    assert_eq!(store.sweep(bucket, Duration::ZERO, |_| true).unwrap(), 0, "a dropped writer leaves nothing");
    for resume in [true, false] {
        let mut writer = store.writer(&object, options());
        writer.write_all(&bytes).unwrap();
        std::mem::forget(writer);
        // Its parts are on their way.
        while store.uploads(bucket).next().is_none() {
            std::thread::yield_now();
        }
        if resume {
            write(store, &object, &bytes, WriterOptions { resume, ..options() }).unwrap();
            let mut read = Vec::new();
            store.reader(&object).unwrap().unwrap().read_to_end(&mut read).unwrap();
            assert!(read == bytes);
            store.remove(&object).unwrap();
        } else {
            assert_eq!(store.sweep(bucket, Duration::ZERO, |upload| upload.object == object).unwrap(), 1);
        }
        assert_eq!(store.sweep(bucket, Duration::ZERO, |_| true).unwrap(), 0, "nothing is left");
    }
}

fn refused(weed: &Weed, bucket: &Bucket) {
    let object = bucket.object("refused").unwrap();
    for (id, secret) in [(Weed::KEY, "wrong"), ("NOBODY", Weed::SECRET)] {
        let error = write(&store(weed, id, secret), &object, b"x", options()).unwrap_err();
        assert!(matches!(&error, Error::Refused(refusal) if refusal.kind == Kind::WrongKey), "{error}");
    }
}
