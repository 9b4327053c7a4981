//! `haul seal --update`: only what is new or changed.

use std::fs::File;
use std::time::{Duration, SystemTime};

use haul_testkit::seeded_bytes;

use crate::workdir::Workdir;

#[test]
fn only_what_is_new_or_changed_is_sealed() {
    for engine in ["serial", "threads=2", "processes=2", "hybrid=1x2", "uring=1x8"] {
        let workdir = Workdir::with_sealed(10);
        let recipient = workdir.run(&["keygen", "-y", "key.txt"]).expect_status(0).stdout_text();
        let recipient = recipient.trim();
        for number in 0..5_u64 {
            workdir.write(
                format!("tree/deep/{number}"),
                seeded_bytes(number, 1_000 + 200_000 * number as usize),
            );
        }
        let update = ["seal", "--update", "-e", engine, "-r", recipient, "-o", "out", "tree"];
        let first = workdir.run(&update).expect_status(0).stderr_text();
        assert!(first.contains("5 files sealed, "), "{engine}: {first}");
        let before: Vec<_> = (0..5).map(|number| workdir.read(format!("out/deep/{number}.age"))).collect();
        let second = workdir.run(&update).expect_status(0).stderr_text();
        assert!(second.contains("0 files sealed, 5 unchanged"), "{engine}: {second}");
        // One changes its time, one its length but not its time, one is new, one lost its result.
        let touched = File::options().write(true).open(workdir.path("tree/deep/0")).unwrap();
        touched.set_modified(SystemTime::now() - Duration::from_secs(5_000)).unwrap();
        let time = workdir.path("tree/deep/1").metadata().unwrap().modified().unwrap();
        workdir.write("tree/deep/1", seeded_bytes(9, 5_000_000));
        File::options().write(true).open(workdir.path("tree/deep/1")).unwrap().set_modified(time).unwrap();
        workdir.write("tree/new", "new");
        std::fs::remove_file(workdir.path("out/deep/4.age")).unwrap();
        let third = workdir.run(&update).expect_status(0).stderr_text();
        assert!(third.contains("4 files sealed, 2 unchanged"), "{engine}: {third}");
        for number in [2, 3] {
            assert_eq!(
                workdir.read(format!("out/deep/{number}.age")),
                before[number],
                "{engine}: left as it was"
            );
        }
        workdir.run(&["open", "-i", "key.txt", "-o", "back", "out"]).expect_status(0);
        for name in ["deep/0", "deep/1", "deep/4", "new"] {
            assert_eq!(
                workdir.read(format!("back/{name}")),
                workdir.read(format!("tree/{name}")),
                "{engine}"
            );
        }
    }
}

#[test]
fn what_is_no_complete_age_file_is_no_result() {
    for (armor, large) in [(None, false), (None, true), (Some("-a"), false)] {
        let workdir = Workdir::with_sealed(10);
        let recipient = workdir.run(&["keygen", "-y", "key.txt"]).expect_status(0).stdout_text();
        workdir.write("tree/f", seeded_bytes(1, if large { 3_000_000 } else { 1_000 }));
        let mut update = vec!["seal", "--update", "-r", recipient.trim(), "-o", "out", "tree"];
        update.extend(armor);
        workdir.run(&update).expect_status(0);
        let (result, time) =
            (workdir.read("out/f.age"), workdir.path("tree/f").metadata().unwrap().modified());
        let longer = armor.is_none().then(|| [&result[..], b"x"].concat());
        let damaged = [vec![0; result.len()], Vec::new(), result[..30].to_vec()];
        for damaged in damaged.into_iter().chain(longer) {
            workdir.write("out/f.age", damaged);
            let file = File::options().write(true).open(workdir.path("out/f.age")).unwrap();
            file.set_modified(time.as_ref().copied().unwrap()).unwrap();
            let run = workdir.run(&update).expect_status(0).stderr_text();
            assert!(run.contains("\"tree/f\" -> \"out/f.age\"") && !run.contains("unchanged"), "{run}");
            workdir.run(&["verify", "-i", "key.txt", "out"]).expect_status(0);
        }
    }
}

#[test]
fn results_beside_their_sources_are_updated_too() {
    let workdir = Workdir::with_sealed(10);
    let recipient = workdir.run(&["keygen", "-y", "key.txt"]).expect_status(0).stdout_text();
    let update = |more: &[&str]| workdir.run(&[&["seal", "--update", "-r", recipient.trim()], more].concat());
    let one = update(&["letter"]).expect_status(0).stderr_text();
    assert!(one.contains("\"letter\" -> \"letter.age\", unchanged"), "{one}");
    let json = update(&["--json", "letter"]).expect_status(0).stdout_text();
    assert!(json.contains("\"unchanged\":true") && json.contains("\"unchanged\":1"), "{json}");
    workdir.refuses("seal-update-force", &["seal", "--update", "--force", "-r", "age1xyz", "letter"]);
    workdir.refuses("seal-update-stream", &["seal", "--update", "-r", "age1xyz", "-"]);
}
