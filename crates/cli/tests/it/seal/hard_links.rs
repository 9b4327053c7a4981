//! Files with several names (hard links).

use std::path::Path;

use haul_testkit::{Haul, files_below, seeded_bytes};

fn haul(dir: &Path) -> Haul {
    Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir)
}

#[test]
fn a_file_with_several_names_is_overwritten_once() {
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    std::fs::write(dir.path().join("key"), [0xff]).unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("sub")).unwrap();
    // A second name in the tree, a third outside it, and a file that is also an input.
    for (name, bytes) in [("small", 1_000), ("large", 2_000_000)] {
        std::fs::write(tree.join(name), seeded_bytes(1, bytes)).unwrap();
        std::fs::hard_link(tree.join(name), tree.join("sub").join(name)).unwrap();
        std::fs::hard_link(tree.join(name), dir.path().join(name)).unwrap();
    }
    std::fs::write(tree.join("single"), seeded_bytes(1, 10)).unwrap();
    std::os::unix::fs::symlink("single", tree.join("link")).unwrap();
    let transformed = |bytes| seeded_bytes(1, bytes).iter().map(|byte| !byte).collect::<Vec<u8>>();
    let is = |name: &str, expected: &[u8]| std::fs::read(dir.path().join(name)).unwrap() == expected;
    for engine in ["serial", "threads=3", "processes=3", "hybrid=2x2", "uring=2x8"] {
        for (extra, skipped) in [
            (&[][..], 2),
            (&["large", "tree/single", "tree/single"], 5),
            (&["tree/sub", "tree"], 9),
            (&["--symlinks", "follow"], 3),
            (&["tree/link"], 3),
        ] {
            let args = ["xor", "--json", "--overwrite", "-e", engine, "--key-file", "key", "tree"];
            let run = haul.run(args.iter().chain(extra)).expect_status(0);
            for (name, bytes) in [("small", 1_000), ("large", 2_000_000), ("tree/single", 10)] {
                assert!(is(name, &transformed(bytes)), "{engine} {extra:?} {name}");
            }
            let reason = "\"skipped\":\"another name of a file that is already included\"";
            assert_eq!(run.stdout_text().matches(reason).count(), skipped, "{extra:?} {}", run.stdout_text());
            let remark = "/sub/small\" was left alone: another name of a file";
            let first = "/small\" was left alone: another name of a file";
            assert!([remark, first].iter().any(|line| run.stderr_text().contains(line)), "{engine}");
            assert!(!run.stderr_text().contains("which this doesn't change"), "{}", run.stderr_text());
            haul.run(args.iter().chain(extra)).expect_status(0);
            for (name, bytes) in [("small", 1_000), ("large", 2_000_000), ("tree/single", 10)] {
                assert!(is(name, &seeded_bytes(1, bytes)), "{engine} {extra:?} {name}");
            }
        }
    }
    // Replacing writes a new file under each name, so every name is transformed.
    haul.run(["xor", "--key-file", "key", "tree"]).expect_status(0);
    for name in ["tree/small", "tree/sub/small"] {
        assert!(is(name, &transformed(1_000)), "{name}");
    }
    assert!(is("small", &seeded_bytes(1, 1_000)));
}

#[test]
fn each_name_of_a_file_is_sealed_and_reported_as_one_of_several() {
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    let tree = dir.path().join("tree");
    for engine in ["serial", "threads=3", "processes=3", "uring=2x8"] {
        std::fs::create_dir_all(&tree).unwrap();
        for (name, bytes) in [("small", 1_000), ("large", 2_000_000)] {
            std::fs::write(tree.join(name), seeded_bytes(1, bytes)).unwrap();
            for index in 0..6 {
                std::fs::hard_link(tree.join(name), tree.join(format!("{name}{index}"))).unwrap();
            }
            std::fs::hard_link(tree.join(name), dir.path().join(format!("{engine}-{name}"))).unwrap();
        }
        let sealed = dir.path().join(format!("sealed-{engine}"));
        let output = sealed.to_string_lossy();
        let args = ["seal", "--json", "-e", engine, "-r", &recipient, "-o", &output, "tree"];
        let run = haul.run(args).expect_status(0);
        let remark = "\" has 7 other names (hard links), which this doesn't change\n";
        assert_eq!(run.stderr_text().matches(remark).count(), 14, "{}", run.stderr_text());
        assert_eq!(run.stdout_text().matches("\"other_names\":7").count(), 14);
        assert_eq!(files_below(&sealed).unwrap().len(), 14, "{engine}");
        // Names are removed one after the other while others are sealed; the last one in the tree still has one
        // outside.
        let run = haul.run(["seal", "--replace", "-e", engine, "-r", &recipient, "tree"]).expect_status(0);
        assert!(run.stderr_text().contains(" other name"), "{}", run.stderr_text());
        assert_eq!(std::fs::read(dir.path().join(format!("{engine}-large"))).unwrap().len(), 2_000_000);
        haul.run(["open", "-q", "--replace", "-e", engine, "-i", "key.txt", "tree"]).expect_status(0);
        for name in files_below(&tree).unwrap() {
            let bytes = if name.to_string_lossy().starts_with("small") { 1_000 } else { 2_000_000 };
            assert!(std::fs::read(tree.join(&name)).unwrap() == seeded_bytes(1, bytes), "{engine} {name:?}");
        }
        assert_eq!(files_below(&tree).unwrap().len(), 14, "{engine}");
        std::fs::remove_dir_all(&tree).unwrap();
    }
}
