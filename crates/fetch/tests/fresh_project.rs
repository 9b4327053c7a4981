//! The examples as the programs of a project outside the workspace, whose only dependency is this crate: cargo builds
//! them, and they run against a local server.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use haul_testkit::{Answer, Server};

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

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

#[test]
fn programs_are_short() {
    for (name, lines_max) in PROGRAMS {
        let text = fs::read_to_string(examples().join(name).with_extension("rs")).unwrap();
        let program =
            text.split("// The program.\n").nth(1).and_then(|rest| rest.split("// Its end.").next());
        let lines = program.unwrap().trim().lines().count();
        assert!(lines <= lines_max, "{name} has {lines} lines");
    }
}

/// Builds the programs in a project of their own; returns where they are.
fn build(dir: &Path) -> PathBuf {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (bins, path) = (dir.join("src/bin"), env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(&bins).unwrap();
    for (name, _) in PROGRAMS {
        let file = PathBuf::from(name).with_extension("rs");
        fs::copy(examples().join(&file), bins.join(&file)).unwrap();
    }
    let manifest = format!(
        "[package]\nname = \"fresh\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nhaul-fetch = {{ path = {path:?} }}\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    // The versions that are there already.
    fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fresh");
    let built = Command::new(cargo)
        .args(["build", "--offline", "--quiet", "--bins"])
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .status()
        .unwrap();
    assert!(built.success(), "the project doesn't build");
    target.join("debug")
}

#[test]
fn one_dependency_suffices() {
    let dir = tempfile::tempdir().unwrap();
    let programs = build(dir.path());
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| match (&*request.method, request.path()) {
        ("POST", _) => Answer::new(409).body(request.body.clone()),
        (_, "/json") => Answer::ok("{\"a\": 1}"),
        (_, "/busy") if asked.fetch_add(1, Ordering::SeqCst) == 0 => Answer::new(503),
        (_, "/gone") => Answer::new(404),
        _ => Answer::ok("hello"),
    });
    let url = |path| server.url(path);
    let files = dir.path().join("files").to_str().unwrap().to_owned();
    let runs: BTreeMap<&str, (Vec<String>, &str)> = BTreeMap::from([
        ("callback", (vec![url("/x")], "/x: 200 OK\n")),
        ("download", (vec![files.clone(), url("/x"), url("/y")], "2 files, 10 bytes\n")),
        ("fetch_into", (vec![url("/x")], "5 bytes\n")),
        ("get_json", (vec![url("/json")], "{\"a\":1}\n")),
        ("post_json", (vec![url("/x")], "409 Conflict {\"name\":\"haul\"}\n")),
        ("retry", (vec![url("/busy")], "5 bytes\n")),
        ("stream", (vec![url("/x")], "200 OK, 5 bytes\n")),
        ("submit", (vec![url("/x")], "5 bytes\n")),
    ]);
    for (name, _) in PROGRAMS {
        let (args, end) = &runs[name];
        let output = Command::new(programs.join(name)).args(args).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && stdout.ends_with(end), "{name}: {output:?}");
    }
    assert_eq!(fs::read(Path::new(&files).join("y")).unwrap(), b"hello");
    let gone = Command::new(programs.join("retry")).arg(url("/gone")).output().unwrap();
    assert_eq!(gone.stdout, b"never: the server answered 404 Not Found\n");
}
