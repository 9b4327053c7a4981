//! Where results are written: beneath the directory, to devices, over existing files; which URLs a machine fetches.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::workdir::Workdir;
use haul_testkit::{Answer, Server};
use rustix::fs::{CWD, Mode, mkfifoat};

const ENGINES: [&str; 3] = ["serial", "threads=2", "uring=1x4"];

#[test]
fn no_host_leads_out_of_the_directory() {
    let workdir = Workdir::new();
    let proxy = Server::start(|_| Answer::ok("x"));
    let address = proxy.address().to_string();
    for host in ["..", ".", "%2e%2e", "..:80", "\u{ff0e}\u{ff0e}", "..."] {
        let url = format!("http://{host}/escaped");
        workdir.run(&["get", "--name", "path", "-d", "a/b", "--proxy", &address, &url]);
    }
    assert_eq!(workdir.names(), ["a/b/_/escaped", "a/b/__/escaped", "a/b/___/escaped"]);
}

#[test]
fn links_in_place_of_directories_are_refused() {
    let server = Server::start(|_| Answer::ok("planted").header("ETag", "\"1\""));
    let (path, out) =
        (server.url("/keys"), format!("{{\"url\":\"{}\",\"out\":\"127.0.0.1/x/keys\"}}", server.url("/x")));
    for engine in ENGINES {
        for mode in [&[][..], &["-c"], &["--sync"], &["--force"], &["--segments", "4"]] {
            let workdir = Workdir::new();
            for directory in ["real", "home/x"] {
                std::fs::create_dir_all(workdir.path(directory)).unwrap();
            }
            symlink("../home", workdir.path("real/127.0.0.1")).unwrap();
            // The directory itself may be a link.
            symlink("real", workdir.path("d")).unwrap();
            workdir.write("list", out.as_bytes());
            for args in [&["--name", "path", &path][..], &["-i", "list"]] {
                let args = [&["get", "-e", engine, "-d", "d"], mode, args].concat();
                workdir.run(&args).expect_status(1);
            }
            assert_eq!(workdir.names(), ["d", "list", "real/127.0.0.1"], "{engine} {mode:?}");
            workdir.run(&["get", "-e", engine, "-d", "d", &path]).expect_status(0);
            assert_eq!(std::fs::read(workdir.path("real/keys")).unwrap(), b"planted");
        }
    }
}

#[test]
fn devices_are_written_to() {
    let workdir = Workdir::new();
    let server = Server::start(|_| Answer::ok("hello"));
    for engine in ENGINES {
        let run = workdir.run(&["get", "-e", engine, "-o", "/dev/null", &server.url("/x")]);
        assert!(run.expect_status(0).stdout_text().is_empty());
        let run =
            workdir.run(&["get", "-e", engine, "-o", "/dev/stdout", &server.url("/x")]).expect_status(0);
        assert_eq!(run.stdout_text(), "hello", "{engine}");
        let run = workdir.run(&["get", "-e", engine, "-o", "/dev/full", &server.url("/x")]);
        assert_eq!(run.status, 5, "{engine}: {}", run.stderr_text());
    }
    assert!(workdir.names().is_empty());
    // A list of failures that has no room, of a run that fails for another reason.
    let missing = Server::start(|_| Answer::new(404));
    let run = workdir.run(&["get", "--failures", "/dev/full", &missing.url("/x")]);
    let said = run.stderr_text();
    assert!(run.status == 5 && said.contains("404") && said.contains("cannot write failures"), "{said}");
    // A descriptor may be a regular file, which is written from where it stands.
    for engine in ENGINES {
        let haul = env!("CARGO_BIN_EXE_haul");
        let get = format!("{haul} get -e {engine} -o /dev/fd/3 {}", server.url("/x"));
        let line = format!("exec 3> both; echo first >&3; {get} && echo last >&3");
        let status = std::process::Command::new("sh").args(["-c", &line]).current_dir(workdir.dir()).status();
        assert!(status.unwrap().success(), "{engine}");
        assert_eq!(workdir.read("both"), b"first\nhellolast\n", "{engine}");
    }
}

