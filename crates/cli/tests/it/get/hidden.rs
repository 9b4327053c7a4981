//! Fetching under random names, and giving the files their names back.

use std::process::Command;

use crate::workdir::Workdir;
use haul_testkit::{Answer, Gate, Server, peer};

fn workdir() -> (Workdir, String) {
    let workdir = Workdir::new();
    let recipient = workdir.run(&["keygen", "-o", "key"]).expect_status(0).stdout_text().trim().to_owned();
    (workdir, recipient)
}

fn hidden_names(workdir: &Workdir) -> Vec<String> {
    let names = workdir.names().into_iter().filter_map(|name| Some(name.strip_prefix("v/")?.to_owned()));
    names.filter(|name| !name.starts_with("names")).collect()
}

#[test]
fn names_are_random_and_opening_gives_them_back() {
    let server = Server::start(|request| Answer::ok(request.path().to_owned()));
    for engine in ["serial", "threads=4", "uring=2x4"] {
        let (workdir, recipient) = workdir();
        let out = |path: &str, out: &str| format!("{{\"url\":\"{}\",\"out\":\"{out}\"}}", server.url(path));
        let list =
            [server.url("/dir/secret-a?t=1"), server.url("/dir/secret-a?t=2"), out("/b", "sub/secret-b")];
        workdir.write("urls", list.join("\n"));
        let get =
            ["get", "-e", engine, "--name", "hidden", "-r", &recipient, "-i", "urls", "-d", "v", "--json"];
        let run = workdir.run(&get).expect_status(0);
        let names = hidden_names(&workdir);
        assert!(workdir.names().contains(&"v/names.age".to_owned()));
        assert_eq!(names.len(), 3, "{names:?}");
        for name in &names {
            let stem = name.strip_suffix(".age").unwrap();
            assert!(stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
            assert!(!run.stdout_text().contains(stem), "nobody learns which is which");
        }
        let open = ["open", "-i", "key", "v", "-o", "plain"];
        workdir.run(&open).expect_status(0);
        let host = format!("127.0.0.1_{}", server.address().port());
        let plain: Vec<_> = workdir.names().into_iter().filter(|name| name.starts_with("plain/")).collect();
        assert_eq!(plain.len(), 3, "{plain:?}");
        assert_eq!(workdir.read("plain/sub/secret-b"), b"/b");
        assert!(plain.iter().filter(|name| name.contains("dir/secret-a")).count() == 2, "{host} {plain:?}");
        // A later run adds a list of its own.
        workdir.write("urls", out("/c", "secret-c"));
        workdir.run(&get).expect_status(0);
        assert!(workdir.names().contains(&"v/names-2.age".to_owned()));
        workdir.run(&["open", "-i", "key", "v", "-o", "more"]).expect_status(0);
        assert_eq!(workdir.read("more/secret-c"), b"/c");
        assert_eq!(workdir.read("more/sub/secret-b"), b"/b");
    }
}

#[test]
fn the_list_is_an_age_file() {
    let Some(age) = peer("age") else { return };
    let server = Server::start(|_| Answer::ok("x"));
    let (workdir, recipient) = workdir();
    let get = ["get", "--name", "hidden", "-r", &recipient, "-d", "v", &server.url("/a/b")];
    workdir.run(&get).expect_status(0);
    let output =
        Command::new(age).args(["-d", "-i", "key", "v/names.age"]).current_dir(workdir.dir()).output();
    let list = String::from_utf8(output.unwrap().stdout).unwrap();
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines.len(), 2, "{list}");
    let entry: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(entry["file"], hidden_names(&workdir)[0]);
    assert!(entry["name"].as_str().unwrap().ends_with("/a/b") && entry["source"] == server.url("/a/b"));
}

#[test]
fn a_killed_run_leaves_the_names_of_what_it_finished() {
    let gate = Gate::new();
    let server = Server::start({
        let gate = gate.clone();
        move |request| match request.path() {
            "/last" => Answer::ok("last").gate_at_start(&gate),
            path => Answer::ok(path.to_owned()),
        }
    });
    let (workdir, recipient) = workdir();
    let urls: Vec<_> = (0..20).map(|number| server.url(&format!("/d/{number}"))).collect();
    workdir.write("urls", urls.join("\n") + "\n" + &server.url("/last"));
    let running = workdir
        .haul
        .spawn(["get", "-e", "serial", "--name", "hidden", "-r", &recipient, "-i", "urls", "-d", "v"]);
    gate.wait_reached(1);
    running.kill();
    running.finish();
    gate.open();
    assert!(workdir.names().contains(&"v/names.haul-names".to_owned()), "{:?}", workdir.names());
    assert_eq!(hidden_names(&workdir).len(), 20);
    workdir.run(&["open", "-i", "key", "v", "-o", "plain"]).expect_status(0);
    let plain: Vec<_> = workdir.names().into_iter().filter(|name| name.starts_with("plain/")).collect();
    assert_eq!(plain.len(), 20, "{plain:?}");
    assert!(plain.iter().any(|name| name.ends_with("/d/7")));
}

#[test]
fn a_planted_list_leads_nowhere_else() {
    let (workdir, recipient) = workdir();
    workdir.write("v/0123", b"planted");
    workdir.write("v/4567", b"identity");
    workdir.run(&["seal", "-r", &recipient, "--replace", "v"]).expect_status(0);
    let title = "{\"haul\":\"names\",\"version\":1}\n";
    let entry = |file: &str, name: &str| format!("{{\"file\":\"{file}.age\",\"name\":\"{name}\"}}\n");
    workdir.write(
        "names",
        [title, &entry("0123", "../../escaped"), &entry("4567", "haul-identity.age")].concat(),
    );
    workdir.run(&["seal", "-r", &recipient, "-o", "v/names.age", "names"]).expect_status(0);
    workdir.run(&["open", "-i", "key", "v", "-o", "a/plain"]).expect_status(0);
    let plain: Vec<_> = workdir.names().into_iter().filter(|name| name.starts_with("a/")).collect();
    assert_eq!(plain, ["a/plain/0123", "a/plain/4567"]);
    // A file that is only called so is one like any other.
    workdir.write("w/names", b"Ada\nGrace\n");
    workdir.run(&["seal", "-r", &recipient, "w", "-o", "x"]).expect_status(0);
    workdir.run(&["open", "-i", "key", "x", "-o", "y"]).expect_status(0);
    assert_eq!(workdir.read("y/names"), b"Ada\nGrace\n");
}

#[test]
fn hidden_names_need_a_recipient_and_new_files() {
    let (workdir, recipient) = workdir();
    for (args, message) in [
        (&[][..], "--name hidden is for results that are sealed"),
        (&["-c", "-r", &recipient], "--name hidden is for new files in a directory"),
        (&["--sync", "-r", &recipient], "--name hidden is for new files in a directory"),
        (&["-o", "x", "-r", &recipient], "--name hidden is for new files in a directory"),
    ] {
        let run = workdir.run(&[&["get", "--name", "hidden", "http://127.0.0.1:1/"], args].concat());
        assert_eq!(run.status, 2, "{args:?}");
        assert!(run.stderr_text().contains(message), "{args:?}: {}", run.stderr_text());
    }
    assert_eq!(workdir.names(), ["key"]);
}
