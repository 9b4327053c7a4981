//! What is said to people who mistype, misname and misremember: each has a golden file in `tests/golden/messages`.

use std::net::{Ipv4Addr, UdpSocket};

use haul_testkit::{Answer, Haul, Server, check_golden, is_root, peer, refused_address, skip};

use crate::workdir::{Workdir, golden};

const IDENTITY: &str = "AGE-SECRET-KEY-1EKUF83QQC3TNQE7RNYFHAYULCMD0K4H5UREZ0RJKNUFX7KG6AL5QUEUXCR";
const RECIPIENT: &str = "age1s9e9dlhw2lzmsavmrpda7ws55wwqjhejxhjkr8v08q35m203e9qqzy4xy6";

/// Runs `args` and checks that the golden file says what is said, and that no new file is left.
#[track_caller]
fn says(workdir: &Workdir, name: &str, args: &[&str]) {
    let before = workdir.names();
    let run = workdir.run(args).hide(RECIPIENT, "[RECIPIENT]");
    check_golden(golden(&format!("messages/{name}")), &run);
    assert_eq!(workdir.names(), before, "{name}: nothing is left behind");
}

/// A directory with an identity, its recipient, a plaintext and what is sealed to it.
fn with_keys() -> Workdir {
    let workdir = Workdir::new();
    workdir.write("key.txt", format!("# created: 2026-01-01T00:00:00Z\n{IDENTITY}\n"));
    workdir.write("recipients.txt", format!("{RECIPIENT}\n"));
    workdir.write("plain.txt", "hi\n");
    workdir.run(&["seal", "-q", "-r", RECIPIENT, "plain.txt"]).expect_status(0);
    // The file has bits for others, which is worth a warning of its own.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    for name in ["key.txt", "recipients.txt"] {
        std::fs::set_permissions(workdir.path(name), std::fs::Permissions::clone(&private)).unwrap();
    }
    workdir
}

#[test]
fn urls_and_lists_are_told_apart() {
    let workdir = Workdir::new();
    workdir.write("urls.txt", "http://localhost/\n");
    workdir.write("empty", "# nothing\n");
    workdir.write(
        "bad.txt",
        "\n  {\"url\": \"http://localhost/h\", \"out\": 5}\n{\"url\": \"http://localhost/h\", x}\n",
    );
    says(&workdir, "no-scheme", &["get", "example.org/file"]);
    says(&workdir, "no-scheme-port", &["get", "127.0.0.1:8801/f"]);
    says(&workdir, "list-as-url", &["get", "urls.txt"]);
    says(&workdir, "dash-as-url", &["get", "-"]);
    says(&workdir, "bad-list", &["get", "-q", "-i", "bad.txt"]);
    says(&workdir, "empty-list", &["get", "-i", "empty"]);
    says(&workdir, "url-as-command", &["http://localhost/f"]);
}

#[test]
fn places_are_named() {
    let workdir = with_keys();
    std::fs::create_dir(workdir.path("empty")).unwrap();
    let server = Server::start(|_| Answer::ok("fine"));
    let url = server.url("/f");
    says(&workdir, "output-is-directory", &["get", "-o", "empty", &url]);
    says(&workdir, "directory-is-file", &["get", "-d", "plain.txt", &url]);
    says(&workdir, "directory-in-proc", &["get", "-d", "/proc/nope", &url]);
    says(&workdir, "seal-into-proc", &["seal", "-r", RECIPIENT, "-o", "/proc/nope/x", "plain.txt"]);
    says(&workdir, "seal-tree-into-proc", &["seal", "-r", RECIPIENT, "-o", "/proc/nope", "empty"]);
    says(&workdir, "seal-twice", &["seal", "-r", RECIPIENT, "plain.txt"]);
    says(&workdir, "keygen-twice", &["keygen", "-o", "key.txt"]);
    says(&workdir, "same-name", &["get", "-q", "--dry-run", &server.url("/a/"), &server.url("/b/")]);
    for (name, args) in [
        ("open", &["open", "-i", "key.txt", "empty"][..]),
        ("seal", &["seal", "-r", RECIPIENT, "empty"]),
        ("verify", &["verify", "-i", "key.txt", "empty"]),
        ("inspect", &["inspect", "empty"]),
    ] {
        says(&workdir, &format!("nothing-to-{name}"), args);
    }
    // A slash at the end means a directory, which is made.
    workdir.run(&["get", "-o", "new/deep/", &url]).expect_status(0);
    workdir.run(&["seal", "-r", RECIPIENT, "-o", "sealed/", "plain.txt"]).expect_status(0);
    assert_eq!(workdir.read("new/deep/f"), b"fine");
    assert!(workdir.path("sealed/plain.txt.age").is_file());
}

#[test]
fn two_urls_with_one_name_are_told() {
    let workdir = Workdir::new();
    let server = Server::start(|_| Answer::ok("fine"));
    let run =
        workdir.run(&["get", "-j", "1", "-e", "serial", "-d", "d", &server.url("/a/"), &server.url("/b/")]);
    let err = run.expect_status(1).stderr_text();
    assert!(err.contains("another URL of this run has the file name \"d/index.html\""), "{err}");
    assert!(err.contains("--name path keeps the directories of URLs"), "{err}");
}

