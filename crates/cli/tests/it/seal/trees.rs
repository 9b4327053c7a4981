//! Unusual conditions: concurrent runs, read-only directories, files that change.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use haul_testkit::{Haul, Tree, files_below, is_root, seeded_bytes, skip};
use serde_json::Value;

fn workdir() -> (tempfile::TempDir, Haul, String) {
    let dir = tempfile::tempdir().unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path()).timeout(Duration::from_secs(1_200));
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    (dir, haul, recipient.trim().to_owned())
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| (path.clone(), fs::read(dir.join(path)).unwrap());
    files_below(dir).unwrap().into_iter().map(read).collect()
}

/// Runs two commands on one tree at the same time. Checks their events and the files that are left.
fn check_concurrent_runs(engine: &str, options: &[&str]) {
    let (dir, haul, recipient) = workdir();
    let work = dir.path().join("work");
    Tree::seeded(7).files(120).sizes(0..=20_000).depth(2).write(&work).unwrap();
    fs::write(work.join("large"), seeded_bytes(2, 3_000_000)).unwrap();
    let plain = contents(&work);
    let args = ["seal", "--json", "-e", engine, "-r", &recipient, "work"];
    let runs = [(); 2].map(|()| haul.spawn(args.iter().chain(options)));
    let mut winners: BTreeMap<PathBuf, u32> = BTreeMap::new();
    for run in runs.map(haul_testkit::Running::finish) {
        let mut failed = 0;
        for line in run.stdout_text().lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let path =
                || Path::new(event["subject"].as_str().unwrap()).strip_prefix("work").unwrap().to_owned();
            match event["event"].as_str().unwrap() {
                "done" => *winners.entry(path()).or_default() += 1,
                "failed" => {
                    failed += 1;
                    let error = event["error"].as_str().unwrap();
                    // The other run was first: the result exists, or with --replace the source is gone.
                    let is_lost = error.starts_with("the result ") && error.ends_with(" exists already")
                        || !options.is_empty()
                            && ["No such file or directory", "the file was changed while it was read"]
                                .contains(&error);
                    assert!(is_lost, "{engine} {options:?}: {:?}: {error}", path());
                }
                _ => {}
            }
        }
        assert_eq!(run.status, i32::from(failed > 0), "{}", run.stderr_text());
    }
    let mut left = contents(&work);
    left.retain(|path, _| path.extension().is_none_or(|extension| extension != "age"));
    match options {
        [] => {
            assert!(winners.values().all(|count| *count == 1), "{engine}: done twice");
            assert_eq!(winners.len(), plain.len(), "{engine}");
            assert!(left == plain, "{engine}: sources are as they were");
        }
        _ => assert!(left.is_empty(), "{engine}: {:?} are left", left.keys()),
    }
    haul.run(["open", "-q", "-i", "key.txt", "-o", "opened", "work"]).expect_status(0);
    assert!(contents(&dir.path().join("opened")) == plain, "{engine} {options:?}: every file, and whole");
    let names = files_below(&work).unwrap();
    assert!(names.iter().all(|name| !haul_io::is_temporary(name.file_name().unwrap())), "{names:?}");
}

#[test]
fn two_runs_over_one_tree_seal_each_file_once() {
    for engine in ["serial", "threads=3", "processes=2", "uring=2x8"] {
        check_concurrent_runs(engine, &[]);
        check_concurrent_runs(engine, &["--replace"]);
    }
}

/// The second run looks for leftovers of killed runs where the first one works.
#[test]
fn runs_into_one_directory_leave_each_others_files_alone() {
    let (dir, haul, recipient) = workdir();
    for (tree, seed) in [("a", 1), ("b", 2)] {
        fs::create_dir(dir.path().join(tree)).unwrap();
        for index in 0..16 {
            let content = seeded_bytes(seed + index * 2, 1_200_000);
            fs::write(dir.path().join(tree).join(format!("{tree}{index}")), content).unwrap();
        }
    }
    for _ in 0..3 {
        let seal =
            |tree| haul.spawn(["seal", "-q", "-e", "processes=2", "-r", &recipient, "-o", "out", tree]);
        let (one, other) = (seal("a"), seal("b"));
        one.finish().expect_status(0);
        other.finish().expect_status(0);
        let names = files_below(&dir.path().join("out")).unwrap();
        assert_eq!(names.len(), 32, "{names:?}");
        assert!(names.iter().all(|name| name.extension().is_some_and(|extension| extension == "age")));
        fs::remove_dir_all(dir.path().join("out")).unwrap();
    }
}

