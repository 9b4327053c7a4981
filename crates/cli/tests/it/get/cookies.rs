//! The cookie file of `haul get`.

use std::os::unix::fs::{MetadataExt, symlink};

use crate::workdir::Workdir;
use haul_testkit::{Answer, Gate, Server, is_root, peer, skip};

/// Sets a cookie of each kind, and echoes the Cookie field.
fn server() -> Server {
    Server::start(|request| match request.path() {
        "/set" => Answer::ok("set")
            .header("Set-Cookie", "session=s3cret")
            .header("Set-Cookie", "kept=k3pt; Max-Age=86400; HttpOnly; Path=/"),
        "/moved" => Answer::redirect(302, "/said").header("Set-Cookie", "hop=h0p"),
        _ => Answer::ok(request.header("cookie").unwrap_or("none")),
    })
}

#[test]
fn one_run_leaves_its_cookies_to_the_next() {
    let (workdir, server) = (Workdir::new(), server());
    let run = workdir.run(&["get", "-vv", "--json", "--cookie-jar", "jar", "-d", "got", &server.url("/set")]);
    let talk = run.stdout_text() + &run.stderr_text();
    assert_eq!(run.status, 0, "{talk}");
    assert!(!talk.contains("s3cret") && !talk.contains("k3pt"), "{talk}");
    let file = std::fs::read_to_string(workdir.path("jar")).unwrap();
    let mut lines = file.lines();
    assert_eq!(lines.next(), Some("# Netscape HTTP Cookie File"));
    assert!(file.contains("\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\ts3cret\n"), "{file}");
    assert!(file.contains("\n#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t"), "{file}");
    assert_eq!(std::fs::metadata(workdir.path("jar")).unwrap().mode() & 0o777, 0o600);
    for (path, said) in
        [("/said", "session=s3cret; kept=k3pt"), ("/moved", "session=s3cret; kept=k3pt; hop=h0p")]
    {
        let run = workdir.run(&["get", "--cookie-jar", "jar", "-o", "-", &server.url(path)]);
        assert_eq!(run.expect_status(0).stdout_text(), said);
    }
    let run =
        workdir.run(&["get", "--cookie-jar", "jar", "-o", "-", "-H", "Cookie: own=x", &server.url("/said")]);
    assert_eq!(run.expect_status(0).stdout_text(), "own=x");
    let run = workdir.run(&["get", "-o", "-", &server.url("/said")]);
    assert_eq!(run.expect_status(0).stdout_text(), "none");
}

#[test]
fn the_file_is_replaced_atomically_and_stays_private() {
    let (workdir, server) = (Workdir::new(), server());
    std::fs::create_dir(workdir.path("kept")).unwrap();
    workdir.write("kept/jar", b"127.0.0.1\tFALSE\t/\tFALSE\t0\ta\tb\n");
    symlink("kept/jar", workdir.path("link")).unwrap();
    let before = std::fs::metadata(workdir.path("kept/jar")).unwrap();
    workdir.run(&["get", "--cookie-jar", "link", "-o", "x", &server.url("/set")]).expect_status(0);
    let after = std::fs::metadata(workdir.path("kept/jar")).unwrap();
    assert!(workdir.path("link").is_symlink() && before.ino() != after.ino());
    assert_eq!(after.mode() & 0o777, 0o600, "it was open to others before");
    assert!(std::fs::read_to_string(workdir.path("link")).unwrap().contains("\ta\tb\n"));
    // A run with failures keeps its cookies; a dry run changes nothing.
    let moved = [server.url("/moved"), "http://no-such-host.invalid/".to_owned()];
    workdir.run(&["get", "--cookie-jar", "link", "-d", "got", &moved[0], &moved[1]]).expect_status(1);
    assert!(std::fs::read_to_string(workdir.path("link")).unwrap().contains("\thop\th0p\n"));
    workdir.run(&["get", "--dry-run", "--cookie-jar", "none", &moved[0]]).expect_status(0);
    assert!(!workdir.path("none").exists());
}