#[test]
fn existing_files_are_replaced_if_that_is_asked_for() {
    let workdir = Workdir::new();
    let server = Server::start(|request| match request.path() {
        "/bad" => Answer::new(404),
        "/cut" => Answer::ok("short").claim_length(10).close(),
        path => Answer::ok(path.to_owned()).header("Content-Disposition", "attachment; filename=named"),
    });
    for engine in ENGINES {
        for name in ["x", "named", "bad", "cut"] {
            workdir.write(name, b"old");
        }
        let get = |args: &[&str]| workdir.run(&[&["get", "-e", engine, "--retries", "0"], args].concat());
        get(&[&server.url("/x")]).expect_status(1);
        get(&["--force", &server.url("/x"), &server.url("/bad"), &server.url("/cut")]).expect_status(1);
        get(&["--force", "--name", "disposition", &server.url("/y")]).expect_status(0);
        for (name, content) in [("x", "/x"), ("named", "/y"), ("bad", "old"), ("cut", "old")] {
            assert_eq!(std::fs::read_to_string(workdir.path(name)).unwrap(), content, "{engine}");
        }
        assert_eq!(workdir.names(), ["bad", "cut", "named", "x"], "{engine}");
    }
}

#[test]
fn archives_stay_compressed_unless_asked() {
    let workdir = Workdir::new();
    // An empty gzip member.
    let packed = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".to_vec();
    let whole = packed.clone();
    let server = Server::start(move |request| {
        let kind = if request.path() == "/typed" { "application/zip" } else { "text/plain" };
        Answer::ok(whole.clone()).header("Content-Encoding", "gzip").header("Content-Type", kind)
    });
    for (options, path, bytes) in [
        (&["--compressed"][..], "/x.tar.gz", packed.len()),
        (&["--compressed"], "/typed", packed.len()),
        (&["--compressed"], "/x.html", 0),
        (&["--compressed-archives"], "/x.tar.gz", 0),
        (&["--compressed-archives", "--no-compressed"], "/x.html", packed.len()),
    ] {
        let run = workdir.run(&[&["get", "-o", "-"], options, &[&server.url(path)]].concat());
        assert_eq!(run.expect_status(0).stdout.len(), bytes, "{options:?} {path}");
    }
    let asked = server.requests();
    let codings: Vec<_> = asked.iter().map(|request| request.header("accept-encoding").unwrap()).collect();
    assert_eq!((codings[0], codings[4]), ("identity", "identity"));
    assert!(codings[1].contains("gzip") && codings[3].contains("gzip"), "{codings:?}");
}

#[test]
fn parts_of_a_list_make_up_the_whole() {
    let workdir = Workdir::new();
    let server = Server::start(|request| Answer::ok(request.path().to_owned()));
    let urls: Vec<_> = (0..30).map(|number| server.url(&format!("/{number}"))).collect();
    workdir.write("list", urls.join("\r\n").as_bytes());
    let mut count = 0;
    for part in ["1/3", "2/3", "3/3"] {
        workdir.run(&["get", "-i", "list", "-d", "got", "--shard", part]).expect_status(0);
        // Beside the list and the markers of complete parts.
        let names = workdir.names();
        let now = names.iter().filter(|name| !name.ends_with(".haul-shard")).count() - 1;
        assert!(now > count, "{part}");
        count = now;
    }
    assert_eq!(count, 30);
    workdir.run(&["get", "-i", "list", "--shard", "4/3"]).expect_status(2);
    workdir.run(&["get", "-i", "list", "--shard", "auto"]).expect_status(2);
}

