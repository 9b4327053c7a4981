//! Runs that are killed in the middle of uploads to SeaweedFS, and the runs that follow them.
//!
//! Owns: these checks; `HAUL_ROUNDS=100` makes them a soak.
//! Does not own: uploads without kills ([`super::uploads`]).

use std::fs;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use haul_store::{Bucket, Credentials, Endpoint, Keys, Settings, Store};
use haul_testkit::{Answer, Gate, Haul, Server, Weed, seeded_bytes};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const PART: usize = 8 << 20;
const BYTES: usize = 3 * PART + 12_345;
/// Rounds, unless the variable says otherwise.
const ROUNDS: usize = 4;
/// Then the store's volumes are nearly full.
const ROUNDS_OF_STORE: usize = 20;

fn store(weed: &Weed) -> Store {
    let endpoint = Endpoint::at(&weed.url(), "us-east-1").unwrap();
    let keys = Keys::new(Weed::KEY, Weed::SECRET.to_owned().into(), None);
    let settings = Settings::new(endpoint, Credentials::fixed(keys));
    Store::new(settings, &haul_io::Cancel::new().unwrap()).unwrap()
}

#[test]
fn after_a_kill_no_upload_is_left_and_every_object_opens() {
    let rounds = std::env::var("HAUL_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    for first in (0..rounds).step_by(ROUNDS_OF_STORE) {
        let Some(weed) = Weed::start() else { return };
        check(&weed, first..rounds.min(first + ROUNDS_OF_STORE));
    }
}

fn check(weed: &Weed, rounds: Range<usize>) {
    let (dir, store, bodies) = (tempfile::tempdir().unwrap(), store(weed), seeded_bytes(1, BYTES));
    let gate: Arc<Mutex<Gate>> = Arc::default();
    let (held, body) = (gate.clone(), bodies.clone());
    let origin = Server::start(move |request| match request.path() {
        "/small" => Answer::ranged(request, &body[..1000], "\"1\"").header("Last-Modified", DATE),
        // A killed run has got so far that a part was sent.
        _ if request.header("range").is_none() => {
            Answer::ranged(request, &body, "\"2\"").gate_at(5 * PART / 2, &held.lock().unwrap().clone())
        }
        _ => Answer::ranged(request, &body, "\"2\""),
    });
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul"))
        .dir(dir.path())
        .env("AWS_ENDPOINT_URL", weed.url())
        .env("AWS_ACCESS_KEY_ID", Weed::KEY)
        .env("AWS_SECRET_ACCESS_KEY", Weed::SECRET);
    let recipient = haul.run(["keygen", "-o", "key"]).expect_status(0).stdout_text().trim().to_owned();
    fs::write(dir.path().join("urls"), [origin.url("/small"), origin.url("/large")].join("\n")).unwrap();
    for round in rounds {
        let engine = ["serial", "threads=4", "uring=1x4"][round % 3];
        let prefix = format!("s3://haul-kills/{round}");
        let bucket: Bucket = format!("{prefix}/").parse().unwrap();
        let mut get = vec!["get", "-c", "-e", engine, "-i", "urls", "-d", &prefix];
        let is_sealed = round % 2 == 0;
        if is_sealed {
            get.extend(["-r", &recipient]);
        }
        *gate.lock().unwrap() = Gate::new();
        let running = haul.spawn(&get);
        while store.uploads(&bucket).next().is_none() {
            std::thread::yield_now();
        }
        running.kill();
        running.finish();
        gate.lock().unwrap().open();
        haul.run(&get).expect_status(0);
        assert_eq!(store.uploads(&bucket).count(), 0, "round {round}: no upload is left");
        let suffix = if is_sealed { ".age" } else { "" };
        let large = format!("{prefix}/large{suffix}");
        if is_sealed {
            haul.run(["verify", "-i", "key", &large]).expect_status(0);
            let opened = haul.run(["cat", "-i", "key", &large]).expect_status(0).stdout;
            assert!(opened == bodies, "round {round}");
        } else {
            let mut reader = store.reader(&large.parse().unwrap()).unwrap().unwrap();
            let mut found = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut found).unwrap();
            assert!(found == bodies, "round {round}");
        }
        let small = store.stat(&format!("{prefix}/small{suffix}").parse().unwrap()).unwrap();
        assert!(small.is_some_and(|stat| stat.bytes >= 1000), "round {round}");
    }
}
