//! The checks that every file server must pass.
//!
//! Owns: the checks.
//! Does not own: the servers ([`crate::real_servers::sites`]), the files ([`crate::real_servers::site`]).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use haul_testkit::assert_same;

use crate::real_servers::site::{LARGE, LARGE_BYTES, Site, TEXT};

/// One engine for each execution of I/O operations.
pub(crate) const ENGINES: [&str; 3] = ["serial", "threads=4", "uring=1x16"];

pub(crate) fn all(site: &Site) {
    every_file_arrives(site);
    a_connection_is_reused_after_every_response(site);
    tls_is_trusted_by_its_authority(site);
    an_interrupted_file_is_resumed(site);
    unchanged_files_are_not_sent_again(site);
    compressed_text_is_restored(site);
    a_range_request_gets_that_range(site);
}

fn every_file_arrives(site: &Site) {
    fs::write(site.here("plain.list"), site.list(|name| site.url(name))).unwrap();
    fs::write(site.here("secure.list"), site.list(|name| site.secure_url(name))).unwrap();
    for engine in ENGINES {
        for list in ["plain.list", "secure.list"] {
            let got = format!("{list}-{engine}");
            site.get(&["-e", engine, "--cacert", &site.ca(), "-i", list, "-d", &got], 0);
            assert_same(&site.root(), &site.here(&got));
        }
    }
}

/// Files, missing files, HEAD requests and a folder without its slash: no response ends the connection or confuses the
/// next.
fn a_connection_is_reused_after_every_response(site: &Site) {
    let line = |method: &str, name: &str, out: &str| {
        serde_json::json!({"method": method, "url": site.url(name), "out": out}).to_string()
    };
    let lines = [
        line("GET", "block.bin", "a"),
        line("GET", "none.bin", "b"),
        line("HEAD", LARGE, "c"),
        line("GET", "folder", "d"),
        line("HEAD", "none.bin", "e"),
        line("GET", "empty.bin", "f"),
        line("GET", "one.bin", "g"),
    ];
    fs::write(site.here("mixed.list"), lines.join("\n")).unwrap();
    let (told, _) = site.get(&["-e", "serial", "-i", "mixed.list", "-d", "mixed"], 1);
    let statuses: Vec<_> = told.iter().map(|task| task["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 404, 200, 200, 404, 200, 200]);
    let fresh: Vec<_> =
        told.iter().filter(|task| task["connect_us"] != 0).map(|task| &task["task"]).collect();
    assert_eq!(fresh, [0], "one connection for all: {told:#?}");
    assert!(told[3]["url"].as_str().unwrap().ends_with("/folder/"), "{}", told[3]);
    let got = |name: &str| fs::read(site.here("mixed").join(name)).unwrap();
    assert!(got("a") == site.served("block.bin") && got("g") == site.served("one.bin"));
    assert!(got("d") == site.served("folder/index.html"));
    // A head makes no file.
    assert!(!site.here("mixed").join("c").exists() && got("f").is_empty());
}

fn tls_is_trusted_by_its_authority(site: &Site) {
    let by_name = site.secure_url("one.bin").replace("127.0.0.1", "localhost");
    let resolve = format!("{}:127.0.0.1", by_name.split('/').nth(2).unwrap());
    site.get(&["--resolve", &resolve, "--cacert", &site.ca(), "-o", "by-name", &by_name], 0);
    assert!(fs::read(site.here("by-name")).unwrap() == site.served("one.bin"));
    let (told, _) = site.get(&["-o", "strange", &site.secure_url("one.bin")], 1);
    assert!(told[0]["error"].as_str().unwrap().contains("certificate"), "{}", told[0]);
    assert!(!site.here("strange").exists());
}

fn an_interrupted_file_is_resumed(site: &Site) {
    let (part, record) = (site.here("large.bin.haul-part"), site.here("large.bin.haul-part.from"));
    let (url, whole) = (site.url(LARGE), site.served(LARGE));
    let running = site.haul().spawn(["get", "-c", "--limit-rate", "100k", &url]);
    while part.metadata().map_or(0, |metadata| metadata.len()) == 0 {
        std::thread::yield_now();
    }
    running.kill();
    running.finish();
    let recorded = fs::read_to_string(&record).unwrap();
    for kept_bytes in [1, 400_001, LARGE_BYTES - 1, LARGE_BYTES] {
        // The state of a run that was killed at this length.
        fs::write(&part, &whole[..kept_bytes]).unwrap();
        // The record names the inode of the bytes, and both are private.
        let inode = format!("inode: {}", part.metadata().unwrap().ino());
        let lines = recorded.lines().map(|line| if line.starts_with("inode: ") { &inode } else { line });
        fs::write(&record, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        for file in [&part, &record] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let (told, _) = site.get(&["-c", &url], 0);
        // Nothing is fetched again, whatever the status for a range past the end.
        let status = if kept_bytes == LARGE_BYTES && site.counts_in_416 { 416 } else { 206 };
        assert_eq!(told[0]["status"], status, "{kept_bytes}: {}", told[0]);
        assert!(fs::read(site.here(LARGE)).unwrap() == whole, "{kept_bytes}");
        assert!(!part.exists() && !record.exists());
        let (told, _) = site.get(&["-c", &url], 0);
        assert_eq!(told[0]["skipped"], true, "{}", told[0]);
        fs::remove_file(site.here(LARGE)).unwrap();
    }
}

fn unchanged_files_are_not_sent_again(site: &Site) {
    for round in 0..2 {
        let (told, _) = site.get(&["--sync", "-i", "plain.list", "-d", "synced"], 0);
        assert_eq!(told.len(), site.names().len());
        for task in &told {
            let unchanged = task["unchanged"] == true && task["status"] == 304 && task["bytes"] == 0;
            assert_eq!(unchanged, round == 1, "{task}");
        }
    }
}

fn compressed_text_is_restored(site: &Site) {
    let (url, text) = (site.url(TEXT), site.served(TEXT));
    site.get(&["-o", "coded", "-H", "Accept-Encoding: gzip", &url], 0);
    let coded = fs::read(site.here("coded")).unwrap();
    assert!(coded.starts_with(b"\x1f\x8b") && coded.len() < text.len() / 10, "{} bytes", coded.len());
    for engine in ENGINES {
        let name = format!("decoded-{engine}");
        site.get(&["-e", engine, "--compressed", "-o", &name, &url], 0);
        assert!(fs::read(site.here(&name)).unwrap() == text);
    }
}

fn a_range_request_gets_that_range(site: &Site) {
    let whole = site.served(LARGE);
    for (range, bytes) in
        [("5-9", 5..10), ("-7", LARGE_BYTES - 7..LARGE_BYTES), ("65535-", 65_535..LARGE_BYTES)]
    {
        let field = format!("Range: bytes={range}");
        let run = site.haul().run(["get", "-o", "-", "-H", &field, &site.url(LARGE)]).expect_status(0);
        assert!(run.stdout == whole[bytes], "{range}");
    }
}
