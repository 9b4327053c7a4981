//! Refusals and failures: a golden file for each message. `HAUL_BLESS=1` rewrites them.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::workdir::{Workdir, golden};
use haul_testkit::{Answer, End, Haul, Server, check_golden, files_below, refused_address, seeded_bytes};

#[test]
fn nothing_is_started_on_a_wrong_command_line() {
    let workdir = Workdir::new();
    workdir.refuses("no-command", &[]);
    workdir.refuses("unknown-option", &["get", "--colour", "http://localhost/"]);
    workdir.refuses("unknown-engine", &["get", "--engine", "fast", "http://localhost/"]);
    workdir.refuses("zero-workers", &["get", "--engine", "threads=0", "http://localhost/"]);
    workdir.refuses("get-nothing", &["get"]);
    workdir.refuses("get-bad-rate", &["get", "--rate", "0", "http://localhost/"]);
    workdir.refuses("get-bad-segments", &["get", "--segments", "0", "http://localhost/"]);
    workdir.refuses("get-segments-continue", &["get", "-c", "--segments", "auto", "http://localhost/"]);
    workdir.refuses("get-output-for-many", &["get", "-o", "x", "http://localhost/a", "http://localhost/b"]);
    workdir.refuses("get-no-list", &["get", "-i", "missing.txt"]);
    workdir.refuses("get-bad-header", &["get", "-H", "X", "http://localhost/"]);
    workdir.refuses("get-smuggled-header", &["get", "-H", "X: a\nY: b", "http://localhost/"]);
    workdir.refuses("seal-to-nobody", &["seal", "letter"]);
    workdir.refuses("seal-bad-recipient", &["seal", "-r", "age1xyz", "letter"]);
    workdir.refuses("seal-bad-suffix", &["seal", "-r", "age1xyz", "--suffix", "", "letter"]);
    workdir.refuses("open-with-nothing", &["open", "letter.age"]);
    workdir.refuses("open-no-key-file", &["open", "-i", "key.txt", "letter.age"]);
    workdir.write("key.txt", b"# nothing\nAGE-SECRET-KEY-1QQQ\n");
    workdir.refuses("open-bad-key-file", &["open", "-i", "key.txt", "letter.age"]);
    workdir.refuses("xor-no-key-file", &["xor", "--key-file", "missing", "letter"]);
    workdir.write("empty", b"");
    workdir.refuses("xor-empty-key", &["xor", "--key-file", "empty", "letter"]);
    workdir.refuses("keygen-existing", &["keygen", "-o", "key.txt"]);
    workdir.refuses("keygen-pq-of-file", &["keygen", "--pq", "-y", "key.txt"]);
}

#[test]
fn an_unknown_host_and_a_refused_connection() {
    let workdir = Workdir::new();
    workdir.refuses("unknown-host", &["get", "http://no-such-host.invalid/x"]);
    let (_held, address) = refused_address();
    workdir.refuses("connection-refused", &["get", "--retries", "0", &format!("http://{address}/x")]);
    workdir.refuses("not-http", &["get", "ftp://localhost/x"]);
}

