//! Many URLs into a directory, in one call.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul_fetch::{
    Algorithm, Cancel, Checksum, ChecksumList, Client, Config, DownloadEvent, DownloadItem, Downloads,
    Proxies,
};
use haul_testkit::{Answer, End, Gate, Server, files_below, seeded_bytes};

fn client() -> Client {
    Client::new(Config { retry_pause: Duration::ZERO, ..Config::default() }).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = files_below(dir)
        .unwrap()
        .into_iter()
        .map(|path| path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn files_get_the_names_of_their_urls_and_failures_are_reported() {
    let server = Server::start(|request| match request.path() {
        "/gone" => Answer::new(404),
        path => Answer::ok(path.to_owned()),
    });
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("new");
    let mut items: Vec<DownloadItem> =
        ["/a.txt", "/d/b.txt?x=1", "/gone"].map(|path| server.url(path).into()).into();
    items.push(DownloadItem::from(server.url("/c")).named("sub/named"));
    items.push(DownloadItem::from(server.url("/e")).named("../escaped"));
    items.push("nonsense".into());
    items.push(server.url("/other/a.txt").into());
    let report = Downloads::new(&client()).into_dir(&into).transfers(1).run(items).unwrap();
    assert_eq!((report.succeeded, report.failed, report.skipped, report.cancelled), (3, 4, 0, 0));
    assert_eq!(files(&into), ["a.txt", "b.txt", "sub/named"]);
    assert_eq!(std::fs::read(into.join("sub/named")).unwrap(), b"/c");
    std::fs::write(dir.path().join("plain"), "").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&into.join("a.txt")), mode(&dir.path().join("plain")), "as any new file");
    let reasons: BTreeMap<_, _> =
        report.failures.iter().map(|failure| (failure.url.rsplit('/').next().unwrap(), failure)).collect();
    assert_eq!(reasons["gone"].status.unwrap().as_u16(), 404);
    assert!(reasons["e"].reason.contains("leaves the directory"), "{}", reasons["e"].reason);
    assert!(reasons["nonsense"].reason.contains("scheme"), "{}", reasons["nonsense"].reason);
    assert!(reasons["a.txt"].reason.contains("same file name"), "{}", reasons["a.txt"].reason);
    let failed = report.all().unwrap_err();
    assert!(failed.to_string().starts_with("4 of 7 downloads failed; the first: cannot fetch "), "{failed}");
}

#[test]
fn sealed_files_have_the_suffix_and_no_reserved_name() {
    let ada = haul_seal::X25519Identity::generate();
    let format = haul_seal::SealedFormat::new(vec![ada.to_recipient().into()]).unwrap();
    let format = Arc::new(format.identities(vec![ada.clone().into()]));
    let client = Client::new(Config { format: Some(format), ..Config::default() }).unwrap();
    let server = Server::start(|request| Answer::ok(request.path().to_owned()).header("ETag", "\"a\""));
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("new");
    let mut items: Vec<DownloadItem> =
        ["/a.txt", "/old.age", "/haul-identity"].map(|path| server.url(path).into()).into();
    items.push(DownloadItem::from(server.url("/c")).named("sub/named"));
    let sums = ["a.txt", "old.age", "haul-identity", "sub/named"];
    let body_of = |name: &str| if name == "sub/named" { "/c".to_owned() } else { format!("/{name}") };
    let list: String =
        sums.iter().map(|name| format!("{}  {name}\n", sha256(body_of(name).as_bytes()))).collect();
    let list = ChecksumList::parse(list.as_bytes()).unwrap();
    let run = || Downloads::new(&client).into_dir(&into).checksums(list.clone()).run(items.clone());
    assert_eq!(run().unwrap().all().unwrap().succeeded, 4);
    assert_eq!(files(&into), ["_haul-identity.age", "a.txt.age", "old.age", "sub/named.age"]);
    let opened = |name: &str| {
        haul_seal::open_bytes(&std::fs::read(into.join(name)).unwrap(), &[ada.clone().into()]).unwrap()
    };
    assert_eq!((opened("a.txt.age"), opened("sub/named.age")), (b"/a.txt".to_vec(), b"/c".to_vec()));
    let again = run().unwrap().all().unwrap();
    assert_eq!((again.succeeded, again.skipped), (4, 4), "each file is known by its content");
}

