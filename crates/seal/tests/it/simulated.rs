//! The jobs in the simulation: after any failure the source is intact, and the result is complete or absent.

use std::io;
use std::path::Path;

use haul_io::Durability;
use haul_io::sim::{Files, Sim};
use haul_seal::{
    Error, FileOptions, Identity, OpenJob, Outcome, Recipient, Replacing, SealJob, Task, VerifyJob,
    X25519Identity, XorJob, XorMode,
};
use haul_testkit::without_engine;

fn identity() -> X25519Identity {
    X25519Identity::generate_with(&mut |out| out.fill(1))
}

fn options() -> FileOptions {
    FileOptions { durability: Durability::Synced, ..FileOptions::default() }
}

fn seal_job() -> SealJob {
    SealJob::new(vec![Recipient::X25519(identity().to_recipient())], options()).unwrap()
}

fn open_job() -> OpenJob {
    OpenJob::new(vec![Identity::X25519(identity())], options())
}

fn content(bytes: usize) -> Vec<u8> {
    let pattern: Vec<_> = (0..251).collect();
    let mut content = pattern.repeat(bytes.div_ceil(pattern.len()));
    content.truncate(bytes);
    content
}

/// A small file and a file with two segments.
const SIZES: [usize; 2] = [100_000, 4_300_000];

fn machine(seed: u64, bytes: usize) -> Sim {
    let mut files = Files::default();
    files.put("d/plain", &content(bytes));
    Sim::with_files(seed, files)
}

fn seal_task() -> Task {
    Task::file("d/plain", "d/sealed")
}

/// Opens `sealed` on a machine without faults.
fn opened(sealed: &[u8]) -> Option<Vec<u8>> {
    let mut files = Files::default();
    files.put("sealed", sealed);
    let sim = Sim::with_files(0, files);
    let task = Task::file("sealed", "plain");
    sim.run(without_engine(&sim, &open_job(), &task)).unwrap().ok()?;
    let files = sim.files();
    files.get("plain").map(<[u8]>::to_vec)
}

#[test]
fn a_file_system_is_asked_once_whether_it_reports_failures_at_close() {
    // One byte, so that no read or write is short and every file takes equally many operations.
    let sim = machine(3, 1);
    let job = || XorJob::new(b"key", XorMode::Overwrite).unwrap();
    let operations = |job: &XorJob| {
        let before = sim.submitted();
        sim.run(without_engine(&sim, job, &Task::file("d/plain", "d/plain"))).unwrap().unwrap();
        sim.submitted() - before
    };
    let reused = job();
    let first = operations(&reused);
    assert_eq!(operations(&job()), first);
    assert_eq!(operations(&reused), first - 1);
}

#[test]
fn short_reads_and_writes_change_nothing() {
    for bytes in SIZES {
        for seed in 0..6 {
            let sim = machine(seed, bytes);
            let job = seal_job().armored(seed % 2 == 1);
            sim.run(without_engine(&sim, &job, &seal_task())).unwrap().unwrap();
            let names = sim.files().names().len();
            let verify = VerifyJob::new(vec![Identity::X25519(identity())]);
            sim.run(without_engine(&sim, &verify, &Task::check("d/sealed"))).unwrap().unwrap();
            assert_eq!(sim.files().names().len(), names, "verifying writes nothing");
            let back = Task::file("d/sealed", "new/dir/plain");
            sim.run(without_engine(&sim, &open_job(), &back)).unwrap().unwrap();
            assert!(sim.files().get("new/dir/plain") == Some(&content(bytes)), "{bytes} bytes, seed {seed}");
        }
    }
}

