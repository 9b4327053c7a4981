//! Fetching into sealed files: what is written, what opens it, and what reaches no disk.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::workdir::Workdir;
use haul_testkit::{Answer, End, Mount, Request, Server, peer, seeded_bytes, skip};

const ENGINES: [&str; 3] = ["serial", "threads=4", "uring=2x4"];
const CHUNK: usize = 64 * 1024;

/// A directory with the identity `key`, and its recipient.
fn workdir() -> (Workdir, String) {
    let workdir = Workdir::new();
    let recipient = workdir.run(&["keygen", "-o", "key"]).expect_status(0).stdout_text().trim().to_owned();
    (workdir, recipient)
}

fn body(path: &str) -> Vec<u8> {
    let bytes: usize = path.trim_start_matches('/').parse().unwrap();
    seeded_bytes(bytes as u64, bytes)
}

/// A server with a body of so many bytes at each path.
fn server() -> Server {
    Server::start(|request| match request.header("range") {
        Some(_) => Answer::ranged(request, &body(request.path()), "\"1\""),
        None => Answer::ok(body(request.path())).header("ETag", "\"1\"").header("Accept-Ranges", "bytes"),
    })
}

#[test]
fn what_every_engine_fetches_age_opens() {
    let server = server();
    let lengths = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 500_000];
    for engine in ENGINES {
        let (workdir, recipient) = workdir();
        let urls: Vec<_> = lengths.iter().map(|bytes| server.url(&format!("/{bytes}"))).collect();
        workdir.write("urls", urls.join("\n"));
        let get = ["get", "-e", engine, "-r", &recipient, "-i", "urls", "-d", "vault"];
        workdir.run(&get).expect_status(0);
        workdir.run(&["open", "-i", "key", "vault", "-o", "plain"]).expect_status(0);
        for bytes in lengths {
            assert_eq!(workdir.read(format!("plain/{bytes}")), body(&bytes.to_string()), "{engine}");
            for program in ["age", "rage"] {
                let Some(program) = peer(program) else { continue };
                let sealed = workdir.path(format!("vault/{bytes}.age"));
                let output =
                    Command::new(program).args(["-d", "-i"]).arg(workdir.path("key")).arg(sealed).output();
                assert_eq!(output.unwrap().stdout, body(&bytes.to_string()), "{engine}");
            }
        }
    }
}

#[test]
fn segments_streams_and_armor_are_sealed() {
    let server = server();
    let (workdir, recipient) = workdir();
    let url = server.url("/700000");
    for engine in ENGINES {
        let get = |args: &[&str]| {
            let args = [&["get", "--force", "-e", engine, "-r", &recipient], args].concat();
            workdir.run(&args).expect_status(0).stdout
        };
        get(&["--segments", "4", &url]);
        workdir.run(&["open", "--force", "-i", "key", "700000.age"]).expect_status(0);
        assert_eq!(workdir.read("700000"), body("700000"), "{engine}");
        for (args, opener) in [(&[&*url, "-o", "-"][..], "binary"), (&[&url, "-a", "-o", "-"], "armored")] {
            workdir.write("stream.age", get(args));
            workdir.run(&["open", "--force", "-i", "key", "stream.age"]).expect_status(0);
            assert_eq!(workdir.read("stream"), body("700000"), "{engine}, {opener}");
        }
        get(&["-a", &url, "-o", "text.age"]);
        assert!(workdir.read("text.age").starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));
    }
}

#[test]
fn a_passphrase_protects_the_directory_and_continues_what_it_began() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::ok(body("300000")).header("ETag", "\"1\"").cut_after(200_000, End::Close),
        _ => Answer::ranged(request, &body("300000"), "\"1\""),
    });
    let (workdir, _) = workdir();
    workdir.write("passphrase", "correct horse battery staple\n");
    let haul = |args: &[&str], status| {
        let haul = haul_testkit::Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir());
        haul.env("HAUL_PASSPHRASE_FILE", "passphrase").run(args).expect_status(status)
    };
    let url = server.url("/300000");
    haul(&["get", "-p", "-c", "--retries", "0", "-d", "vault", &url], 1);
    assert!(workdir.names().contains(&"vault/haul-identity.age".to_owned()));
    haul(&["get", "-p", "-c", "-d", "vault", &url], 0);
    assert_eq!(server.requests()[1].header("range"), Some("bytes=196608-"));
    haul(&["open", "-p", "vault", "-o", "plain"], 0);
    assert_eq!(workdir.read("plain/300000"), body("300000"));
}

