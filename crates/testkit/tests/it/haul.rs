//! The promises of the program's runner, tested with a shell in place of the program.
//!
//! Owns: environment, streams, status, deadline.
//! Does not own: golden files (tested beside their code).

use std::panic::catch_unwind;
use std::time::Duration;

use haul_testkit::{Haul, files_below};

fn shell() -> Haul {
    Haul::new("/bin/sh")
}

#[test]
fn nothing_is_inherited() {
    let haul = shell().env("EXTRA", "1");
    let run = haul.run(["-c", "/usr/bin/env | /usr/bin/sort; pwd"]).expect_status(0);
    let home = haul.home().display().to_string();
    let mine =
        |line: &&str| !["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|shells| line.starts_with(shells));
    let text = run.stdout_text();
    let lines: Vec<&str> = text.lines().filter(mine).collect();
    let want = ["EXTRA=1", &format!("HOME={home}"), "LC_ALL=C", &format!("TMPDIR={home}"), &home];
    assert_eq!(lines, want);
}

#[test]
fn streams_and_status_come_back() {
    let run = shell().stdin("in").run(["-c", "/bin/cat; echo err >&2; exit 5"]);
    assert_eq!((run.status, run.stdout_text(), run.stderr_text()), (5, "in".into(), "err\n".into()));
    let run = shell().run(["-c", "kill -9 $$"]);
    assert_eq!(run.status, 128 + 9);
}

#[test]
fn more_than_a_pipe_holds_is_neither_lost_nor_stuck() {
    let bytes = vec![7; 1 << 20];
    let run = shell().stdin(bytes.clone()).run(["-c", "/bin/cat"]).expect_status(0);
    assert!(run.stdout == bytes);
    // Unread input isn't an error of the runner.
    shell().stdin(bytes).run(["-c", "exit 0"]).expect_status(0);
}

#[test]
fn a_run_that_takes_too_long_is_killed_with_its_children() {
    let haul = shell().timeout(Duration::from_secs(2));
    let outcome = catch_unwind(|| haul.run(["-c", "echo started >&2; /bin/sleep 1000 & wait"]));
    let complaint = *outcome.expect_err("too long").downcast::<String>().expect("a message");
    assert!(complaint.contains("took too long") && complaint.contains("started"), "{complaint}");
}

#[test]
fn a_process_left_behind_is_noticed() {
    let haul = shell().timeout(Duration::from_secs(2));
    let outcome = catch_unwind(|| haul.run(["-c", "/bin/sleep 1000 &"]));
    let complaint = *outcome.expect_err("a leftover").downcast::<String>().expect("a message");
    assert!(complaint.contains("left processes"), "{complaint}");
}

#[test]
fn a_running_program_can_be_interrupted_or_dropped() {
    let haul = shell();
    // A background job of a shell may ignore SIGINT, and shells can't undo that.
    let mut watched = haul.watch(["-c", "exec env --default-signal=INT sh -c 'echo begun; exec sleep 1000'"]);
    assert_eq!(watched.next_line().as_deref(), Some("begun"));
    watched.interrupt();
    assert_eq!(watched.finish().0, 128 + 2);
    let running = haul.spawn(["-c", "exec /bin/sleep 1000"]);
    running.terminate();
    assert_eq!(running.finish().status, 128 + 15);
    drop(haul.spawn(["-c", "exec /bin/sleep 1000"]));
    assert_eq!(files_below(haul.home()).expect("the home is there"), Vec::<std::path::PathBuf>::new());
}