#[test]
fn whichever_operation_fails_the_sealed_file_is_whole_or_absent() {
    for (bytes, armored) in [(SIZES[0], false), (SIZES[1], false), (SIZES[0], true)] {
        let job = seal_job().armored(armored);
        let sim = machine(1, bytes);
        sim.run(without_engine(&sim, &job, &seal_task())).unwrap().unwrap();
        for number in 0..sim.submitted() {
            let sim = machine(1, bytes);
            sim.fail_operation(number, io::ErrorKind::StorageFull);
            let result = sim.run(without_engine(&sim, &job, &seal_task())).unwrap();
            let files = sim.files();
            assert!(files.get("d/plain") == Some(&content(bytes)), "operation {number}: the source");
            match files.get("d/sealed") {
                Some(sealed) => {
                    assert!(opened(sealed) == Some(content(bytes)), "operation {number}: damaged")
                }
                None => assert!(result.is_err(), "operation {number}: success without a result"),
            }
            let expected = 2 + usize::from(files.get("d/sealed").is_some());
            assert_eq!(files.names().len(), expected, "operation {number}: a temporary is left");
        }
    }
}

#[test]
fn whichever_operation_fails_the_opened_file_is_whole_or_absent() {
    for (bytes, armored) in [(SIZES[0], false), (SIZES[1], false), (SIZES[0], true)] {
        let sim = machine(1, bytes);
        sim.run(without_engine(&sim, &seal_job().armored(armored), &seal_task())).unwrap().unwrap();
        let sealed = sim.files().get("d/sealed").map(<[u8]>::to_vec).expect("it was sealed");
        let machine = || {
            let mut files = Files::default();
            files.put("d/sealed", &sealed);
            Sim::with_files(1, files)
        };
        let task = Task::file("d/sealed", "d/opened");
        let sim = machine();
        sim.run(without_engine(&sim, &open_job(), &task)).unwrap().unwrap();
        for number in 0..sim.submitted() {
            let sim = machine();
            sim.fail_operation(number, io::ErrorKind::StorageFull);
            let result = sim.run(without_engine(&sim, &open_job(), &task)).unwrap();
            let files = sim.files();
            match files.get("d/opened") {
                Some(opened) => assert!(opened == content(bytes), "operation {number}: damaged"),
                None => assert!(result.is_err(), "operation {number}: success without a result"),
            }
            let expected = 2 + usize::from(files.get("d/opened").is_some());
            assert_eq!(files.names().len(), expected, "operation {number}: a temporary is left");
        }
    }
}

#[test]
fn after_a_power_cut_the_source_is_there_and_the_result_whole_or_absent() {
    let bytes = SIZES[0];
    let sim = machine(1, bytes);
    sim.run(without_engine(&sim, &seal_job(), &seal_task())).unwrap().unwrap();
    for number in 0..=sim.submitted() {
        for seed in 0..10 {
            let sim = machine(seed, bytes);
            sim.cut_power_at(number);
            let reported = sim.run(without_engine(&sim, &seal_job(), &seal_task())).is_some();
            let left = sim.after_power_cut();
            assert!(left.get("d/plain") == Some(&content(bytes)), "cut at {number}, seed {seed}");
            match left.get("d/sealed") {
                Some(sealed) => {
                    assert!(opened(sealed) == Some(content(bytes)), "cut at {number}, seed {seed}")
                }
                None => assert!(!reported, "cut at {number}, seed {seed}: reported done and lost"),
            }
        }
    }
}

#[test]
fn a_source_that_changes_is_not_published() {
    for bytes in SIZES {
        let sim = machine(1, bytes);
        let job = seal_job();
        let task = seal_task();
        // The file changes after each number of operations in turn, until the job's last check has passed.
        let change_at = |number: u64| {
            let sim = machine(1, bytes);
            sim.change_files_at(number, move |files| files.put("d/plain", &content(bytes + 1)));
            let result = sim.run(without_engine(&sim, &job, &task)).unwrap();
            let sealed = sim.files().get("d/sealed").map(<[u8]>::to_vec);
            (result, sealed)
        };
        sim.run(without_engine(&sim, &job, &task)).unwrap().unwrap();
        for number in 0..sim.submitted() {
            let (result, sealed) = change_at(number);
            match sealed {
                Some(sealed) => {
                    let plain = opened(&sealed).expect("what is published opens");
                    assert!(result.is_ok() && (plain == content(bytes) || plain == content(bytes + 1)));
                }
                None => assert!(result.is_err()),
            }
        }
    }
}

