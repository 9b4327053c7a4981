//! The examples as the programs of a project outside the workspace, whose only dependency is this crate: cargo builds
//! them, and they run against a local server.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use haul_seal::{X25519Identity, open_bytes};
use haul_testkit::{Answer, FreshProject, Server, check_program_lines};

/// The programs, and the most lines that each may have between its marks.
const PROGRAMS: [(&str, usize); 8] = [
    ("callback", 8),
    ("download", 2),
    ("fetch_into", 3),
    ("get_json", 3),
    ("post_json", 3),
    ("retry", 5),
    ("stream", 3),
    ("submit", 3),
];

/// Those that seal what they fetch, and need a second crate for that.
const SEALING: [(&str, usize); 2] = [("fetch_sealed", 3), ("download_sealed", 4)];

fn build(dependencies: &[&str], programs: &[(&'static str, usize)]) -> FreshProject {
    let names = programs.iter().map(|(name, _)| *name);
    FreshProject::build(env!("CARGO_MANIFEST_DIR"), env!("CARGO_TARGET_TMPDIR"), dependencies, names)
}

#[test]
fn programs_are_short() {
    check_program_lines(env!("CARGO_MANIFEST_DIR"), &PROGRAMS);
    check_program_lines(env!("CARGO_MANIFEST_DIR"), &SEALING);
}

#[test]
fn one_dependency_suffices() {
    let project = build(&["haul-fetch"], &PROGRAMS);
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| match (&*request.method, request.path()) {
        ("POST", _) => Answer::new(409).body(request.body.clone()),
        (_, "/json") => Answer::ok("{\"a\": 1}"),
        (_, "/busy") if asked.fetch_add(1, Ordering::SeqCst) == 0 => Answer::new(503),
        (_, "/gone") => Answer::new(404),
        _ => Answer::ok("hello"),
    });
    let url = |path| server.url(path);
    let files = project.dir().join("files").to_str().unwrap().to_owned();
    let runs: BTreeMap<&str, (Vec<String>, &str)> = BTreeMap::from([
        ("callback", (vec![url("/x")], "/x: 200 OK\n")),
        ("download", (vec![files, url("/x"), url("/y")], "2 files, 10 bytes\n")),
        ("fetch_into", (vec![url("/x")], "5 bytes\n")),
        ("get_json", (vec![url("/json")], "{\"a\":1}\n")),
        ("post_json", (vec![url("/x")], "409 Conflict {\"name\":\"haul\"}\n")),
        ("retry", (vec![url("/busy")], "5 bytes\n")),
        ("stream", (vec![url("/x")], "200 OK, 5 bytes\n")),
        ("submit", (vec![url("/x")], "5 bytes\n")),
    ]);
    for (name, _) in PROGRAMS {
        let (args, end) = &runs[name];
        project.check(name, args, end);
    }
    assert_eq!(fs::read(project.dir().join("files/y")).unwrap(), b"hello");
    let gone = project.run("retry", &[url("/gone")]);
    assert_eq!(gone.stdout, b"never: the server answered 404 Not Found\n");
}

#[test]
fn both_libraries_together_seal_what_is_fetched() {
    let project = build(&["haul-fetch", "haul-seal"], &SEALING);
    let server = Server::start(|_| Answer::ok("hello"));
    let identity = X25519Identity::generate();
    let (recipient, dir) = (identity.to_recipient().to_string(), project.dir().join("files"));
    fs::create_dir(&dir).unwrap();
    let opened =
        |name: &str| open_bytes(&fs::read(dir.join(name)).unwrap(), &[identity.clone().into()]).unwrap();
    let path = dir.join("one.age").to_str().unwrap().to_owned();
    project.check("fetch_sealed", &[server.url("/x"), recipient.clone(), path], "5 bytes sealed\n");
    assert_eq!(opened("one.age"), b"hello");
    let args = [recipient, dir.to_str().unwrap().to_owned(), server.url("/x"), server.url("/y")];
    project.check("download_sealed", &args, "2 files, 10 bytes\n");
    assert_eq!((opened("x.age"), opened("y.age")), (b"hello".to_vec(), b"hello".to_vec()));
}
