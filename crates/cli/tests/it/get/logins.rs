//! Logins in URLs and netrc files: used for their origin, never shown.

use crate::workdir::Workdir;
use haul_testkit::{Answer, Gate, Haul, Server};

/// Echoes the login that it receives; `/away` redirects to `target`.
fn server(target: String) -> Server {
    Server::start(move |request| match request.path() {
        "/away" => Answer::redirect(302, &target),
        "/refused" => Answer::new(403),
        _ => Answer::ok(request.header("authorization").unwrap_or("none")),
    })
}

fn with_login(url: &str, login: &str) -> String {
    url.replacen("://", &format!("://{login}@"), 1)
}

#[test]
fn a_login_in_a_url_is_used_for_its_origin_and_never_shown() {
    let workdir = Workdir::new();
    let other = server(String::new());
    let server = server(other.url("/there"));
    for engine in ["serial", "threads=2", "uring=1x4"] {
        for (path, said) in [("/x", "Basic bWU6aHVzaC8x"), ("/away", "none")] {
            let url = with_login(&server.url(path), "me:hush%2F1");
            let run = workdir.run(&["get", "-e", engine, "-o", "-", &url]).expect_status(0);
            assert_eq!(run.stdout_text(), said, "{engine} {path}");
        }
    }
    let url = with_login(&server.url("/x"), "me:hush%2F1");
    for (args, said) in [(["-u", "you:pass"], "Basic bWU6aHVzaC8x"), (["-H", "Authorization: Own"], "Own")] {
        let run = workdir.run(&["get", "-o", "-", args[0], args[1], &url]).expect_status(0);
        assert_eq!(run.stdout_text(), said, "{args:?}");
    }
    let refused = with_login(&server.url("/refused"), "me:hush1");
    workdir.write(
        "list",
        format!("{refused}\n{{\"url\":\"{refused}\",\"out\":\"o\"}}\n{{\"url\":1,\"x\":\"{refused}\"}}\nme:hush@h/x\n\
                 {{\"url\":\"http://h/\",\"size\":\"{refused}\"}}\n")
            .as_bytes(),
    );
    for args in [
        &["-v", &refused][..],
        &["--json", &refused],
        &["--dry-run", &refused],
        &["--dry-run", "--json", "-i", "list"],
        &["-v", "--json", "-i", "list", "--failures", "failed"],
        &["me:hush@127.0.0.1/x"],
        &["http://me:hu/sh@127.0.0.1/x"],
        &["-v", "--json", "-d", "got", &url],
    ] {
        let run = workdir.run(&[&["get", "--retries", "0"], args].concat());
        let talk = run.stdout_text() + &run.stderr_text();
        assert!(
            !talk.contains("hush") && !talk.contains("hu/sh") && !talk.contains("aHVz"),
            "{args:?}: {talk}"
        );
    }
    let failed = std::fs::read_to_string(workdir.path("failed")).unwrap();
    assert!(!failed.contains("hush") && failed.contains(&server.url("/refused")), "{failed}");
}

#[test]
fn other_users_see_no_secret_in_the_list_of_processes() {
    let workdir = Workdir::new();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Answer::ok("x").gate_at_start(&held));
    let url = with_login(&server.url("/x"), "me:hush1");
    let proxy = format!("http://me:hush2@{}", server.address());
    let running = workdir.haul.spawn([
        "get",
        "-ume:hush3",
        "-H",
        "X-Token: hush4",
        "--proxy",
        &proxy,
        "-o",
        "x",
        "-v",
        &url,
    ]);
    gate.wait_reached(1);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", running.id())).unwrap();
    let shown = String::from_utf8_lossy(&arguments).replace('\0', " ");
    gate.open();
    running.finish().expect_status(0);
    assert!(!shown.contains("hush") && shown.contains("X-Token:") && shown.contains("-o x -v"), "{shown}");
}

#[test]
fn netrc_has_logins_for_hosts_that_redirects_lead_to() {
    let workdir = Workdir::new();
    let other = server(String::new());
    let there = other.url("/there").replace("127.0.0.1", "localhost");
    let server = server(there);
    workdir.write("logins", b"machine localhost login me password p\n");
    workdir.write("defaults", b"default login me password p\n");
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.path(".")).env("NETRC", "logins");
    let run = haul.run(["get", "-o", "-", "--netrc", &server.url("/away")]).expect_status(0);
    assert_eq!(run.stdout_text(), "Basic bWU6cA==");
    for (file, said) in [("logins", "Basic bWU6cA=="), ("defaults", "none")] {
        let run = workdir.run(&["get", "-o", "-", "--netrc-file", file, &server.url("/away")]);
        assert_eq!(run.expect_status(0).stdout_text(), said, "{file}");
    }
}
