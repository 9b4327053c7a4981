//! The main commands, against nginx and age where they are installed.

use std::path::Path;
use std::process::Command;

use haul_testkit::{Answer, Gate, Haul, Nginx, Server, Tree, assert_same, files_below, peer, seeded_bytes};

fn haul(dir: &Path) -> Haul {
    Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir)
}

fn keygen(haul: &Haul) -> String {
    haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned()
}

#[test]
fn a_thousand_urls_from_nginx_into_files_sealed_and_opened() {
    let dir = tempfile::tempdir().unwrap();
    let served = dir.path().join("served");
    let paths = Tree::seeded(1).files(1_000).sizes(1..=60_000).depth(1).write(&served).unwrap();
    let Some(nginx) = Nginx::start(&served) else { return };
    let urls: Vec<_> = paths
        .iter()
        .map(|path| {
            let path = path.strip_prefix(&served).unwrap_or(path);
            format!(
                "{{\"url\": \"{}\", \"out\": \"{}\"}}",
                nginx.url(&format!("/{}", path.display())),
                path.display()
            )
        })
        .collect();
    std::fs::write(dir.path().join("list"), urls.join("\n")).unwrap();
    let haul = haul(dir.path());
    for engine in ["auto", "serial", "threads=3", "uring=1x64", "uring=2x8"] {
        let got = dir.path().join(format!("got-{engine}"));
        haul.run(["get", "-e", engine, "-i", "list", "-d", &got.to_string_lossy()]).expect_status(0);
        assert_same(&served, &got);
    }
    let recipient = keygen(&haul);
    for engine in ["auto", "serial", "uring=2x16", "processes=3", "hybrid=2x2"] {
        let (sealed, opened) = (format!("sealed-{engine}"), format!("opened-{engine}"));
        haul.run(["seal", "-e", engine, "-r", &recipient, "-o", &sealed, "got-auto"]).expect_status(0);
        haul.run(["open", "-e", engine, "-i", "key.txt", "-o", &opened, &sealed]).expect_status(0);
        assert_same(&served, &dir.path().join(&opened));
    }
}

#[test]
fn the_age_program_opens_what_haul_seals_and_the_reverse() {
    let Some(age) = peer("age") else { return };
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    let recipient = keygen(&haul);
    let run_age = |args: &[&str]| {
        let output = Command::new(&age).args(args).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "age {args:?}");
        output.stdout
    };
    for (index, bytes) in [0, 1, 65_535, 65_536, 65_537, 10 << 20].into_iter().enumerate() {
        let name = format!("f{index}");
        std::fs::write(dir.path().join(&name), seeded_bytes(index as u64, bytes)).unwrap();
        let plain = std::fs::read(dir.path().join(&name)).unwrap();
        haul.run(["seal", "-r", &recipient, &name]).expect_status(0);
        assert!(run_age(&["-d", "-i", "key.txt", &format!("{name}.age")]) == plain, "{bytes} bytes, by age");
        run_age(&["-r", &recipient, "-o", &format!("{name}.theirs.age"), &name]);
        haul.run(["open", "-i", "key.txt", &format!("{name}.theirs.age")]).expect_status(0);
        assert!(
            std::fs::read(dir.path().join(format!("{name}.theirs"))).unwrap() == plain,
            "{bytes} bytes, by haul"
        );
    }
}

#[test]
fn passphrases_come_from_scripts_without_argv() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pass"), "correct horse\n").unwrap();
    std::fs::write(dir.path().join("letter"), "Dear Ada").unwrap();
    let haul = haul(dir.path()).env("HAUL_PASSPHRASE_FILE", dir.path().join("pass"));
    haul.run(["seal", "-p", "letter"]).expect_status(0);
    haul.run(["open", "-p", "-o", "copy", "letter.age"]).expect_status(0);
    assert_eq!(std::fs::read(dir.path().join("copy")).unwrap(), b"Dear Ada");
    std::fs::write(dir.path().join("pass"), "wrong horse\n").unwrap();
    haul.run(["open", "-p", "-o", "copy2", "letter.age"]).expect_status(3);
    let command = format!(
        "{} open --passphrase-fd 3 -o copy3 letter.age 3<<< 'correct horse'",
        env!("CARGO_BIN_EXE_haul")
    );
    let status = Command::new("bash").args(["-c", &command]).current_dir(dir.path()).status().unwrap();
    assert!(status.success());
}