#[test]
fn without_an_identity_a_partial_file_starts_over_and_with_one_it_is_continued() {
    for (with_identity, range) in [(false, None), (true, Some("bytes=196608-"))] {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::ok(body("300000")).header("ETag", "\"1\"").cut_after(200_000, End::Close),
            _ => Answer::ranged(request, &body("300000"), "\"1\""),
        });
        let (workdir, recipient) = workdir();
        let url = server.url("/300000");
        let get = ["get", "-c", "-r", &recipient, "--retries", "0", &url];
        workdir.run(&get).expect_status(1);
        let identity: &[&str] = if with_identity { &["--identity", "key"] } else { &[] };
        let run = workdir.run(&[&get, identity].concat()).expect_status(0);
        assert_eq!(run.stderr_text().contains("no identity opens"), !with_identity, "{}", run.stderr_text());
        assert_eq!(server.requests()[1].header("range"), range);
        assert_eq!(workdir.names(), ["300000.age", "key"]);
        workdir.run(&["open", "-i", "key", "300000.age"]).expect_status(0);
        assert_eq!(workdir.read("300000"), body("300000"));
    }
}

#[test]
fn names_of_servers_and_lists_get_the_suffix_once() {
    let server =
        Server::start(|_| Answer::ok("x").header("Content-Disposition", "attachment; filename=named"));
    let (workdir, recipient) = workdir();
    let item = |name: &str| format!("{{\"url\":\"{}\",\"out\":\"{name}\"}}\n", server.url("/x"));
    workdir.write("list", [item("a"), item("b.age"), item("d/haul-identity.age")].concat());
    workdir.run(&["get", "-r", &recipient, "-i", "list"]).expect_status(0);
    workdir.run(&["get", "-r", &recipient, "--name", "disposition", &server.url("/x")]).expect_status(0);
    workdir.run(&["get", "-r", &recipient, "-o", "exact", &server.url("/x")]).expect_status(0);
    let names = ["a.age", "b.age", "d/_haul-identity.age", "exact", "key", "list", "named.age"];
    assert_eq!(workdir.names(), names);
}

#[test]
fn options_of_sealing_that_do_not_fit_are_refused() {
    let (workdir, recipient) = workdir();
    for (args, message) in [
        (&["--identity", "key"][..], "--armor and --identity are for results that are sealed"),
        (&["-a"], "--armor and --identity are for results that are sealed"),
        (&["--pq", "-r", &recipient], "--pq concerns the identity that a passphrase protects"),
        (&["-r", "age1nothing"], "the recipient \"age1nothing\" is"),
        (&["-R", "none"], "cannot open recipients file \"none\""),
        (&["-a", "-c", "-r", &recipient], "cannot be used with"),
    ] {
        let run = workdir.run(&[&["get", "http://127.0.0.1:1/"], args].concat());
        assert_eq!(run.status, 2, "{args:?}");
        assert!(run.stderr_text().contains(message), "{args:?}: {}", run.stderr_text());
    }
    assert_eq!(workdir.names(), ["key"]);
}

/// Texts that a run in which they occur must write nowhere.
const MARKERS: [&str; 6] = [
    "marker-in-body-5ee1",
    "marker-in-path-5ee1",
    "marker-in-query-5ee1",
    "marker-in-field-5ee1",
    "marker-in-answer-5ee1",
    "marker-in-login-5ee1",
];

/// A server whose bodies are full of the marker, and which breaks some connections.
fn marked_server() -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |request: &Request| {
        let body =
            format!("{} ", MARKERS[0]).repeat(if request.path().ends_with("large") { 40_000 } else { 3 });
        let answer = match request.header("range") {
            Some(_) => Answer::ranged(request, body.as_bytes(), "\"1\""),
            None => Answer::ok(body).header("ETag", "\"1\"").header("Accept-Ranges", "bytes"),
        };
        let answer = answer.header("X-Answer", MARKERS[4]);
        if count.fetch_add(1, Ordering::SeqCst) % 5 == 2 {
            answer.cut_after(200_000, End::Close)
        } else {
            answer
        }
    })
}

