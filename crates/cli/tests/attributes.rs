//! Extended attributes of users, kept where that is asked.

use std::collections::BTreeMap;
use std::path::Path;

use haul_testkit::{Haul, seeded_bytes, skip};
use rustix::fs::{XattrFlags, getxattr, listxattr, setxattr};
use rustix::io::Errno;

const NAMES: [&str; 3] = ["small", "large", "empty"];

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
fn attributes_come_back_if_they_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
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
            for made in [&sealed, &opened] {
                std::fs::remove_dir_all(dir.path().join(made)).unwrap();
            }
        }
    }
}