#[test]
fn key_files_are_private_and_tell_their_recipient() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    let recipient = keygen(&haul);
    let path = dir.path().join("key.txt");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(&format!("# public key: {recipient}\nAGE-SECRET-KEY-1")));
    assert_eq!(haul.run(["keygen", "-y", "key.txt"]).expect_status(0).stdout_text().trim(), recipient);
    assert!(haul.run(["keygen"]).expect_status(0).stdout_text().contains("\nAGE-SECRET-KEY-1"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(dir.path().join("letter"), "x").unwrap();
    haul.run(["seal", "-r", &recipient, "letter"]).expect_status(0);
    let run = haul.run(["open", "-i", "key.txt", "-o", "copy", "letter.age"]).expect_status(0);
    let warning = "haul: warning: identity file \"key.txt\" can be read by others\n";
    let result = "haul: \"letter.age\" -> \"copy\", 1 B in ";
    assert!(run.stderr_text().starts_with(&format!("{warning}{result}")), "{}", run.stderr_text());
    assert_eq!(haul.run(["open", "-q", "-i", "key.txt", "-o", "copy2", "letter.age"]).stderr_text(), "");
    std::fs::write(dir.path().join("friends"), format!("# friends\n\n{recipient}\n")).unwrap();
    haul.run(["seal", "-R", "friends", "-o", "second.age", "letter"]).expect_status(0);
}

#[test]
fn json_lines_tell_of_every_task_and_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request| match request.path() {
        "/bad" => Answer::new(500),
        path => Answer::ok(path),
    });
    let args = ["get", "-q", "--json", "--retries", "1", "-d", "got"].map(str::to_owned);
    let run = haul(dir.path()).run(args.into_iter().chain([server.url("/a"), server.url("/bad")]));
    assert_eq!(run.status, 1);
    let lines: Vec<serde_json::Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    let done = lines.iter().find(|line| line["event"] == "done").unwrap();
    assert_eq!((done["status"].as_u64(), done["bytes"].as_u64()), (Some(200), Some(2)));
    assert_eq!(done["target"], "got/a");
    let failed = lines.iter().find(|line| line["event"] == "failed").unwrap();
    assert!(failed["error"].as_str().unwrap().contains("500"));
    assert_eq!((failed["status"].as_u64(), failed["attempts"].as_u64()), (Some(500), Some(2)));
    assert_eq!((done["attempts"].as_u64(), done["tls_us"].as_u64()), (Some(1), Some(0)));
    assert!(done["head_us"].as_u64().unwrap() > 0);
    let report = lines.last().unwrap();
    assert_eq!((report["event"].as_str(), report["exit"].as_u64()), (Some("report"), Some(1)));
    assert_eq!((report["succeeded"].as_u64(), report["failed"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn a_killed_run_is_resumed_and_complete_files_are_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let body = seeded_bytes(3, 900_000);
    let (served, gate) = (body.clone(), Gate::new());
    let held = gate.clone();
    let server = Server::start(move |request| match request.header("range") {
        None => Answer::ok(served.clone()).header("ETag", "\"1\"").gate_at(500_000, &held),
        Some(_) => Answer::ranged(request, &served, "\"1\""),
    });
    let (haul, url) = (haul(dir.path()), server.url("/x"));
    let running = haul.spawn(["get", "-c", &url]);
    gate.wait_reached(1);
    // Wait until the bytes before the gate are in the file.
    let part = dir.path().join("x.haul-part");
    while part.metadata().map_or(0, |metadata| metadata.len()) < 300_000 {
        std::thread::yield_now();
    }
    running.kill();
    running.finish();
    gate.open();
    assert!(!dir.path().join("x").exists());
    let sum = Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut sum = sum.unwrap();
    std::io::Write::write_all(&mut sum.stdin.take().unwrap(), &body).unwrap();
    let sum = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    let checksum = format!("sha256:{}", sum.split(' ').next().unwrap());
    let run = haul.run(["get", "-c", "--json", "--checksum", &checksum, &url]).expect_status(0);
    assert!(run.stdout_text().contains(&format!("\"hash\":\"{checksum}\"")), "{}", run.stdout_text());
    assert!(std::fs::read(dir.path().join("x")).unwrap() == body);
    assert_eq!(files_below(dir.path()).unwrap(), [Path::new("x")]);
    let first: u64 =
        server.requests()[1].header("range").unwrap()[6..].trim_end_matches('-').parse().unwrap();
    assert!((300_000..=500_000).contains(&first), "{first}");
    let again = haul.run(["get", "-c", "-v", "--checksum", &checksum, &url]).expect_status(0);
    assert!(again.stderr_text().contains("complete already"), "{}", again.stderr_text());
    std::fs::write(dir.path().join("x"), "something else").unwrap();
    haul.run(["get", "-c", &url]).expect_status(1);
    assert_eq!(std::fs::read(dir.path().join("x")).unwrap(), b"something else");
}

#[test]
fn a_dry_run_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    let recipient = keygen(&haul);
    std::fs::write(dir.path().join("a"), "x").unwrap();
    let run = haul.run(["seal", "--dry-run", "-r", &recipient, "a"]).expect_status(0);
    assert_eq!(run.stdout_text(), "seal \"a\" -> \"a.age\"\n");
    let run = haul.run(["get", "--dry-run", "-d", "got", "http://localhost:1/x/y"]).expect_status(0);
    assert_eq!(run.stdout_text(), "fetch \"http://localhost:1/x/y\" -> \"got/y\"\n");
    let urls = ["http://localhost:1/x/y", "nonsense"];
    let run = haul.run(["get", "--dry-run", "--json", "-d", "got", urls[0], urls[1]]).expect_status(1);
    let told: Vec<serde_json::Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let planned =
        serde_json::json!({ "event": "planned", "verb": "fetch", "subject": urls[0], "target": "got/y" });
    assert_eq!(told[0], planned);
    assert_eq!((&told[1]["event"], &told[1]["subject"]), (&"failed".into(), &urls[1].into()));
    let report = serde_json::json!({
        "event": "report", "version": 1, "planned": 1, "skipped": 0, "failed": 1, "left_out": 0,
        "excluded": 0, "exit": 1,
    });
    assert_eq!(told[2..], [report]);
    let run = haul.run(["seal", "--dry-run", "--json", "-r", &recipient, "a"]).expect_status(0);
    assert!(run.stdout_text().contains("\"target\":\"a.age\""), "{}", run.stdout_text());
    assert_eq!(files_below(dir.path()).unwrap().len(), 2);
}

#[test]
fn a_list_may_come_slowly_and_two_urls_never_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|request| Answer::ok(request.path()));
    let list = format!("{}\n# again\n{}\n", server.url("/x/same"), server.url("/y/same"));
    let run = haul(dir.path()).stdin(list.clone()).run(["get", "-e", "serial", "-i", "-"]);
    assert_eq!(run.status, 1);
    assert_eq!(std::fs::read(dir.path().join("same")).unwrap(), b"/x/same");
    haul(dir.path()).stdin(list).run(["get", "--name", "path", "-i", "-"]).expect_status(0);
    let host = server.address().ip().to_string();
    assert_eq!(std::fs::read(dir.path().join(host).join("y/same")).unwrap(), b"/y/same");
}