#[test]
fn invalid_responses_are_not_kept() {
    let workdir = Workdir::new();
    let server = Server::start(|request| match request.path() {
        "/missing" => Answer::new(404).body("no such thing"),
        "/busy" => Answer::new(503),
        "/short" => Answer::ok("hello").claim_length(10).close(),
        "/cut-chunks" => Answer::ok("hello").chunked(&[2]).cut_after(8, End::Close),
        "/signed-length" => Answer::raw(
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        "/loop" => Answer::redirect(302, "/loop"),
        "/away" => Answer::redirect(302, "ftp://localhost/"),
        _ => Answer::ok("fine"),
    });
    for name in ["missing", "short", "cut-chunks", "signed-length", "loop", "away"] {
        workdir.refuses(&format!("get-{name}"), &["get", "--retries", "0", &server.url(&format!("/{name}"))]);
    }
    workdir.refuses("get-busy", &["get", "--retries", "1", &server.url("/busy")]);
    workdir.refuses("get-too-large", &["get", "--max-size", "3", &server.url("/fine")]);
}

#[test]
fn bodies_with_wrong_checksums_are_not_kept() {
    let workdir = Workdir::new();
    let server = Server::start(|request| match request.path() {
        "/digest" => {
            Answer::ok("fine").header("Repr-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
        }
        _ => Answer::ok("fine"),
    });
    let zeros = "0".repeat(64);
    let fine = "68ae1a5ddcce5b98e36adedf4faa2bc4de25fac65d2ab52c5fb57d68c9dc6fa3";
    workdir.write("sums", format!("{zeros}  x\n").as_bytes());
    workdir.write("no-sums", b"x\n");
    let url = server.url("/x");
    workdir.refuses("get-checksum", &["get", "--checksum", &format!("sha256:{zeros}"), &url]);
    workdir.refuses("get-checksums", &["get", "--checksums", "sums", &url]);
    workdir.refuses("get-checksums-missing", &["get", "--checksums", "sums", &server.url("/y")]);
    workdir.refuses("get-checksums-bad", &["get", "--checksums", "no-sums", &url]);
    workdir.refuses("get-checksum-bad", &["get", "--checksum", "sha256:x", &url]);
    workdir.refuses("get-checksum-for-many", &["get", "--checksum", &format!("sha256:{fine}"), &url, &url]);
    workdir.refuses("get-digest", &["get", &server.url("/digest")]);
    workdir.write("list", format!("{{\"url\": \"{url}\", \"size\": 5}}").as_bytes());
    workdir.refuses("get-size", &["get", "-i", "list"]);
    workdir.write("list", format!("{{\"url\": \"{url}\", \"sha256\": \"{zeros}\"}}").as_bytes());
    workdir.refuses("get-list-sha256", &["get", "-i", "list"]);
    workdir.write("list", format!("{{\"url\": \"{url}\", \"sha256\": \"abc\"}}").as_bytes());
    workdir.refuses("get-list-sha256-bad", &["get", "-i", "list"]);
}

#[test]
fn a_silent_server_times_out() {
    let workdir = Workdir::new();
    let server = Server::start(|_| Answer::never());
    workdir.refuses("get-timeout", &["get", "--retries", "0", "--read-timeout", "0.05", &server.url("/x")]);
}

#[test]
fn an_existing_output_is_left_as_it_is() {
    let workdir = Workdir::with_sealed(10);
    let server = Server::start(|_| Answer::ok("new"));
    workdir.write("x", b"precious");
    workdir.refuses("get-existing", &["get", "-o", "x", &server.url("/x")]);
    workdir.refuses("get-existing-in-dir", &["get", &server.url("/x")]);
    workdir.refuses("open-existing", &["open", "-i", "key.txt", "letter.age"]);
    assert_eq!(std::fs::read(workdir.path("x")).unwrap(), b"precious");
    assert!(server.requests().is_empty(), "a body that could not be stored is not requested");
}

#[test]
fn a_missing_file_and_a_wrong_identity() {
    let workdir = Workdir::with_sealed(10);
    std::fs::remove_file(workdir.path("letter")).unwrap();
    workdir.refuses("open-missing", &["open", "-i", "key.txt", "missing.age"]);
    workdir.refuses("open-no-suffix", &["open", "-i", "key.txt", "key.txt"]);
    workdir.run(&["keygen", "-o", "other.txt"]).expect_status(0);
    workdir.refuses("open-wrong-identity", &["open", "-i", "other.txt", "letter.age"]);
    workdir.write("pass", b"wrong horse\n");
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir());
    let haul = haul.env("HAUL_PASSPHRASE_FILE", workdir.path("pass"));
    check_golden(golden("open-wrong-way"), &haul.run(["open", "-p", "letter.age"]));
}

#[test]
fn damage_is_found_and_nothing_of_it_is_kept() {
    for bytes in [100_000, 5_000_000] {
        let workdir = Workdir::with_sealed(bytes);
        std::fs::remove_file(workdir.path("letter")).unwrap();
        let sealed = std::fs::read(workdir.path("letter.age")).unwrap();
        workdir.change("letter.age", |bytes| bytes[80_000] ^= 4);
        workdir.refuses(&format!("open-flipped-bit-{bytes}"), &["open", "-i", "key.txt", "letter.age"]);
        workdir.write("letter.age", &sealed[..90_000]);
        workdir.refuses("open-cut", &["open", "-i", "key.txt", "letter.age"]);
        workdir.write("letter.age", &sealed[..100]);
        workdir.refuses("open-cut-header", &["open", "-i", "key.txt", "letter.age"]);
        workdir.write("letter.age", b"hello");
        workdir.refuses("open-not-age", &["open", "-i", "key.txt", "letter.age"]);
    }
}

#[test]
fn the_other_tasks_go_on() {
    let workdir = Workdir::with_sealed(10);
    let recipient = workdir.run(&["keygen", "-y", "key.txt"]).stdout_text();
    for name in ["a", "b", "c"] {
        workdir.write(name, name.as_bytes());
    }
    let run = workdir.run(&["seal", "-r", recipient.trim(), "-e", "serial", "a", "missing", "b", "c"]);
    assert_eq!((run.status, run.stderr_text().lines().count()), (1, 2));
    for name in ["a", "b", "c"] {
        assert!(workdir.path(format!("{name}.age")).exists());
    }
    workdir.change("b.age", |bytes| *bytes.last_mut().unwrap() ^= 1);
    let run = workdir.run(&["open", "-i", "key.txt", "-o", "out", "a.age", "missing.age", "b.age", "c.age"]);
    assert_eq!(run.status, 4, "the highest of the codes that occurred: {}", run.stderr_text());
    assert_eq!(std::fs::read(workdir.path("out/a")).unwrap(), b"a");
    assert_eq!(std::fs::read(workdir.path("out/c")).unwrap(), b"c");
    assert!(!workdir.path("out/b").exists());

    let server = Server::start(|request| match request.path() {
        "/bad" => Answer::ok("hello").claim_length(10).close(),
        path => Answer::ok(path),
    });
    let (_held, address) = refused_address();
    let urls = [
        server.url("/one"),
        format!("http://{address}/refused"),
        "nonsense".to_owned(),
        server.url("/bad"),
        server.url("/two"),
        "http://no-such-host.invalid/unknown".to_owned(),
        server.url("/three"),
    ];
    workdir.write("list", urls.join("\n").as_bytes());
    let run = workdir.run(&["get", "--retries", "0", "-i", "list", "-d", "got"]);
    assert_eq!(run.status, 1);
    let errors =
        run.stderr_text().lines().filter(|line| line.starts_with("haul: error: cannot fetch")).count();
    assert_eq!(errors, 4, "{}", run.stderr_text());
    let mut got: Vec<_> = files_below(&workdir.path("got")).unwrap();
    got.sort();
    assert_eq!(got, ["one", "three", "two"].map(PathBuf::from));
}

#[test]
fn an_interrupted_run_leaves_no_half_files() {
    for signal in ["INT", "TERM"] {
        let workdir = Workdir::new();
        let body = seeded_bytes(1, 500_000);
        let gate = haul_testkit::Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match request.path() {
            "/done" => Answer::ok("done"),
            _ => Answer::ok(body.clone()).gate_at(300_000, &held),
        });
        let args = ["get".to_owned(), "-v".to_owned(), "-d".to_owned(), "got".to_owned()];
        let urls = (0..4).map(|index| server.url(&format!("/{index}"))).chain([server.url("/done")]);
        let running = workdir.haul.spawn(args.into_iter().chain(urls));
        gate.wait_reached(4);
        while !workdir.path("got/done").exists() {
            std::thread::yield_now();
        }
        if signal == "INT" {
            running.interrupt()
        } else {
            running.terminate()
        }
        let run = running.finish();
        assert_eq!(run.status, 130, "{}", run.stderr_text());
        assert_eq!(workdir.names(), ["got/done"], "{}", run.stderr_text());
        gate.open();
    }
}

