//! The promises of trees and their comparison.
//!
//! Owns: reproducible trees, each kind of difference.
//! Does not own: seeded bytes (see `server.rs`).

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use haul_testkit::{Compare, Nginx, Tree, compare, files_below};
use tempfile::TempDir;

fn two_trees() -> (TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let plan = Tree::seeded(3).files(16).sizes(1..=300).depth(3).awkward_names();
    let files = plan.write(&a).expect("a tree");
    assert_eq!(plan.write(&b).expect("a tree"), files);
    assert_eq!(files_below(&a).expect("a listing"), files);
    (dir, a, b)
}

#[track_caller]
fn check(change: impl FnOnce(&Path), want: &str) {
    let (_dir, a, b) = two_trees();
    assert_eq!(compare(&a, &b).expect("two trees"), None);
    change(&b);
    let difference = compare(&a, &b).expect("two trees").expect("a difference");
    assert!(difference.contains(want), "{difference}");
}

#[test]
fn each_difference_is_found() {
    let first = |dir: &Path| dir.join(&files_below(dir).expect("a listing")[0]);
    check(|b| fs::write(b.join(".hidden"), "").expect("a file"), "only in the second: \".hidden\"");
    check(|b| fs::remove_file(first(b)).expect("a file"), "only in the first");
    check(|b| fs::write(first(b), "").expect("a file"), "bytes, then 0");
    check(
        |b| {
            let mut bytes = fs::read(first(b)).expect("a file");
            bytes[0] ^= 1;
            fs::write(first(b), bytes).expect("a file");
        },
        "byte 0 is",
    );
    check(
        |b| {
            let file = first(b);
            fs::remove_file(&file).expect("a file");
            symlink("elsewhere", file).expect("a link");
        },
        "another kind",
    );
}

#[test]
fn modes_and_times_count_on_request() {
    let (_dir, a, b) = two_trees();
    let file = b.join(&files_below(&b).expect("a listing")[0]);
    let times = fs::FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    fs::File::options().write(true).open(&file).expect("a file").set_times(times).expect("our own file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
    let difference = |modes, mtimes| Compare { modes, mtimes }.first_difference(&a, &b).expect("two trees");
    assert_eq!(difference(false, false), None);
    assert!(difference(true, false).is_some_and(|text| text.contains("mode ")));
    assert!(difference(false, true).is_some_and(|text| text.contains("mtime ")));
}

#[test]
fn nginx_serves_a_tree_where_there_is_one() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("file"), "hello").expect("a file");
    let Some(nginx) = Nginx::start(dir.path()) else { return };
    assert!(nginx.url("/file").starts_with("http://127.0.0.1:"));
    let mut stream = std::net::TcpStream::connect(nginx.address()).expect("nginx listens");
    std::io::Write::write_all(&mut stream, b"GET /file HTTP/1.0\r\n\r\n").expect("nginx reads");
    let answer = std::io::read_to_string(&mut stream).expect("a whole answer");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    let address = nginx.address();
    drop(nginx);
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}
