//! Requests of `haul get`, and what it keeps of responses: a golden file for each refusal. `HAUL_BLESS=1` rewrites
//! them.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::workdir::{Workdir, golden};
use haul_testkit::{Answer, Gate, Server, peer, seeded_bytes};

#[test]
fn undecodable_bodies_are_not_kept() {
    let workdir = Workdir::new();
    let server = Server::start(|request| match request.path() {
        "/unknown-coding" => Answer::ok("x").header("Content-Encoding", "br, \"rot13\""),
        // An empty gzip member, followed by one byte.
        "/behind-coding" => Answer::ok(*b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0!")
            .header("Content-Encoding", "gzip"),
        _ => Answer::ok("plain").header("Content-Encoding", "zstd"),
    });
    for name in ["unknown-coding", "behind-coding", "not-zstd"] {
        workdir.refuses(&format!("get-{name}"), &["get", "--compressed", &server.url(&format!("/{name}"))]);
    }
    let run = workdir.run(&["get", "--compressed", "--no-compressed", "-o", "-", &server.url("/as-it-is")]);
    assert_eq!(run.expect_status(0).stdout, b"plain");
}

/// Echoes each request: method, Content-Type, Authorization, body.
fn echo() -> Server {
    Server::start(|request| {
        let field = |name| request.header(name).unwrap_or("-").to_owned();
        let body = String::from_utf8_lossy(&request.body);
        Answer::ok(format!("{} {} {} {body}", request.method, field("content-type"), field("authorization")))
    })
}

#[test]
fn requests_follow_the_options() {
    let workdir = Workdir::new();
    workdir.write("body", b"from a file");
    workdir.write("token", b"t0ken\n");
    workdir.write("logins", b"machine 127.0.0.1 login ada password \"s p\"");
    std::fs::write(workdir.haul.home().join(".netrc"), "default login home password x").unwrap();
    let server = echo();
    let form = "application/x-www-form-urlencoded";
    for (args, said) in [
        (vec!["-X", "DELETE"], "DELETE - - ".to_owned()),
        (vec!["--data", "a=b"], format!("POST {form} - a=b")),
        (vec!["-X", "PUT", "--data", "@body"], format!("PUT {form} - from a file")),
        (vec!["--data", "x", "-H", "Content-Type: text/plain"], "POST text/plain - x".to_owned()),
        (vec!["-u", "Aladdin:open sesame"], "GET - Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== ".to_owned()),
        (vec!["--bearer-file", "token"], "GET - Bearer t0ken ".to_owned()),
        (vec!["--netrc-file", "logins"], "GET - Basic YWRhOnMgcA== ".to_owned()),
        (vec!["--netrc"], "GET - Basic aG9tZTp4 ".to_owned()),
        (vec!["--netrc", "-H", "Authorization: Own"], "GET - Own ".to_owned()),
        (vec!["--data", "x", "-H", "Content-Type:"], "POST - - x".to_owned()),
        (vec!["--data", "x", "-H", "Content-Type;"], "POST  - x".to_owned()),
        (vec!["--netrc", "-H", "authorization: "], "GET - - ".to_owned()),
    ] {
        let url = server.url("/x");
        let args = [vec!["get", "-o", "-"], args, vec![&url]].concat();
        assert_eq!(workdir.run(&args).expect_status(0).stdout_text(), said, "{args:?}");
    }
    workdir.write("long", vec![b'x'; 300_000]);
    for engine in ["serial", "threads=2", "uring=1x4"] {
        let run = workdir.run(&["get", "-e", engine, "-o", "-", "--data", "@long", &server.url("/x")]);
        assert_eq!(
            run.expect_status(0).stdout_text().len(),
            format!("POST {form} - ").len() + 300_000,
            "{engine}"
        );
    }
    let haul = haul_testkit::Haul::new(env!("CARGO_BIN_EXE_haul")).stdin("from stdin");
    let run = haul.run(["get", "-o", "-", "--data", "@-", &server.url("/x")]).expect_status(0);
    assert_eq!(run.stdout_text(), format!("POST {form} - from stdin"));
}

#[test]
fn a_body_waits_for_100_continue() {
    let workdir = Workdir::new();
    let server =
        Server::builder().expectations(haul_testkit::Expectations::Refused).start(|request| {
            match (request.header("expect"), request.path()) {
                (Some("100-continue"), "/full") => Answer::new(413),
                (Some(_), _) => Answer::new(417),
                (None, _) => Answer::ok(request.body.clone()),
            }
        });
    let put = |path: &str| {
        let args = ["get", "-X", "PUT", "--data", "x", "-H", "Expect: 100-continue", "-o", "-"];
        workdir.run(&[&args[..], &[&server.url(path)]].concat())
    };
    assert!(put("/full").expect_status(1).stderr_text().contains("answered 413"));
    assert_eq!(put("/old").expect_status(0).stdout_text(), "x");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_list_has_methods_and_bodies_and_never_files_for_them() {
    let workdir = Workdir::new();
    workdir.write("secret", b"never sent");
    let server = echo();
    let (a, b, c) = (server.url("/a"), server.url("/b"), server.url("/c"));
    let list = format!(
        "{{\"url\":\"{a}\",\"method\":\"PUT\",\"body\":\"@secret\",\"headers\":{{\"content-type\":\"x/y\"}}}}\n\
         {b}\n{{\"url\":\"{c}\",\"method\":\"NO WAY\"}}\n"
    );
    workdir.write("list", list.as_bytes());
    let run = workdir.run(&["get", "-i", "list", "-d", "got", "--data", "common"]).expect_status(1);
    assert!(run.stderr_text().contains("\"NO WAY\" isn't a method for fetching"), "{}", run.stderr_text());
    assert_eq!(std::fs::read_to_string(workdir.path("got/a")).unwrap(), "PUT x/y - @secret");
    let form = "application/x-www-form-urlencoded";
    assert_eq!(std::fs::read_to_string(workdir.path("got/b")).unwrap(), format!("POST {form} - common"));
}

#[test]
fn invalid_requests_are_not_started() {
    let workdir = Workdir::new();
    workdir.write("token", b"two words");
    workdir.write("logins", b"machine a login b password secret stray");
    let url = "http://localhost/x";
    for (name, args) in [
        ("method", ["-X", "CONNECT"]),
        ("data-file", ["--data", "@missing"]),
        ("bearer", ["--bearer-file", "token"]),
        ("netrc", ["--netrc-file", "logins"]),
        ("user", ["-u", "a:b\nc"]),
        ("expectation", ["-H", "Expect: miracles"]),
    ] {
        workdir.refuses(&format!("get-bad-{name}"), &["get", args[0], args[1], url]);
    }
    workdir.refuses("get-two-logins", &["get", "-u", "a:b", "--netrc", url]);
    workdir.refuses("get-stdin-for-many", &["get", "--data", "@-", url, "http://localhost/y"]);
}

#[test]
fn proxies_come_from_options_and_the_environment() {
    let workdir = Workdir::new();
    let proxy = Server::start(|request| Answer::ok(format!("proxied {}", request.target)));
    let direct = Server::start(|_| Answer::ok("direct"));
    let address = proxy.address().to_string();
    let far = "http://one.invalid/x";
    let run = workdir.run(&["get", "-o", "-", "--proxy", &address, far]).expect_status(0);
    assert_eq!(run.stdout_text(), "proxied http://one.invalid/x");
    let haul = haul_testkit::Haul::new(env!("CARGO_BIN_EXE_haul")).env("all_proxy", &address);
    let haul = haul.env("no_proxy", "127.0.0.0/8");
    assert_eq!(
        haul.run(["get", "-o", "-", far]).expect_status(0).stdout_text(),
        "proxied http://one.invalid/x"
    );
    let near = direct.url("/x");
    assert_eq!(haul.run(["get", "-o", "-", &near]).expect_status(0).stdout_text(), "direct");
    let run = haul.run(["get", "-o", "-", "--noproxy", "x.invalid", &near]).expect_status(0);
    assert_eq!(run.stdout_text(), format!("proxied {near}"));
    let socks = haul_testkit::Socks::start(direct.address());
    let by_socks = format!("socks5h://{}", socks.address());
    let run = workdir.run(&["get", "-o", "-", "--proxy", &by_socks, far]).expect_status(0);
    assert_eq!((run.stdout_text().as_str(), socks.asked()), ("direct", vec!["one.invalid:80".to_owned()]));
    let bad = "gopher://me:hush@p";
    let run = workdir.run(&["get", "--proxy", bad, far]).hide(bad, "[PROXY]");
    haul_testkit::check_golden(golden("get-bad-proxy"), &run);
    assert!(!run.stderr_text().contains("[PROXY]"), "a password may be in it");
    let haul = haul_testkit::Haul::new(env!("CARGO_BIN_EXE_haul")).env("http_proxy", bad);
    haul_testkit::check_golden(golden("get-bad-proxy-variable"), &haul.run(["get", far]));
    for engine in ["serial", "threads=2", "uring=1x4"] {
        let run = workdir.run(&["get", "-e", engine, "-o", "-", "--proxy", &by_socks, far]);
        assert_eq!(run.expect_status(0).stdout_text(), "direct", "{engine}");
    }
    let origin_server = Server::builder().tls(haul_testkit::Tls::good()).start(|_| Answer::ok("secret"));
    let origin = origin_server.address();
    let secure = Server::builder().tls(haul_testkit::Tls::good()).start(move |request| {
        match request.method.as_str() {
            "CONNECT" => Answer::tunnel(origin),
            _ => Answer::ok(format!("passed on {}", request.target)),
        }
    });
    let by_tls = format!("https://{}", secure.address());
    for engine in ["serial", "threads=2", "uring=1x4"] {
        let run = workdir.run(&["get", "--insecure", "-e", engine, "-o", "-", "--proxy", &by_tls, far]);
        assert_eq!(run.expect_status(0).stdout_text(), "passed on http://one.invalid/x", "{engine}");
        let far = "https://one.invalid/x";
        let run = workdir.run(&["get", "--insecure", "-e", engine, "-o", "-", "--proxy", &by_tls, far]);
        assert_eq!(run.expect_status(0).stdout_text(), "secret", "{engine}");
    }
    let refusing = haul_testkit::Socks::refusing(5);
    let by_refusing = format!("socks5h://{}", refusing.address());
    workdir.refuses("get-proxy-refuses", &["get", "--retries", "0", "--proxy", &by_refusing, far]);
}

#[test]
fn resolve_overrides_dns() {
    let workdir = Workdir::new();
    let server = Server::start(|request| Answer::ok(request.header("host").unwrap_or_default()));
    let port = server.address().port();
    let url = format!("http://one.invalid:{port}/x");
    let said = format!("one.invalid:{port}:127.0.0.1");
    for family in ["-4", "--ipv4", "-q"] {
        let run = workdir.run(&["get", "-o", "-", "--resolve", &said, family, &url]).expect_status(0);
        assert_eq!(run.stdout_text(), format!("one.invalid:{port}"));
    }
    let run = workdir.run(&["get", "-6", "--resolve", &said, &url]).expect_status(1);
    assert!(run.stderr_text().contains("no address of the requested family"), "{}", run.stderr_text());
    workdir.refuses(
        "get-bad-resolve",
        &["get", "--resolve", "one.invalid:80:two.invalid", "http://one.invalid/"],
    );
}

#[test]
fn missing_certificates_and_sockets_are_reported() {
    let workdir = Workdir::new();
    let server = Server::builder().tls(haul_testkit::Tls::good()).start(|_| Answer::ok("x"));
    let url = server.url("/x");
    workdir.refuses("get-no-cert", &["get", "--insecure", "--cert", "missing", &url]);
    workdir.refuses("get-key-alone", &["get", "--key", "missing", &url]);
    workdir.refuses(
        "get-no-socket",
        &["get", "--retries", "0", "--unix-socket", "missing", "http://localhost/x"],
    );
    workdir.refuses("get-no-scheme", &["get", "example.org/file"]);
    workdir.refuses("get-no-scheme-port", &["get", "127.0.0.1:8801/f"]);
    // Answers whatever comes, as servers without TLS do.
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let https = format!("https://{}/x", plain.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut connection, _) = plain.accept().unwrap();
        std::io::Write::write_all(&mut connection, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        std::io::copy(&mut connection, &mut std::io::sink())
    });
    workdir.refuses("get-not-tls", &["get", "--retries", "0", &https]);
    let _ = answering.join().unwrap();
    workdir.refuses("get-dash", &["get", "-"]);
    workdir.refuses("get-bad-time", &["get", "--max-time", "5 weeks", "http://localhost/x"]);
    workdir.refuses("get-bad-speed", &["get", "--limit-rate", "fast", "http://localhost/x"]);
}

#[test]
fn compressed_bodies_are_complete_or_fetched_again() {
    let workdir = Workdir::new();
    // An empty gzip member.
    let empty = *b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";
    let is_whole = std::sync::atomic::AtomicBool::new(false);
    let server = Server::start(move |request| {
        let dated = |answer: Answer| {
            answer.header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT").header("ETag", "\"1\"")
        };
        if request.header("range").is_some() {
            assert_eq!(request.header("accept-encoding"), Some("identity"));
            return dated(Answer::new(416)).header("Content-Range", "bytes */0");
        }
        let coded = dated(Answer::ok(empty)).header("Content-Encoding", "gzip");
        if is_whole.swap(true, std::sync::atomic::Ordering::SeqCst) {
            coded
        } else {
            coded.cut_after(15, haul_testkit::End::Close)
        }
    });
    let url = server.url("/x");
    let run = || workdir.run(&["get", "-v", "-c", "--compressed", "--retries", "0", &url]);
    run().expect_status(1);
    assert!(workdir.names().is_empty(), "a decoded body is never resumed: {:?}", workdir.names());
    run().expect_status(0);
    assert_eq!(
        (workdir.names(), std::fs::read(workdir.path("x")).unwrap()),
        (vec!["x".to_owned()], Vec::new())
    );
    assert!(run().expect_status(0).stderr_text().contains("complete already"));
}