#[test]
fn a_full_disk_is_distinguished_from_other_failures() {
    for bytes in SIZES {
        let sim = machine(1, bytes);
        sim.files().capacity_bytes = Some(bytes as u64 + 50_000);
        let error = sim.run(without_engine(&sim, &seal_job(), &seal_task())).unwrap().unwrap_err();
        assert_eq!(error.kind(), haul_seal::ErrorKind::NoSpace, "{error}");
        assert_eq!(sim.files().names(), [Path::new("d"), Path::new("d/plain")]);
    }
}

#[test]
fn an_overwritten_file_is_whole_or_said_to_be_damaged() {
    let key = b"a key";
    let expected: Vec<u8> =
        content(SIZES[1]).iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    for bytes in SIZES {
        let task = Task::file("d/plain", "d/plain");
        let job = XorJob::new(key, XorMode::Overwrite).unwrap();
        let sim = machine(1, bytes);
        sim.run(without_engine(&sim, &job, &task)).unwrap().unwrap();
        assert!(sim.files().get("d/plain") == Some(&expected[..bytes]));
        for number in 0..sim.submitted() {
            let sim = machine(1, bytes);
            sim.fail_operation(number, io::ErrorKind::StorageFull);
            let result = sim.run(without_engine(&sim, &job, &task)).unwrap();
            let files = sim.files();
            let now = files.get("d/plain").unwrap();
            match result {
                Ok(_) => assert!(now == &expected[..bytes], "operation {number}"),
                Err(Error::HalfOverwritten) => {}
                Err(error) => assert!(now == content(bytes), "operation {number}: {error}"),
            }
        }
    }
}

#[test]
fn a_file_that_is_replaced_is_at_every_failure_one_or_the_other() {
    let key = b"a key";
    for bytes in SIZES {
        let expected: Vec<u8> =
            content(bytes).iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        let task = Task::file("d/plain", "d/plain");
        let job = XorJob::new(key, XorMode::Replace(Durability::Synced)).unwrap();
        let sim = machine(1, bytes);
        sim.run(without_engine(&sim, &job, &task)).unwrap().unwrap();
        assert!(sim.files().get("d/plain") == Some(&expected));
        for number in 0..sim.submitted() {
            let sim = machine(1, bytes);
            sim.fail_operation(number, io::ErrorKind::StorageFull);
            let failed = sim.run(without_engine(&sim, &job, &task)).unwrap().is_err();
            let files = sim.files();
            let now = files.get("d/plain").expect("one of the two");
            assert!(now == content(bytes) || now == expected, "operation {number}");
            assert!(failed || now == expected, "operation {number}");
            assert_eq!(files.names().len(), 2, "operation {number}: a temporary is left");
        }
    }
}

/// Checks what is left of a source that was to be removed, and of its result.
#[track_caller]
fn check_replaced(files: &Files, bytes: usize, reported: Option<bool>, case: &str) {
    let source = files.get("d/plain");
    let sealed = files.get("d/sealed");
    assert!(source.is_none_or(|source| source == content(bytes)), "{case}: the source was changed");
    let whole = sealed.is_some_and(|sealed| opened(sealed) == Some(content(bytes)));
    assert!(source.is_some() || whole, "{case}: neither source nor result");
    assert!(sealed.is_none() || whole, "{case}: a damaged result");
    if reported == Some(true) {
        assert!(whole, "{case}: reported done without a durable result");
    }
}

#[test]
fn a_source_is_removed_only_when_its_result_survives_a_power_cut() {
    for bytes in SIZES {
        let job = Replacing::new(seal_job());
        let sim = machine(1, bytes);
        sim.run(without_engine(&sim, &job, &seal_task())).unwrap().unwrap();
        assert_eq!(sim.files().get("d/plain"), None);
        check_replaced(&sim.files(), bytes, Some(true), "without a fault");
        for number in 0..=sim.submitted() {
            let faulty = machine(1, bytes);
            faulty.fail_operation(number, io::ErrorKind::StorageFull);
            let result = faulty.run(without_engine(&faulty, &job, &seal_task())).unwrap();
            check_replaced(
                &faulty.files(),
                bytes,
                Some(result.is_ok()),
                &format!("operation {number} fails"),
            );
            if result.is_ok() {
                assert_eq!(
                    faulty.files().get("d/plain"),
                    None,
                    "operation {number}: done, and the source there"
                );
            }
            for seed in 0..if bytes == SIZES[0] { 10 } else { 1 } {
                let cut = machine(seed, bytes);
                cut.cut_power_at(number);
                let reported = cut.run(without_engine(&cut, &job, &seal_task())).map(|result| result.is_ok());
                let case = format!("{bytes} bytes, cut at {number}, seed {seed}");
                check_replaced(&cut.after_power_cut(), bytes, reported, &case);
            }
        }
    }
}

