//! `haul inspect`, on sound and damaged files.

use haul_testkit::seeded_bytes;

use super::streams::StreamWorkdir;

#[test]
fn inspect_shows_the_facts_of_the_header() {
    let workdir = StreamWorkdir::new();
    workdir.write("letter", seeded_bytes(7, 100_000));
    workdir.run(&["keygen", "--pq", "-o", "pq.txt"]).expect_status(0);
    let hybrid = workdir.run(&["keygen", "-y", "pq.txt"]).stdout_text().trim().to_owned();
    workdir.seal(&["-r", &workdir.recipient, "-o", "classic.age", "letter"]);
    workdir.seal(&["-a", "-o", "armored.age", "letter"]);
    workdir.run(&["seal", "-r", &hybrid, "-o", "hybrid.age", "letter"]).expect_status(0);
    workdir.says("inspect", &["inspect", "classic.age", "armored.age", "hybrid.age"]);
    workdir.says("inspect-json", &["inspect", "--json", "classic.age", "armored.age", "hybrid.age"]);
    let by_stdin =
        workdir.fed(&workdir.read("classic.age"), &["inspect", "-"]).expect_status(0).stdout_text();
    let by_name = workdir.run(&["inspect", "classic.age"]).stdout_text();
    assert_eq!(by_stdin.split_once('\n').unwrap().1, by_name.split_once('\n').unwrap().1);
    let classic = workdir.read("classic.age");
    let mut malformed = classic.clone();
    malformed[25] = b'!';
    malformed[24] = b'!';
    workdir.write("malformed", &malformed);
    workdir.write("cut-in-header", &classic[..100]);
    workdir.write("no-length", &classic[..classic.len() - 34_464 - 10]);
    workdir.says("inspect-damaged", &["inspect", "malformed", "cut-in-header", "no-length"]);
    workdir.says("inspect-not-age", &["inspect", "letter"]);
    workdir.says("inspect-missing", &["inspect", "missing"]);
}