#[test]
fn keys_in_the_wrong_place_are_called_what_they_are() {
    let workdir = with_keys();
    workdir.write("pass", "right\n");
    workdir.write("wrong", "other\n");
    workdir.run(&["keygen", "-q", "-o", "other.txt"]).expect_status(0);
    let passphrase = |file: &str| {
        Haul::new(env!("CARGO_BIN_EXE_haul"))
            .dir(workdir.dir())
            .env("HAUL_PASSPHRASE_FILE", workdir.path(file))
    };
    passphrase("pass").run(["seal", "-q", "-p", "-o", "pass.age", "plain.txt"]).expect_status(0);
    let check = |name: &str, run: haul_testkit::Run| check_golden(golden(&format!("messages/{name}")), &run);
    check("wrong-passphrase", passphrase("wrong").run(["open", "-p", "-o", "x", "pass.age"]));
    check("passphrase-instead-of-identity", passphrase("pass").run(["verify", "-p", "plain.txt.age"]));
    says(&workdir, "identity-instead-of-passphrase", &["open", "-i", "key.txt", "-o", "x", "pass.age"]);
    says(
        &workdir,
        "identity-instead-of-passphrase-stream",
        &["open", "-i", "key.txt", "-o", "-", "pass.age"],
    );
    says(&workdir, "wrong-identity", &["open", "-i", "other.txt", "-o", "x", "plain.txt.age"]);
    says(&workdir, "identity-as-recipients", &["seal", "-R", "key.txt", "-o", "x", "plain.txt"]);
    says(&workdir, "recipients-as-identity", &["open", "-i", "recipients.txt", "-o", "x", "plain.txt.age"]);
    says(&workdir, "identity-file-as-recipient", &["seal", "-r", "key.txt", "-o", "x", "plain.txt"]);
    says(&workdir, "recipients-file-as-recipient", &["seal", "-r", "recipients.txt", "-o", "x", "plain.txt"]);
    says(&workdir, "recipient-as-identity", &["open", "-i", RECIPIENT, "-o", "x", "plain.txt.age"]);
    let from_stdin = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).stdin(format!("{IDENTITY}\n"));
    let run = from_stdin.run(["open", "-q", "-i", "-", "-o", "-", "plain.txt.age"]).expect_status(0);
    assert_eq!(run.stdout, b"hi\n");
}

/// Answers each question with "server failure", until it is asked for the name `end.`.
fn failing_name_server(socket: &UdpSocket) {
    let mut question = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut question) {
        if len < 12 || question[12..len].starts_with(b"\x03end\0") {
            return;
        }
        // An answer, recursion available, SERVFAIL; the question is repeated, without records.
        question[2..4].copy_from_slice(&[0x81, 0x82]);
        question[6..12].fill(0);
        let name_len = question[12..len].iter().position(|byte| *byte == 0).unwrap_or(0) + 1;
        let _ = socket.send_to(&question[..12 + name_len + 4], from);
    }
}

#[test]
fn a_failing_name_server_is_named() {
    if !is_root() {
        return skip("another resolv.conf takes root");
    }
    let Some(unshare) = peer("unshare") else { return };
    // Only port 53 can be named in resolv.conf, so each process has an address of its own.
    let [a, b] = (std::process::id() as u16).to_be_bytes();
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 54, a, b.max(1)), 53)).unwrap();
    let address = socket.local_addr().unwrap();
    let workdir = Workdir::new();
    workdir.write("resolv.conf", format!("nameserver {}\noptions timeout:5 attempts:1\n", address.ip()));
    let script = format!(
        "mount --bind resolv.conf /etc/resolv.conf && exec {} get --retries 0 http://files.example.org/f",
        env!("CARGO_BIN_EXE_haul")
    );
    let run = std::thread::scope(|scope| {
        scope.spawn(|| failing_name_server(&socket));
        let haul = Haul::new(unshare).dir(workdir.dir());
        let run = haul.run(["--mount", "--propagation", "private", "sh", "-c", &script]);
        let last = [&[0; 12][..], b"\x03end\0"].concat();
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(&last, address).unwrap();
        run
    });
    check_golden(golden("messages/name-server-fails"), &run.hide(env!("CARGO_BIN_EXE_haul"), "[HAUL]"));
}