#[test]
fn a_broken_pipe_ends_quietly() {
    let workdir = Workdir::new();
    let server = Server::start(|request| Answer::ok(request.path()));
    let list: Vec<_> = (0..500).map(|index| server.url(&format!("/{index}"))).collect();
    workdir.write("list", list.join("\n").as_bytes());
    let command = format!("{} get --json -i list -d got | head -n 1", env!("CARGO_BIN_EXE_haul"));
    let output =
        std::process::Command::new("sh").args(["-c", &command]).current_dir(workdir.dir()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_full_disk_has_its_own_code() {
    if !haul_testkit::is_root() {
        return haul_testkit::skip("only root can mount a small file system");
    }
    let workdir = Workdir::with_sealed(3_000_000);
    let small = workdir.path("small");
    std::fs::create_dir(&small).unwrap();
    let mount =
        |args: &[&str]| std::process::Command::new(args[0]).args(&args[1..]).arg(&small).status().unwrap();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"]).success() {
        return haul_testkit::skip("mounting is not permitted");
    }
    let server = Server::start(|_| Answer::ok(vec![7; 3_000_000]));
    let open = workdir.run(&["open", "-i", "key.txt", "-o", "small/letter", "letter.age"]);
    let get = workdir.run(&["get", "-o", "small/x", &server.url("/x")]);
    // The identity of a tree is the first that finds no room.
    let filler =
        std::fs::File::create(small.join("filler")).and_then(|mut file| file.write_all(&[1; 2 << 20]));
    assert_eq!(filler.map_err(|error| error.kind()).err(), Some(ErrorKind::StorageFull), "more fits");
    workdir.write("pass", b"correct horse");
    workdir.write("tree/note", b"Dear Ada");
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).env("HAUL_PASSPHRASE_FILE", "pass");
    let key = haul.run(["seal", "-p", "-o", "small/out", "tree"]);
    std::fs::remove_file(small.join("filler")).unwrap();
    let left = files_below(&small).unwrap();
    assert!(mount(&["umount"]).success());
    assert_eq!((open.status, get.status), (5, 5), "{} {}", open.stderr_text(), get.stderr_text());
    assert_eq!(key.status, 5, "{}", key.stderr_text());
    assert!(left.is_empty(), "{left:?}");
    check_golden(golden("no-space-open"), &open);
    check_golden(golden("no-space-get"), &get);
}

#[test]
fn a_file_size_limit_has_the_same_code() {
    let workdir = Workdir::with_sealed(3_000_000);
    let command =
        format!("ulimit -f 100; exec {} open -i key.txt -o out letter.age", env!("CARGO_BIN_EXE_haul"));
    let output = std::process::Command::new("bash")
        .args(["-c", &command])
        .current_dir(workdir.dir())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!workdir.path("out").exists());
}

#[test]
fn fail_fast_ends_the_run_at_the_first_failure() {
    let workdir = Workdir::new();
    let server = Server::start(|_| Answer::ok("x"));
    let mut urls = vec!["nonsense".to_owned()];
    urls.extend((0..2_000).map(|index| server.url(&format!("/{index}"))));
    workdir.write("list", urls.join("\n").as_bytes());
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).timeout(Duration::from_secs(30));
    let run = haul.run(["get", "-e", "serial", "--fail-fast", "-i", "list", "-d", "got"]);
    assert_eq!(run.status, 1);
    assert!(server.requests().len() < 2_000, "the rest was not fetched");
    assert!(run.stderr_text().contains("haul: given up: "), "{}", run.stderr_text());
}