#[test]
fn the_demo_succeeds_and_removes_everything() {
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    let run = haul.run(["demo", "--files", "40", "--delay", "5"]).expect_status(0);
    let text = run.stdout_text();
    for line in ["fetch, one by one", "fetch, many at once", "seal what was fetched", "every byte verified"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(files_below(haul.home()).unwrap().is_empty(), "TMPDIR is empty again");
}

#[test]
fn stats_say_where_the_time_went() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_| Answer::ok("x"));
    let run = haul(dir.path()).run(["get", "--stats", &server.url("/x")]).expect_status(0);
    for word in [
        "queue",
        "device",
        "executor",
        "compute",
        "p50",
        "p99",
        "cpu",
        "user",
        "system",
        "context switches",
        "cores",
    ] {
        assert!(run.stderr_text().contains(word), "{}", run.stderr_text());
    }
}

#[test]
fn xor_twice_restores_every_byte_on_every_engine() {
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    std::fs::write(dir.path().join("key"), seeded_bytes(5, 333)).unwrap();
    let (plain, work) = (dir.path().join("plain"), dir.path().join("work"));
    for workdir in [&plain, &work] {
        Tree::seeded(3).files(40).sizes(0..=60_000).depth(2).write(workdir).unwrap();
        std::fs::write(workdir.join("large"), seeded_bytes(6, 5_000_001)).unwrap();
    }
    for engine in ["serial", "threads=3", "processes=3", "hybrid=2x2", "uring=2x16"] {
        for mode in [["--durable", "never"].as_slice(), &["--durable", "auto"], &["--overwrite"]] {
            let args = ["xor", "-e", engine, "--key-file", "key"];
            let args = || args.iter().chain(mode).chain(&["work"]);
            let run = haul.run(args()).expect_status(0);
            assert!(
                run.stderr_text().starts_with("haul: warning: XOR with a repeating key is not encryption\n")
            );
            let large = std::fs::read(work.join("large")).unwrap();
            let expected: Vec<u8> = seeded_bytes(6, 5_000_001)
                .iter()
                .zip(seeded_bytes(5, 333).iter().cycle())
                .map(|(byte, key)| byte ^ key)
                .collect();
            assert!(large == expected, "{engine} {mode:?}");
            haul.run(args()).expect_status(0);
            assert_same(&plain, &work);
        }
    }
}

