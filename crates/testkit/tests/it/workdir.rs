//! The promises of a working directory.
//!
//! Owns: names, bytes, and that nothing is left.
//! Does not own: trees (see `tree.rs`).

use haul_testkit::Workdir;

#[test]
fn files_are_written_changed_and_listed_by_name() {
    let workdir = Workdir::new();
    assert_eq!(workdir.write("b/c", "text"), workdir.dir().join("b/c"));
    workdir.write("a", [1, 2]);
    workdir.change("a", |bytes| bytes.push(3));
    assert_eq!(workdir.read("a"), [1, 2, 3]);
    assert_eq!(workdir.read_if_present("b/c"), Some(b"text".to_vec()));
    assert_eq!(workdir.read_if_present("b/d"), None);
    assert_eq!(workdir.names(), ["a", "b/c"]);
}

#[test]
fn a_dropped_directory_is_gone() {
    let outer = Workdir::new();
    let inner = Workdir::new_in(outer.dir());
    inner.write("file", "");
    assert_eq!(outer.names().len(), 1);
    drop(inner);
    assert_eq!(outer.names(), Vec::<String>::new());
}
