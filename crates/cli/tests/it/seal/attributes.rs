//! `--xattrs`: extended attributes of files and directories.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use haul_testkit::{Haul, is_root, seeded_bytes, skip};
use rustix::fs::{XattrFlags, getxattr, listxattr, setxattr};
use rustix::io::Errno;

const NAMES: [&str; 3] = ["small", "large", "empty"];
/// The directories of the tree. The last one is read-only once it is complete.
const DIRECTORIES: [&str; 4] = ["", "sub", "sub/deep", "shut"];

fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 4096];
    let count = listxattr(path, &mut names[..]).unwrap();
    let names = names[..count].split(|byte| *byte == 0).filter(|name| name.starts_with(b"user."));
    let mut value = vec![0; 4096];
    let read = |name: &[u8]| {
        let name = String::from_utf8(name.to_vec()).unwrap();
        let count = getxattr(path, &name, &mut value[..]).unwrap();
        (name, value[..count].to_vec())
    };
    names.map(read).collect()
}

#[test]
fn attributes_are_restored_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    let tree = dir.path().join("tree");
    for name in ["sub/deep", "shut"] {
        std::fs::create_dir_all(tree.join(name)).unwrap();
    }
    std::fs::write(tree.join("sub/deep/inner"), "x").unwrap();
    for (name, bytes) in NAMES.into_iter().zip([1_000, 2_500_000, 0]) {
        let path = tree.join(name);
        std::fs::write(&path, seeded_bytes(1, bytes)).unwrap();
        for (attribute, value) in [("user.origin", "http://example.org/"), ("user.nothing", "")] {
            match setxattr(&path, attribute, value.as_bytes(), XattrFlags::empty()) {
                Err(Errno::OPNOTSUPP) => return skip("the file system has no extended attributes"),
                result => result.unwrap(),
            }
        }
    }
    let expected = attributes(&tree.join("small"));
    assert_eq!(expected.len(), 2);
    for (index, name) in DIRECTORIES.into_iter().enumerate() {
        setxattr(tree.join(name), "user.label", &[b'0' + index as u8], XattrFlags::empty()).unwrap();
    }
    std::fs::set_permissions(tree.join("shut"), Permissions::from_mode(0o555)).unwrap();
    for engine in ["serial", "threads=2", "processes=2", "uring=2x4"] {
        for (options, keeps) in
            [(&["--xattrs"][..], true), (&["--xattrs", "-a", "--no-preserve"], true), (&[], false)]
        {
            let (sealed, opened) = (format!("sealed-{engine}"), format!("opened-{engine}"));
            let args = ["seal", "-e", engine, "-r", recipient.trim(), "-o", &sealed, "tree"];
            haul.run(args.iter().chain(options)).expect_status(0);
            let args = ["open", "-e", engine, "-i", "key.txt", "--xattrs", "-o", &opened, &sealed];
            haul.run(args).expect_status(0);
            for name in NAMES {
                let sealed = attributes(&dir.path().join(&sealed).join(format!("{name}.age")));
                let opened = attributes(&dir.path().join(&opened).join(name));
                assert_eq!((sealed == expected, opened == expected), (keeps, keeps), "{engine} {name}");
                assert!(keeps || sealed.is_empty() && opened.is_empty(), "{engine} {name}");
            }
            for name in DIRECTORIES {
                let expected = if keeps { attributes(&tree.join(name)) } else { BTreeMap::new() };
                for made in [&sealed, &opened] {
                    assert_eq!(attributes(&dir.path().join(made).join(name)), expected, "{engine} {name:?}");
                }
            }
            for made in [&sealed, &opened] {
                std::fs::remove_dir_all(dir.path().join(made)).unwrap();
            }
        }
    }
}

#[test]
fn an_existing_output_keeps_its_attributes_and_lost_ones_are_reported() {
    if !is_root() {
        return skip("only root can mount a file system without attributes");
    }
    let dir = tempfile::tempdir().unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    for name in ["tree/sub", "there", "bare"] {
        std::fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    for (name, value) in [("tree", b"1"), ("tree/sub", b"2"), ("there", b"3")] {
        match setxattr(dir.path().join(name), "user.label", value, XattrFlags::empty()) {
            Err(Errno::OPNOTSUPP) => return skip("the file system has no extended attributes"),
            result => result.unwrap(),
        }
    }
    let before = attributes(&dir.path().join("there"));
    let seal =
        |output: &str| haul.run(["seal", "--json", "--xattrs", "-r", recipient.trim(), "-o", output, "tree"]);
    seal("there").expect_status(0);
    assert_eq!(attributes(&dir.path().join("there")), before);
    assert_eq!(attributes(&dir.path().join("there/sub")), attributes(&dir.path().join("tree/sub")));
    let mount =
        |args: &[&str]| Command::new(args[0]).args(&args[1..]).arg(dir.path().join("bare")).status().unwrap();
    if !mount(&["mount", "-t", "ramfs", "ramfs"]).success() {
        return skip("mounting is not permitted");
    }
    let run = seal("bare/out");
    assert!(mount(&["umount"]).success());
    assert_eq!(run.status, 0, "{}", run.stderr_text());
    for name in ["tree", "tree/sub"] {
        let told = format!("haul: \"{name}\" has attributes that the result lacks: \"user.label\"\n");
        assert!(run.stderr_text().contains(&told), "{}", run.stderr_text());
    }
    assert_eq!(run.stdout_text().matches("\"lost_attributes\":[\"user.label\"]").count(), 2);
}