#[test]
fn the_network_is_named() {
    let workdir = Workdir::new();
    let (_held, address) = refused_address();
    let dead = format!("http://{address}");
    let via = |variable: &str| Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).env(variable, &dead);
    let check = |name: &str, run: haul_testkit::Run| check_golden(golden(&format!("messages/{name}")), &run);
    check("dead-proxy-variable", via("http_proxy").run(["get", "--retries", "0", "http://example.org/"]));
    check("dead-proxy-all", via("ALL_PROXY").run(["get", "--retries", "0", "https://example.org/"]));
    says(&workdir, "dead-proxy", &["get", "--retries", "0", "--proxy", &dead, "http://example.org/"]);
    let unknown = ["get", "--retries", "0", "--proxy", "no-such-host.invalid", "http://example.org/"];
    says(&workdir, "unknown-proxy", &unknown);
    let server = Server::start(|request| match request.path() {
        "/loop" => Answer::redirect(302, "/loop"),
        _ => Answer::never(),
    });
    says(&workdir, "redirects", &["get", "--max-redirects", "3", &server.url("/loop")]);
    says(&workdir, "silence", &["get", "--retries", "0", "--read-timeout", "50ms", &server.url("/never")]);
    says(&workdir, "max-time", &["get", "--retries", "0", "--max-time", "50ms", &server.url("/never")]);
}

#[test]
fn words_of_other_programs_are_understood() {
    let workdir = Workdir::new();
    for word in ["encrypt", "decrypt", "download", "version", "fetch"] {
        says(&workdir, &format!("command-{word}"), &[word, "x"]);
    }
    says(&workdir, "command-unknown", &["frobnicate"]);
    says(&workdir, "curl-options", &["get", "-O", "-L", "-s", "http://localhost/f"]);
    says(&workdir, "curl-location", &["get", "-L", "http://localhost/f"]);
    says(&workdir, "curl-silent", &["get", "-s", "http://localhost/f"]);
    says(&workdir, "wget-options", &["get", "-q", "-O", "-", "http://localhost/f"]);
    says(&workdir, "age-decrypt", &["seal", "-d", "x"]);
    says(&workdir, "unknown-option", &["get", "--frobnicate", "http://localhost/f"]);
    // Works as people write it.
    says(&workdir, "options-before-command", &["-v", "--dry-run", "get", "http://localhost/f"]);
    says(&workdir, "last-option-wins", &["get", "--dry-run", "-j", "5", "-j", "6", "http://localhost/f"]);
    for (name, option, value) in [
        ("limit-rate", "--limit-rate", "1MB"),
        ("max-time", "--max-time", "5s"),
        ("max-size", "--max-size", "1.5G"),
    ] {
        says(&workdir, &format!("unit-{name}"), &["get", "--dry-run", option, value, "http://localhost/f"]);
    }
    says(&workdir, "unit-unknown", &["get", "--limit-rate", "1 parsec", "http://localhost/f"]);
    says(&workdir, "engine-form", &["get", "--engine", "hybrid=2", "http://localhost/f"]);
    says(&workdir, "engine-form-rings", &["get", "--engine", "uring=2x", "http://localhost/f"]);
}

#[test]
fn stdout_that_takes_nothing_is_an_error() {
    let workdir = with_keys();
    for (words, status) in [
        ("inspect plain.txt.age", 5),
        ("cat -i key.txt plain.txt.age", 5),
        ("seal -r $R -o - plain.txt", 5),
        ("--help", 5),
        ("get --help", 5),
        ("--version", 5),
        ("keygen -y key.txt", 5),
        ("get --dry-run http://localhost/", 5),
    ] {
        let words = words.replace("$R", RECIPIENT);
        let command = format!("exec {} {words} >/dev/full", env!("CARGO_BIN_EXE_haul"));
        let shell = || std::process::Command::new("sh");
        let full = shell().args(["-c", &command]).current_dir(workdir.dir()).output().unwrap();
        let err = String::from_utf8_lossy(&full.stderr).into_owned();
        assert_eq!(full.status.code(), Some(status), "{words}: {err}");
        assert!(err.contains("cannot write to stdout: No space left on device\n"), "{words}: {err}");
    }
}

#[test]
fn the_steps_of_attempts_are_shown_without_secrets() {
    let workdir = Workdir::new();
    let server = Server::start(|request| match request.path() {
        "/a" => Answer::redirect(302, "/b?sig=hush1"),
        _ => Answer::ok("fine").header("Set-Cookie", "sid=hush2").header("ETag", "\"1\""),
    });
    let url = server.url("/a?token=hush3").replace("http://", "http://me:hush4@");
    let options = ["-vv", "-H", "X-Key: hush5", "-H", "Cookie: hush6", "-o", "out"];
    let run = workdir.run(&[&["get"], &options[..], &[&url]].concat()).expect_status(0);
    let err = run.stderr_text();
    for part in [
        "127.0.0.1 * connected to 127.0.0.1:",
        "127.0.0.1 > GET /a?*** HTTP/1.1",
        "127.0.0.1 > GET /b?*** HTTP/1.1",
        "> Authorization: ***",
        "> X-Key: ***",
        "< HTTP/1.1 302 Found",
        "< location: /b?***",
        "< HTTP/1.1 200 OK",
        "< set-cookie: ***",
        "< etag: \"1\"",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
    // The user typed the query, which names the task.
    let shown = err.replace("/a?token=hush3", "");
    assert!(!shown.contains("hush"), "{err}");
    let run = workdir.run(&["get", "-v", "--force", "-o", "out", &url]).expect_status(0);
    assert!(!run.stderr_text().contains(" > "), "only with -vv: {}", run.stderr_text());
}