#[test]
fn trees_are_filtered_and_links_follow_the_options() {
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    let recipient = keygen(&haul);
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("sub/cache")).unwrap();
    for name in ["a.txt", "b.jpg", "sub/c.txt", "sub/cache/d.txt"] {
        std::fs::write(tree.join(name), name).unwrap();
    }
    std::os::unix::fs::symlink("sub", tree.join("link")).unwrap();
    std::os::unix::fs::symlink("..", tree.join("sub/up")).unwrap();
    let sealed = |options: &[&str], status: i32| {
        let output = dir.path().join("out");
        let args = ["seal", "-r", &recipient, "-o", "out", "tree"];
        haul.run(args.iter().chain(options)).expect_status(status);
        let names = files_below(&output).unwrap();
        std::fs::remove_dir_all(output).unwrap();
        names
            .iter()
            .map(|name| name.to_string_lossy().trim_end_matches(".age").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(sealed(&[], 0), ["a.txt", "b.jpg", "sub/c.txt", "sub/cache/d.txt"]);
    assert_eq!(sealed(&["--include", "*.txt", "--exclude", "cache"], 0), ["a.txt", "sub/c.txt"]);
    assert_eq!(sealed(&["--include", "sub/*"], 0), ["sub/c.txt"]);
    assert_eq!(sealed(&["--symlinks", "error"], 1), ["a.txt", "b.jpg", "sub/c.txt", "sub/cache/d.txt"]);
    let followed = sealed(&["--symlinks", "follow", "--exclude", "cache"], 1);
    assert_eq!(followed, ["a.txt", "b.jpg", "link/c.txt", "sub/c.txt"], "and each loop fails");
    assert_eq!(sealed(&["--one-file-system", "--exclude", "cache"], 0), ["a.txt", "b.jpg", "sub/c.txt"]);
    haul.run(["seal", "-r", &recipient, "--exclude", "a[", "tree"]).expect_status(2);
}

#[test]
fn nothing_is_made_through_a_link_in_a_mirror() {
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    let recipient = keygen(&haul);
    Tree::seeded(4).files(20).depth(0).write(&dir.path().join("tree/sub")).unwrap();
    std::fs::write(dir.path().join("tree/sub/large"), seeded_bytes(1, 2_000_000)).unwrap();
    std::fs::write(dir.path().join("tree/top"), "x").unwrap();
    std::fs::create_dir(dir.path().join("outside")).unwrap();
    for engine in ["serial", "threads=3", "processes=2", "hybrid=2x2", "uring=2x8"] {
        let (real, out) = (format!("real-{engine}"), format!("out-{engine}"));
        std::fs::create_dir(dir.path().join(&real)).unwrap();
        // The output itself may be a link, because the user named it.
        std::os::unix::fs::symlink(&real, dir.path().join(&out)).unwrap();
        std::os::unix::fs::symlink("../outside", dir.path().join(&real).join("sub")).unwrap();
        let args = ["seal", "-v", "--replace", "-e", engine, "-r", &recipient, "-o", &out, "tree"];
        let run = haul.run(args).expect_status(1);
        let refused = "\": creating the result: a symbolic link is in the way\n";
        assert_eq!(run.stderr_text().matches(refused).count(), 21, "{engine}: {}", run.stderr_text());
        assert!(files_below(&dir.path().join("outside")).unwrap().is_empty(), "{engine}");
        let made = files_below(&dir.path().join(&real)).unwrap();
        assert_eq!(made, [Path::new("sub"), Path::new("top.age")], "{engine}");
        std::fs::write(dir.path().join("tree/top"), "x").unwrap();
    }
    assert_eq!(files_below(&dir.path().join("tree")).unwrap().len(), 22, "sources stay");
}

#[test]
fn a_check_of_nothing_fails_in_the_report_too() {
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    keygen(&haul);
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    for engine in ["serial", "threads=2", "processes=1", "hybrid=1x2", "uring=1x4"] {
        let run = haul.run(["verify", "--json", "-e", engine, "-i", "key.txt", "empty"]).expect_status(1);
        let report: serde_json::Value = serde_json::from_str(run.stdout_text().trim()).unwrap();
        assert_eq!((&report["event"], &report["exit"]), (&"report".into(), &1.into()), "{engine}");
    }
}