#[test]
fn a_source_that_changes_is_not_removed() {
    let bytes = SIZES[0];
    let job = Replacing::new(seal_job());
    let sim = machine(1, bytes);
    sim.run(without_engine(&sim, &job, &seal_task())).unwrap().unwrap();
    for number in 0..sim.submitted() {
        let sim = machine(1, bytes);
        let task = seal_task();
        sim.change_files_at(number, move |files| {
            if files.get("d/plain").is_some() {
                files.put("d/plain", &content(bytes + 1));
            }
        });
        let result = sim.run(without_engine(&sim, &job, &task)).unwrap();
        let files = sim.files();
        match files.get("d/plain") {
            Some(source) => assert!(result.is_err() && source == content(bytes + 1), "change at {number}"),
            None => {
                let plain = opened(files.get("d/sealed").unwrap()).unwrap();
                assert!(result.is_ok() && (plain == content(bytes) || plain == content(bytes + 1)));
            }
        }
    }
}

#[test]
fn attributes_are_kept_if_asked_and_named_if_lost() {
    for (bytes, armored) in [(SIZES[0], false), (SIZES[1], false), (SIZES[0], true)] {
        for (xattrs, refused) in [(true, false), (true, true), (false, false)] {
            let sim = machine(1, bytes);
            sim.files().put_attribute("d/plain", "user.origin", b"here");
            sim.files().refuse_attributes = refused;
            let job = SealJob::new(
                vec![Recipient::X25519(identity().to_recipient())],
                FileOptions { xattrs, ..options() },
            );
            let done =
                sim.run(without_engine(&sim, &job.unwrap().armored(armored), &seal_task())).unwrap().unwrap();
            let Outcome::File { remarks, .. } = done else { panic!("{done:?}") };
            let case = format!("{bytes} bytes, armored {armored}, {xattrs} {refused}");
            let lost: &[&str] = if refused { &["user.origin"] } else { &[] };
            assert_eq!(remarks.lost_attributes, lost, "{case}");
            let expected = (xattrs && !refused).then_some(b"here".as_slice());
            assert_eq!(sim.files().attribute("d/sealed", "user.origin"), expected, "{case}");
        }
    }
}

#[test]
fn a_default_run_keeps_no_attributes() {
    let default = FileOptions::default();
    assert!(!default.xattrs);
    assert_eq!((default.umask, default.sparse, default.update), (0, false, false));
}

#[test]
fn a_source_that_is_written_to_is_published_as_it_was_or_not_at_all() {
    for (bytes, armored) in [(SIZES[0], false), (SIZES[1], false), (SIZES[0], true)] {
        let job = seal_job().armored(armored);
        let sim = machine(1, bytes);
        sim.run(without_engine(&sim, &job, &seal_task())).unwrap().unwrap();
        let other = vec![0xee; bytes];
        let mut refused = 0;
        for number in (0..sim.submitted()).step_by(bytes / 1_000_000 + 1) {
            let sim = machine(1, bytes);
            let now = other.clone();
            sim.change_files_at(number, move |files| files.rewrite("d/plain", &now));
            let result = sim.run(without_engine(&sim, &job, &seal_task())).unwrap();
            match (&result, sim.files().get("d/sealed")) {
                (Ok(_), Some(sealed)) => {
                    let plain = opened(sealed).expect("what is published opens");
                    assert!(plain == content(bytes) || plain == other, "change at {number}: a mixture");
                }
                (Err(Error::SourceChanged), None) => refused += 1,
                _ => panic!("change at {number}: {result:?}"),
            }
        }
        assert!(refused > 1, "{bytes} bytes, armored {armored}: {refused} refused");
    }
}