#[test]
fn invalid_cookie_files_are_reported() {
    let workdir = Workdir::new();
    workdir.write("jar", b"# Netscape HTTP Cookie File\n\n127.0.0.1\tFALSE\t/\tFALSE\tsoon\ta\tsecret\n");
    std::fs::create_dir(workdir.path("dir")).unwrap();
    let url = "http://localhost/x";
    workdir.refuses("get-bad-cookies", &["get", "--cookie-jar", "jar", url]);
    workdir.refuses("get-cookies-in-nowhere", &["get", "--cookie-jar", "missing/jar", url]);
    workdir.refuses("get-cookies-in-directory", &["get", "--cookie-jar", "dir", url]);
    workdir.refuses("get-cookies-to-device", &["get", "--cookie-jar", "/dev/null", url]);
    if is_root() {
        return skip("root can write everywhere");
    }
    std::fs::set_permissions(workdir.path("dir"), std::os::unix::fs::PermissionsExt::from_mode(0o500))
        .unwrap();
    let run = workdir.run(&["get", "--cookie-jar", "dir/jar", url]).expect_status(2);
    assert!(run.stderr_text().contains("Permission denied"), "{}", run.stderr_text());
}

#[test]
fn curl_and_wget_read_and_write_the_same_file() {
    let (workdir, server) = (Workdir::new(), server());
    let (set, said) = (server.url("/set"), server.url("/said"));
    for (program, write, read) in [
        ("curl", &["-s", "-c", "jar", "-o", "x"][..], &["-s", "-b", "jar"][..]),
        (
            "wget",
            &["-q", "--save-cookies", "jar", "--keep-session-cookies", "-O", "x"],
            &["-q", "--load-cookies", "jar", "-O", "-"],
        ),
    ] {
        let Some(peer) = peer(program) else { continue };
        let run = |args: &[&str], url: &str| {
            let mut command = std::process::Command::new(&peer);
            let output = command.args(args).arg(url).current_dir(workdir.dir()).output().unwrap();
            assert!(output.status.success(), "{program} {args:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        run(write, &set);
        let ours = workdir.run(&["get", "--cookie-jar", "jar", "-o", "-", &said]).expect_status(0);
        let both = |text: &str| text.contains("session=s3cret") && text.contains("kept=k3pt");
        assert!(both(&ours.stdout_text()), "{program} wrote for {}", ours.stdout_text());
        std::fs::remove_file(workdir.path("jar")).unwrap();
        workdir.run(&["get", "--cookie-jar", "jar", "-d", program, &set]).expect_status(0);
        let theirs = run(read, &said);
        // wget treats HttpOnly cookies as comments.
        assert!(
            theirs.contains("session=s3cret") && (program == "wget" || both(&theirs)),
            "{program}: {theirs}"
        );
        std::fs::remove_file(workdir.path("jar")).unwrap();
    }
}

#[test]
fn two_runs_share_a_jar() {
    let workdir = Workdir::new();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/slow" => Answer::ok("x").header("Set-Cookie", "slow=1").gate_at_start(&held),
        _ => Answer::ok("x").header("Set-Cookie", "quick=1").header("Set-Cookie", "a=2"),
    });
    workdir.write("jar", b"127.0.0.1\tFALSE\t/\tFALSE\t0\ta\t1\n");
    let running = workdir.haul.spawn(["get", "--cookie-jar", "jar", "-o", "one", &server.url("/slow")]);
    gate.wait_reached(1);
    workdir.run(&["get", "--cookie-jar", "jar", "-o", "two", &server.url("/quick")]).expect_status(0);
    gate.open();
    running.finish().expect_status(0);
    let jar = std::fs::read_to_string(workdir.path("jar")).unwrap();
    assert!(["\tslow\t1", "\tquick\t1", "\ta\t2"].iter().all(|line| jar.contains(line)), "{jar}");
}
