//! Fetching under random names, and giving the files their names back.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

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
    let [first, second] = ["0123", "4567"].map(|digits| digits.repeat(8));
    workdir.write(format!("v/{first}"), b"planted");
    workdir.write(format!("v/{second}"), b"identity");
    workdir.run(&["seal", "-r", &recipient, "--replace", "v"]).expect_status(0);
    let title = "{\"haul\":\"names\",\"version\":1}\n";
    let entry = |file: &str, name: &str| format!("{{\"file\":\"{file}.age\",\"name\":\"{name}\"}}\n");
    workdir.write(
        "names",
        [title, &entry(&first, "../../escaped"), &entry(&second, "haul-identity.age")].concat(),
    );
    workdir.run(&["seal", "-r", &recipient, "-o", "v/names.age", "names"]).expect_status(0);
    workdir.run(&["open", "-i", "key", "v", "-o", "a/plain"]).expect_status(0);
    let plain: Vec<_> = workdir.names().into_iter().filter(|name| name.starts_with("a/")).collect();
    assert_eq!(plain, [format!("a/plain/{first}"), format!("a/plain/{second}")]);
    // A file that is only called so is one like any other.
    workdir.write("w/names", b"Ada\nGrace\n");
    workdir.run(&["seal", "-r", &recipient, "w", "-o", "x"]).expect_status(0);
    workdir.run(&["open", "-i", "key", "x", "-o", "y"]).expect_status(0);
    assert_eq!(workdir.read("y/names"), b"Ada\nGrace\n");
}

/// Its list, which it has fetched under the name of one, would exchange the names of other files.
#[test]
fn a_server_gives_no_names_to_the_files_of_others() {
    let list = "{\"haul\":\"names\",\"version\":1}\n{\"file\":\"invoice.age\",\"name\":\"contract\"}\n";
    let server = Server::start(move |request| match request.path() {
        "/names" => Answer::ok(list),
        path => Answer::ok(path.to_owned()),
    });
    let (workdir, recipient) = workdir();
    let urls = ["/names", "/invoice", "/contract"].map(|path| server.url(path));
    workdir.write("urls", urls.join("\n"));
    workdir.run(&["get", "-r", &recipient, "-i", "urls", "-d", "v"]).expect_status(0);
    workdir.run(&["open", "-i", "key", "v", "-o", "plain"]).expect_status(0);
    for name in ["invoice", "contract"] {
        assert_eq!(workdir.read(format!("plain/{name}")), format!("/{name}").as_bytes());
    }
    assert_eq!(workdir.read("plain/names"), list.as_bytes(), "it is a file like any other");
}

/// Two runs have fetched a file of one name, so that two lists give it to two files.
#[test]
fn files_that_lists_call_the_same_share_no_result() {
    let count = AtomicUsize::new(0);
    let server =
        Server::start(move |_| Answer::ok(format!("version {}", count.fetch_add(1, Ordering::SeqCst))));
    for (index, engine) in ["serial", "threads=4", "processes=2", "uring=2x4"].into_iter().enumerate() {
        for (turn, output) in [&[][..], &["-o", "plain"]].into_iter().enumerate() {
            let (workdir, recipient) = workdir();
            let get = ["get", "--name", "hidden", "-r", &recipient, "-d", "v", &server.url("/a")];
            workdir.run(&get).expect_status(0);
            workdir.run(&get).expect_status(0);
            let open = ["open", "--force", "--replace", "-e", engine, "-i", "key", "v"];
            let run = workdir.run(&[&open[..], output].concat()).expect_status(1);
            assert!(
                run.stderr_text().contains("another source has the same result"),
                "{}",
                run.stderr_text()
            );
            let sealed = hidden_names(&workdir).into_iter().filter(|name| name.ends_with(".age"));
            let sealed: Vec<_> = sealed.map(|name| format!("v/{name}")).collect();
            assert_eq!(sealed.len(), 1, "{engine} {output:?}: the other one is there");
            let left = workdir.run(&["cat", "-i", "key", &sealed[0]]).expect_status(0).stdout;
            let opened = workdir.names().into_iter().find(|name| name.ends_with("/a")).unwrap();
            let mut versions = [left, workdir.read(opened)].map(|text| String::from_utf8(text).unwrap());
            versions.sort_by_key(|version| version[8..].parse::<usize>().unwrap());
            let first = 4 * index + 2 * turn;
            assert_eq!(versions, [first, first + 1].map(|number| format!("version {number}")), "{engine}");
        }
    }
}

/// In a tree, too, and as far as a list is intact.
#[test]
fn names_below_the_input_come_back_and_a_damaged_list_is_told() {
    let server = Server::start(|request| Answer::ok(request.path().to_owned()));
    let (workdir, recipient) = workdir();
    let list = |range: std::ops::Range<u32>| -> String {
        let padding = "x".repeat(200);
        range.map(|number| server.url(&format!("/{number}?{padding}")) + "\n").collect()
    };
    for (dir, range) in [("t/one", 0..3), ("t/deep/two", 3..403)] {
        workdir.write("urls", list(range));
        let get = ["get", "--name", "hidden", "-r", &recipient, "-i", "urls", "-d", dir];
        workdir.run(&get).expect_status(0);
    }
    let opened = |status: i32| {
        let run = workdir.run(&["open", "-i", "key", "t", "-o", "plain"]).expect_status(status);
        let names = workdir.names().into_iter().filter(|name| name.starts_with("plain/"));
        let named = names.filter(|name| name.contains("127.0.0.1")).count();
        std::fs::remove_dir_all(workdir.path("plain")).unwrap();
        (run, named)
    };
    assert_eq!(opened(0).1, 403);
    workdir.change("t/deep/two/names.age", |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let (run, named) = opened(4);
    assert!(run.stderr_text().contains("names.age"), "{}", run.stderr_text());
    assert!((4..403).contains(&named), "{named}");
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
