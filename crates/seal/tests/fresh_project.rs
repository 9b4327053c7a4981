//! The examples as the programs of a project outside the workspace, whose only dependency is this crate: cargo builds
//! them, and they run on files of the project.

use std::fs;

use haul_seal::{X25519Identity, seal_bytes};
use haul_testkit::{FreshProject, check_program_lines};

/// The programs, and the most lines that each may have between its marks.
const PROGRAMS: [(&str, usize); 4] = [("bytes", 2), ("random_access", 3), ("streams", 2), ("trees", 3)];

#[test]
fn programs_are_short() {
    check_program_lines(env!("CARGO_MANIFEST_DIR"), &PROGRAMS);
}

#[test]
fn one_dependency_suffices() {
    let (crate_dir, scratch) = (env!("CARGO_MANIFEST_DIR"), env!("CARGO_TARGET_TMPDIR"));
    let project = FreshProject::build(crate_dir, scratch, &["haul-seal"], PROGRAMS.map(|(name, _)| name));
    let path = |name: &str| project.dir().join(name).to_str().unwrap().to_owned();
    project.check("bytes", &[], " and came back: true\n");

    let identity = X25519Identity::generate();
    let sealed = seal_bytes(b"a long log, the last line", &[identity.to_recipient().into()]).unwrap();
    fs::write(path("log.age"), sealed).unwrap();
    fs::write(path("key"), identity.to_secret_text()).unwrap();
    let end = "of 25 bytes the last are \"he last line\"\n";
    project.check("random_access", &[path("log.age"), path("key")], end);

    project.check("streams", &[path("stream.age")], ", and 10000000 came back\n");

    fs::create_dir_all(path("tree/letters")).unwrap();
    fs::write(path("tree/letters/ada"), "Dear Ada").unwrap();
    fs::write(path("tree/numbers"), vec![7; 3_000_000]).unwrap();
    project.check("trees", &["tree", "out", "back"].map(path), "2 sealed, 2 verified, 2 opened\n");
    assert_eq!(fs::read(path("back/letters/ada")).unwrap(), b"Dear Ada");
    assert!(!fs::read(path("out/letters/ada.age")).unwrap().windows(8).any(|bytes| bytes == b"Dear Ada"));
}