#[test]
fn a_second_run_continues_and_skips() {
    let body = seeded_bytes(3, 300_000);
    let (whole, cuts) = (body.clone(), Arc::new(AtomicUsize::new(0)));
    let cut = cuts.clone();
    let server = Server::start(move |request| {
        let answer = Answer::ok(whole.clone()).header("ETag", "\"a\"").header("Accept-Ranges", "bytes");
        let answer = answer.header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        match request.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
            Some((from, to)) => {
                let from: usize = from.parse().unwrap();
                let to = to.parse().map_or(whole.len(), |to: usize| to + 1);
                let range = format!("bytes {from}-{}/{}", to - 1, whole.len());
                Answer::new(206)
                    .body(whole[from..to].to_vec())
                    .header("Content-Range", &range)
                    .header("ETag", "\"a\"")
                    .header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
            }
            None if cut.fetch_add(1, Ordering::SeqCst) == 0 => answer.cut_after(100_000, End::Close),
            None => answer,
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let run = |retries| {
        Downloads::new(&client()).into_dir(dir.path()).retries(retries).run([server.url("/x")]).unwrap()
    };
    let first = run(0);
    assert_eq!((first.failed, first.failures[0].is_transient), (1, true));
    assert_eq!(files(dir.path()), ["x.haul-part", "x.haul-part.from"]);
    let second = run(0).all().unwrap();
    assert!(second.bytes < 250_000, "only the rest was fetched: {}", second.bytes);
    assert!(std::fs::read(dir.path().join("x")).unwrap() == body);
    let third = run(0).all().unwrap();
    assert_eq!((third.succeeded, third.skipped), (1, 1));
    let refused = Downloads::new(&client()).into_dir(dir.path()).resume(false).run([server.url("/x")]);
    assert_eq!(refused.unwrap().failures[0].reason, "the result exists already");
    let replaced =
        Downloads::new(&client()).into_dir(dir.path()).resume(false).replacing().run([server.url("/x")]);
    assert_eq!((replaced.unwrap().all().unwrap().bytes), 300_000);
    assert_eq!(files(dir.path()), ["x"]);
}

#[test]
fn checksums_are_checked_whoever_names_them() {
    let server = Server::start(|_| Answer::ok("abc"));
    let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let checksum = |hex: &str| Checksum::from_hex(Algorithm::Sha256, hex).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let items = [
        DownloadItem::from(server.url("/a")).checksum(checksum(right)).size(3),
        DownloadItem::from(server.url("/b")).checksum(checksum(&"0".repeat(64))),
        DownloadItem::from(server.url("/c")).size(4),
    ];
    let report = Downloads::new(&client()).into_dir(dir.path()).run(items).unwrap();
    assert_eq!((report.succeeded, report.failed, files(dir.path())), (1, 2, vec!["a".to_owned()]));
    let list = format!("{right}  one\n{}  two\n", "0".repeat(64));
    std::fs::write(dir.path().join("SHA256SUMS"), list).unwrap();
    let list = ChecksumList::read(dir.path().join("SHA256SUMS")).unwrap();
    let urls = ["/one", "/two", "/unlisted"].map(|path| server.url(path));
    let report = Downloads::new(&client()).into_dir(dir.path()).checksums(list).run(&urls).unwrap();
    assert_eq!((report.succeeded, report.failed), (1, 2));
    assert_eq!(files(dir.path()), ["SHA256SUMS", "a", "one"]);
}

#[test]
fn events_tell_of_progress_retries_and_ends() {
    let gate = Gate::new();
    let (held, asked) = (gate.clone(), AtomicUsize::new(0));
    let server = Server::start(move |request| match request.path() {
        "/busy" if asked.fetch_add(1, Ordering::SeqCst) == 0 => Answer::new(503),
        "/gone" => Answer::new(404),
        "/large" => Answer::ok(vec![b'x'; 1_000_000]).gate_at(500_000, &held),
        _ => Answer::ok("x"),
    });
    let dir = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let urls = ["/busy", "/gone", "/large"].map(|path| server.url(path));
    let report = Downloads::new(&client())
        .into_dir(dir.path())
        .on_event(|event| {
            let (kind, url) = match event {
                DownloadEvent::Progress { url, bytes, bytes_total, all_bytes } => {
                    assert!(bytes <= all_bytes);
                    if url.ends_with("/large") {
                        assert_eq!(*bytes_total, Some(1_000_000));
                        gate.open();
                    }
                    return;
                }
                DownloadEvent::Retrying { url, retry } => {
                    assert_eq!((retry.attempt, retry.status.unwrap().as_u16()), (2, 503));
                    ("retrying", url)
                }
                DownloadEvent::Done { url, fetched } => {
                    assert!(fetched.path.is_some());
                    ("done", url)
                }
                DownloadEvent::Failed { url, error, attempts } => {
                    assert_eq!((error.status().unwrap().as_u16(), *attempts), (404, 1));
                    ("failed", url)
                }
                _ => return,
            };
            told.push(format!("{kind} {}", url.rsplit('/').next().unwrap()));
        })
        .run(&urls)
        .unwrap();
    told.sort();
    assert_eq!(told, ["done busy", "done large", "failed gone", "retrying busy"]);
    assert_eq!((report.succeeded, report.failed, report.bytes), (2, 1, 1_000_001));
}

#[test]
fn limits_of_hosts_hold_and_connections_are_those_of_the_client() {
    let now = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let counts = now.clone();
    let server = Server::start(move |_| {
        let active = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
        counts.1.fetch_max(active, Ordering::SeqCst);
        std::thread::yield_now();
        counts.0.fetch_sub(1, Ordering::SeqCst);
        Answer::ok("x")
    });
    let (client, dir) = (client(), tempfile::tempdir().unwrap());
    let urls = (0..50).map(|index| server.url(&format!("/{index}")));
    let report = Downloads::new(&client).into_dir(dir.path()).per_host(2).run(urls).unwrap().all().unwrap();
    assert_eq!(report.succeeded, 50);
    assert!(now.1.load(Ordering::SeqCst) <= 2);
    client.fetch(haul_fetch::Request::get(server.url("/last"))).unwrap();
    assert!(server.requests().iter().map(|request| request.connection).max().unwrap() < 2);
}

#[test]
fn a_run_ends_when_it_is_cancelled_or_its_caller_panics() {
    let server = Server::start(|request| match request.path() {
        "/never" => Answer::never(),
        _ => Answer::ok("x"),
    });
    let dir = tempfile::tempdir().unwrap();
    let cancel = Cancel::new().unwrap();
    let urls = ["/a", "/never"].map(|path| server.url(path));
    let run = |on_event: &mut (dyn FnMut() + Send)| {
        let on_event = Mutex::new(on_event);
        Downloads::new(&client())
            .into_dir(dir.path())
            .cancel(&cancel)
            .on_event(|event| {
                if matches!(event, DownloadEvent::Done { .. }) {
                    (on_event.lock().unwrap())();
                }
            })
            .run(&urls)
            .unwrap()
    };
    let report = run(&mut || cancel.trigger());
    assert_eq!((report.succeeded, report.failed, report.cancelled), (1, 0, 1));
    assert!(report.all().is_err());
    cancel.reset();
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = run(&mut || panic!("a caller's bug"));
    }));
    assert!(ran.is_err() && !cancel.is_triggered(), "the caller's own switch is left alone");
}

/// As for a host that only a proxy knows.
#[test]
fn settings_of_requests_hold_in_lists() {
    let proxy = Server::start(|request| Answer::ok(request.target.clone()));
    let proxies = Proxies::all(proxy.url("").parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let request = haul_fetch::Request::get("http://elsewhere.invalid/x").proxies(proxies);
    let report = Downloads::new(&client()).into_dir(dir.path()).run([request]).unwrap().all().unwrap();
    assert_eq!(report.succeeded, 1);
    assert_eq!(std::fs::read(dir.path().join("x")).unwrap(), b"http://elsewhere.invalid/x");
}