#[test]
fn a_directory_that_cannot_be_written_fails_alone() {
    if !is_root() {
        return skip("only root can mount a directory read-only");
    }
    let (dir, haul, recipient) = workdir();
    for name in ["tree/open", "tree/shut"] {
        fs::create_dir_all(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("file"), "x").unwrap();
        fs::write(dir.path().join(name).join("large"), seeded_bytes(1, 2_000_000)).unwrap();
    }
    let shut = dir.path().join("tree/shut");
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).arg(&shut).status().unwrap().success();
    if !mount(&["mount", "--bind", shut.to_str().unwrap()]) {
        return skip("mounting is not permitted");
    }
    assert!(mount(&["mount", "-o", "remount,ro,bind"]));
    let runs = ["serial", "threads=2", "processes=2", "uring=1x8"].map(|engine| {
        let run = haul.run(["seal", "--replace", "--force", "-e", engine, "-r", &recipient, "tree"]);
        for name in ["file", "large"] {
            fs::write(dir.path().join("tree/open").join(name), "x").unwrap();
        }
        run
    });
    let left = files_below(&dir.path().join("tree/shut")).unwrap();
    assert!(mount(&["umount"]));
    for run in runs {
        let text = run.stderr_text();
        assert_eq!(run.status, 1, "{text}");
        let refused = ".age\": Read-only file system\n";
        assert_eq!(text.matches(refused).count(), 2, "{text}");
    }
    assert_eq!(left, [Path::new("file"), Path::new("large")]);
}

#[test]
fn a_file_that_changes_while_it_is_streamed_is_reported() {
    let (dir, _, recipient) = workdir();
    let path = dir.path().join("growing");
    // Much more than the pieces in flight and the pipe hold.
    File::create(&path).unwrap().set_len(64 << 20).unwrap();
    for input in ["growing", "-"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
        command.args(["seal", "-e", "threads=2", "-r", &recipient, "-o", "-", input]);
        command.current_dir(dir.path()).stdin(File::open(&path).unwrap());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut sealed = child.stdout.take().unwrap();
        let mut beginning = [0; 1];
        sealed.read_exact(&mut beginning).unwrap();
        let bytes = path.metadata().unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(bytes + 1).unwrap();
        std::io::copy(&mut sealed, &mut std::io::sink()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let expected =
            format!("haul: error: cannot seal \"{input}\": the file was changed while it was read\n");
        assert_eq!((output.status.code(), text), (Some(1), expected));
    }
}

#[test]
fn what_has_the_name_of_a_result_is_reported_by_the_files_own_task_however_soon_it_is_replaced() {
    let (dir, haul, recipient) = workdir();
    for engine in ["serial", "threads=1", "uring=1x4"] {
        let work = dir.path().join("work");
        fs::create_dir(&work).unwrap();
        fs::write(work.join("alone.age"), "no age file").unwrap();
        for index in 0..20 {
            fs::write(work.join(format!("letter{index}")), "Dear Ada").unwrap();
            fs::write(work.join(format!("letter{index}.age")), "no age file").unwrap();
        }
        let args =
            ["seal", "--json", "--force", "-e", engine, "--exclude", "letter7", "-r", &recipient, "work"];
        let run = haul.run(args).expect_status(0);
        let events: Vec<Value> =
            run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut skipped: Vec<_> = events
            .iter()
            .filter(|event| event["skipped"].is_string())
            .map(|event| event["subject"].as_str().unwrap())
            .collect();
        skipped.sort();
        assert_eq!(skipped, ["work/alone.age", "work/letter7.age"], "{engine}");
        assert_eq!(events.last().unwrap()["succeeded"], 19, "{engine}");
        fs::remove_dir_all(&work).unwrap();
    }
}