#[test]
fn a_url_without_a_scheme_says_what_to_write() {
    let workdir = Workdir::new();
    for url in ["example.org/x", "localhost:8080/x"] {
        let run = workdir.run(&["get", url]).expect_status(1);
        assert!(run.stderr_text().contains("did you mean http"), "{}", run.stderr_text());
    }
}

#[test]
fn a_pipe_with_a_name_is_written_to_once_it_has_a_reader() {
    let workdir = Workdir::new();
    let server = Server::start(|_| Answer::ok("through the pipe"));
    mkfifoat(CWD, workdir.path("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    let url = server.url("/x");
    let run = workdir.run(&["get", "--max-time", "0.2", "-o", "pipe", &url]).expect_status(2);
    assert!(run.stderr_text().contains("nobody reads the pipe \"pipe\""), "{}", run.stderr_text());
    let mut reader = Command::new("cat");
    let reader = reader.arg(workdir.path("pipe")).stdout(Stdio::piped()).spawn().unwrap();
    workdir.run(&["get", "-o", "pipe", &url]).expect_status(0);
    assert_eq!(reader.wait_with_output().unwrap().stdout, b"through the pipe");
    assert_eq!(workdir.names(), ["pipe"], "it is still a pipe");
}

#[test]
fn a_list_of_failures_goes_into_a_pipe_that_stays_one() {
    let workdir = Workdir::new();
    let server = Server::start(|_| Answer::new(404));
    mkfifoat(CWD, workdir.path("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    let mut reader = Command::new("cat");
    let reader = reader.arg(workdir.path("pipe")).stdout(Stdio::piped()).spawn().unwrap();
    let url = server.url("/x");
    workdir.run(&["get", "--failures", "pipe", &url]).expect_status(1);
    let list = String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(list, format!("{{\"url\":\"{url}\"}}\n"));
    assert_eq!(workdir.names(), ["pipe"], "it is still a pipe");
    let run = workdir.run(&["get", "--max-time", "0.2", "--failures", "pipe", &url]).expect_status(2);
    assert!(run.stderr_text().contains("nobody reads the pipe \"pipe\""), "{}", run.stderr_text());
}

#[test]
fn no_result_takes_the_place_of_a_file_that_the_run_uses() {
    let server = Server::start(|_| Answer::ok("of the server"));
    for engine in ["serial", "threads=2", "uring=1x8"] {
        let url = server.url("/own");
        for (option, place) in
            [("--failures", "-d"), ("--cookie-jar", "-d"), ("--trace", "-d"), ("--failures", "-o")]
        {
            let workdir = Workdir::new();
            let place = [place, if place == "-d" { "." } else { "own" }];
            let mut args = vec!["get", "--force", "-e", engine, option, "own"];
            args.extend(place);
            args.push(&url);
            let run = workdir.run(&args).expect_status(1);
            assert!(run.stderr_text().contains("the run itself uses the file"), "{}", run.stderr_text());
            let own = workdir.read("own");
            assert!(own != b"of the server", "{option}");
        }
        for (option, file, content) in [
            ("--data", "@own", "a=b"),
            ("--netrc-file", "own", "machine h login n password p"),
            ("--bearer-file", "own", "token"),
        ] {
            let workdir = Workdir::new();
            workdir.write("own", content);
            let run = workdir.run(&["get", "--force", "-e", engine, option, file, &url]).expect_status(1);
            assert!(run.stderr_text().contains("the run itself uses the file"), "{}", run.stderr_text());
            assert_eq!(workdir.read("own"), content.as_bytes());
        }
        let workdir = Workdir::new();
        workdir.write("own", format!("{url}\n"));
        let run = workdir.run(&["get", "--force", "-e", engine, "-i", "own"]).expect_status(1);
        assert!(run.stderr_text().contains("the run itself uses the file"), "{}", run.stderr_text());
        assert_eq!(workdir.read("own"), format!("{url}\n").into_bytes());
        workdir.run(&["get", "-e", engine, "-i", "own", "--pack", "tar"]).expect_status(0);
    }
}