#[test]
fn a_large_file_comes_in_as_many_segments_as_asked() {
    const BYTES: usize = 4 << 20;
    // The options, and the number of requests that arrive before the first response.
    for (args, segments) in [
        (vec!["--segments", "4"], 4),
        (vec!["--segments", "3", "-e", "uring=1x8"], 3),
        (vec!["--segments", "8", "--per-host", "2"], 2),
        (vec!["--segments", "auto"], 1),
        (vec![], 1),
    ] {
        let workdir = Workdir::new();
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| {
            Answer::ranged(request, &seeded_bytes(3, BYTES), "\"1\"").gate_at(1_000, &held)
        });
        let url = server.url("/large");
        let args = [vec!["get", "-o", "large"], args, vec![&url]].concat();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| workdir.run(&args));
            server.wait_requests(segments);
            gate.open();
            running.join().unwrap().expect_status(0);
        });
        assert!(std::fs::read(workdir.path("large")).unwrap() == seeded_bytes(3, BYTES), "{args:?}");
        if segments == 1 {
            assert_eq!(server.requests().len(), 1, "{args:?}");
        }
    }
}

/// Runs another program. Returns its status and its output.
fn other(program: &Path, args: &[&str]) -> (i32, String) {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().expect("not killed"), said)
}

#[test]
fn only_text_is_shown_on_a_terminal() {
    let Some(script) = peer("script") else { return };
    let server = Server::start(|request| match request.path() {
        "/text" => Answer::ok("Dear Ada,\n"),
        "/late" => Answer::ok([vec![b'x'; 300_000], vec![0x1b]].concat()),
        _ => Answer::ok(*b"\x1b[2J\xff"),
    });
    let shown = |path: &str| {
        let line = format!("NO_COLOR=1 {} get -o - {}", env!("CARGO_BIN_EXE_haul"), server.url(path));
        other(&script, &["-qec", &line, "/dev/null"])
    };
    assert_eq!(shown("/text"), (0, "Dear Ada,\r\n".to_owned()), "and no line of progress");
    for path in ["/binary", "/late"] {
        let (status, said) = shown(path);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("haul: error: binary data isn't written to a terminal"), "{said:?}");
        assert!(!said.contains("cannot fetch") && !said.contains('\x1b'), "{said:?}");
    }
}

#[test]
fn stdout_has_one_use() {
    Workdir::new().refuses("get-json-to-stdout", &["get", "--json", "-o", "-", "http://localhost/x"]);
}

#[test]
fn a_closed_pipe_ends_the_run_quietly() {
    let server = Server::start(|_| Answer::ok(seeded_bytes(7, 3_000_000)));
    let line = format!("{} get -o - {} | head -c 5 | wc -c", env!("CARGO_BIN_EXE_haul"), server.url("/x"));
    let (status, said) = other(Path::new("bash"), &["-c", &line]);
    assert_eq!((status, said.trim()), (0, "5"));
}

#[test]
fn sizes_may_have_units() {
    let workdir = Workdir::new();
    let server = Server::start(|_| Answer::ok(seeded_bytes(7, 2_000)));
    workdir.run(&["get", "-o", "fits", "--max-size", "2k", &server.url("/x")]).expect_status(0);
    workdir.run(&["get", "-o", "too-long", "--max-size", "1k", &server.url("/x")]).expect_status(1);
    assert!(!workdir.path("too-long").exists());
}