/// The options and the list of a run with all markers.
fn marked_run(workdir: &Workdir, server: &Server, recipient: &str, engine: &str, dir: &Path) -> Vec<String> {
    let login = format!("http://me:{}@{}", MARKERS[5], server.address());
    let urls: Vec<_> = ["small", "other", "large"]
        .iter()
        .map(|name| format!("{login}/{}/{name}?token={}", MARKERS[1], MARKERS[2]))
        .collect();
    workdir.write("list", urls.join("\n"));
    let field = format!("X-Secret: {}", MARKERS[3]);
    let dir = dir.to_str().unwrap();
    let args = ["get", "-e", engine, "-r", recipient, "-i", "list", "-d", dir, "-H", &field, "--json"];
    args.map(str::to_owned).to_vec()
}

fn assert_unmarked(bytes: &[u8], what: &str) {
    for marker in MARKERS {
        let found = bytes.windows(marker.len()).position(|window| window == marker.as_bytes());
        assert_eq!(found, None, "{marker} in {what}");
    }
}

#[test]
fn nothing_of_a_sealed_run_reaches_the_disk_in_plain() {
    for engine in ENGINES {
        let Some(mount) = Mount::image(&["mkfs.ext4", "-q"], 32) else { return };
        let (workdir, recipient) = workdir();
        let server = marked_server();
        for mode in [&[][..], &["-c"], &["--sync"], &["--segments", "4"]] {
            let dir = mount.path().join(format!("d{}", mode.len() + mode.concat().len()));
            let mut args = marked_run(&workdir, &server, &recipient, engine, &dir);
            args.extend(mode.iter().map(|&arg| arg.to_owned()));
            let run = workdir.haul.run(&args).expect_status(0);
            // The path is shown, as the user must be able to tell what was fetched.
            let shown =
                run.stdout_text().replace(MARKERS[1], "") + &run.stderr_text().replace(MARKERS[1], "");
            assert_unmarked(shown.as_bytes(), "what was printed");
        }
        // Blocks that were freed count too.
        rustix::fs::sync();
        for marker in MARKERS {
            let grep = ["-a", "-F", "-q", marker];
            let status = Command::new("grep").args(grep).arg(mount.image_path()).status().unwrap();
            assert_eq!(status.code(), Some(1), "{marker} in the file system, {engine}");
        }
    }
}

#[test]
fn no_call_writes_what_a_sealed_run_fetches() {
    let Some(strace) = peer("strace") else { return };
    let (workdir, recipient) = workdir();
    let server = marked_server();
    let (dir, trace) = (workdir.path("vault"), workdir.path("trace"));
    let mut args = marked_run(&workdir, &server, &recipient, "threads=4", &dir);
    args.push("-c".to_owned());
    let calls = "trace=write,pwrite64,writev,pwritev,pwritev2,openat,open,link,linkat,rename,renameat,renameat2,\
                 symlink,symlinkat,setxattr,fsetxattr,mkdir,mkdirat";
    let traced = Command::new(strace)
        .args(["-f", "-q", "-s", "100000000", "-e", calls, "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_haul"))
        .args(&args)
        .current_dir(workdir.dir())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    if !traced.success() && !dir.exists() {
        return skip("tracing is not permitted");
    }
    assert!(traced.success());
    let trace = std::fs::read(&trace).unwrap();
    assert!(trace.windows(7).any(|window| window == b"pwrite6"), "writes are seen");
    // Requests carry the path and the rest to the server, by other calls; stdout has the path.
    let lines = trace.split(|byte| *byte == b'\n');
    let files: Vec<u8> = lines.filter(|line| !is_output(line)).collect::<Vec<_>>().join(&b'\n');
    assert_unmarked(&files, "a call");
}

/// Whether a traced call writes to stdout or stderr.
fn is_output(line: &[u8]) -> bool {
    [b"write(1,".as_slice(), b"write(2,"].iter().any(|call| line.windows(8).any(|window| window == *call))
}
