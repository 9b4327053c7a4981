//! `haul cat` and `haul open --range`: any bytes of sealed files on stdout.

use std::ops::Range;

use haul_testkit::{check_golden, seeded_bytes};

use super::streams::StreamWorkdir;
use crate::workdir::golden;

const CHUNK: usize = 65_536;

/// A directory with three sealed files, and their plaintexts.
fn three() -> (StreamWorkdir, [Vec<u8>; 3]) {
    let workdir = StreamWorkdir::new();
    let plains = [(1, 3 * CHUNK), (2, 0), (3, 700_001)].map(|(seed, bytes)| seeded_bytes(seed, bytes));
    for (name, plain) in ["a", "b", "c"].iter().zip(&plains) {
        workdir.write(name, plain);
    }
    workdir.seal(&["a"]);
    workdir.seal(&["b"]);
    workdir.seal(&["-a", "c"]);
    (workdir, plains)
}

#[test]
fn files_are_written_one_after_another() {
    let (workdir, plains) = three();
    let all = workdir.run(&["cat", "-i", "key.txt", "a.age", "b.age", "c.age"]).expect_status(0);
    assert!(all.stdout == plains.concat());
    let piped = workdir.fed(&workdir.read("c.age"), &["cat", "-i", "key.txt", "-"]).expect_status(0);
    assert!(piped.stdout == plains[2]);
    workdir.says("cat-stdin-and-file", &["cat", "-i", "key.txt", "-", "a.age"]);
    workdir.says("cat-with-nothing", &["cat", "a.age"]);
}

#[test]
fn any_range_is_written_and_no_more() {
    let (workdir, plains) = three();
    let end = plains[2].len();
    let cases: [(&str, Range<usize>); 9] = [
        ("0-0", 0..1),
        ("0-", 0..end),
        ("65535-65536", 65_535..65_537),
        ("65536-131071", 65_536..131_072),
        ("5-699999", 5..700_000),
        ("700000-", end - 1..end),
        ("700000-900000", end - 1..end),
        ("-100000", end - 100_000..end),
        ("-800000", 0..end),
    ];
    for (range, expected) in cases {
        let cat = workdir.run(&["cat", "-i", "key.txt", "--range", range, "c.age"]).expect_status(0);
        assert!(cat.stdout == plains[2][expected.clone()], "{range}");
        let open = workdir.run(&["open", "-i", "key.txt", "--range", range, "-o", "-", "c.age"]);
        assert!(open.expect_status(0).stdout == plains[2][expected], "{range}");
    }
    let both = workdir.run(&["cat", "-i", "key.txt", "--range", "-2", "a.age", "c.age"]).expect_status(0);
    assert_eq!(both.stdout, [&plains[0][3 * CHUNK - 2..], &plains[2][end - 2..]].concat());
}

#[test]
fn ranges_that_cannot_be_had_are_refused() {
    let (workdir, _) = three();
    for (name, range) in
        [("behind", "700001-"), ("reversed", "7-3"), ("of-nothing", "-0"), ("of-units", "1k-2k")]
    {
        workdir.says(&format!("cat-range-{name}"), &["cat", "-i", "key.txt", "--range", range, "c.age"]);
    }
    workdir.says("cat-range-of-empty", &["cat", "-i", "key.txt", "--range", "-5", "b.age"]);
    let names = workdir.names();
    workdir.says("open-range-to-file", &["open", "-i", "key.txt", "--range", "0-9", "-o", "out", "c.age"]);
    workdir.says("open-range-beside", &["open", "-i", "key.txt", "--range", "0-9", "c.age"]);
    assert_eq!(workdir.names(), names);
    let piped = workdir.fed(&workdir.read("c.age"), &["cat", "-i", "key.txt", "--range", "0-9", "-"]);
    check_golden(golden("cat-range-of-pipe"), &piped);
}

#[test]
fn damage_ends_the_output_and_only_where_it_is_read() {
    let (workdir, plains) = three();
    let cat = |args: &[&str]| workdir.run(&[["cat", "-i", "key.txt"].as_slice(), args].concat());
    workdir.change("a.age", |bytes| bytes[CHUNK + 1_000] ^= 1);
    let run = cat(&["c.age", "a.age", "c.age"]);
    assert_eq!(run.status, 4, "{}", run.stderr_text());
    assert!(run.stdout == [plains[2].as_slice(), &plains[0][..CHUNK]].concat(), "the third is not begun");
    let others = cat(&["--range", "131072-", "a.age"]).expect_status(0);
    assert!(others.stdout == plains[0][2 * CHUNK..], "a chunk that isn't read may be damaged");
    let run = cat(&["--range", "60000-", "a.age"]);
    assert!(run.stdout == plains[0][60_000..CHUNK]);
    let message = "haul: error: cannot open \"a.age\": chunk 1 is damaged or was tampered with: ";
    assert!(run.status == 4 && run.stderr_text().starts_with(message), "{}", run.stderr_text());
    // Cut at a chunk, so that only the last chunk shows it.
    let start = workdir.read("a.age").len() - 3 * (CHUNK + 16);
    workdir.change("a.age", |bytes| bytes.truncate(start + CHUNK + 16));
    let run = cat(&["--range", "0-9", "a.age"]);
    assert!(run.stdout.is_empty(), "the length is known before the first byte is written");
    check_golden(golden("cat-range-cut"), &run);
}

#[test]
fn each_failure_has_its_exit_code() {
    let (workdir, _) = three();
    workdir.run(&["keygen", "-o", "other.txt"]).expect_status(0);
    let status = |args: &[&str]| workdir.run(&[["cat"].as_slice(), args].concat()).status;
    assert_eq!(status(&["-i", "other.txt", "a.age"]), 3);
    assert_eq!(status(&["-i", "other.txt", "--range", "0-9", "a.age"]), 3);
    assert_eq!(status(&["-i", "key.txt", "missing.age"]), 1);
    assert_eq!(status(&["-i", "key.txt", "."]), 1);
    assert_eq!(status(&["-i", "missing.txt", "a.age"]), 2);
    for range in ["", "--range 0-"] {
        let (full, _, message) = workdir.shell(&format!("$haul cat -i key.txt {range} a.age > /dev/full"));
        assert_eq!((full, message.lines().count()), (5, 1), "{message}");
        let (_, taken, message) =
            workdir.shell(&format!("$haul cat -i key.txt {range} a.age c.age | head -c 5"));
        assert_eq!((taken.len(), message.as_str()), (5, ""), "a reader that has enough ends it quietly");
    }
}

#[test]
fn help_says_what_a_range_is() {
    let workdir = StreamWorkdir::new();
    check_golden(golden("help-cat"), &workdir.run(&["cat", "--help"]));
}
