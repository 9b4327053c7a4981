//! Peak memory with files larger than memory: a dry run, sealing, verifying.
//!
//! A test binary of its own: the kernel counts the peak memory of all children of a process together, so tests that
//! need much of it (scrypt takes 256 MiB) may not share the process.
#![allow(clippy::print_stdout, reason = "long tests say what they found")]

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use haul_testkit::{Haul, skip};
use nix::sys::resource::{UsageWho, getrusage};

fn workdir() -> (tempfile::TempDir, Haul, String) {
    let dir = tempfile::tempdir().unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path()).timeout(Duration::from_secs(1_200));
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    (dir, haul, recipient.trim().to_owned())
}

/// Runs `haul seal --dry-run` on a sparse file of 1 TiB.
fn dry_run_on_a_tebibyte() {
    let (dir, haul, recipient) = workdir();
    fs::create_dir(dir.path().join("tree")).unwrap();
    let huge = File::create(dir.path().join("tree/huge")).unwrap();
    if huge.set_len(1 << 40).is_err() {
        return skip("the file system does not support files of 1 TiB");
    }
    let run = haul.run(["seal", "--dry-run", "-r", &recipient, "-o", "out", "tree"]).expect_status(0);
    assert_eq!(run.stdout_text(), "seal \"tree/huge\" -> \"out/huge.age\"\n");
    assert!(!dir.path().join("out").exists());
    check_peak_memory("dry run on 1 TiB");
}

#[test]
fn a_dry_run_does_not_mind_how_long_a_file_is() {
    dry_run_on_a_tebibyte();
}

/// Checks that no child process of this test binary took 100 MiB.
fn check_peak_memory(what: &str) {
    // The maximum over all children that were waited for, in KiB.
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    println!("{what}, peak memory {peak} KiB");
    assert!(peak < 100 << 10, "{what}: {peak} KiB");
}

#[test]
#[ignore = "soak: seals twenty gibibytes"]
fn huge_files_are_sealed_in_little_memory() {
    const BYTES: u64 = 20 << 30;
    dry_run_on_a_tebibyte();
    let (dir, haul, recipient) = workdir();
    let free = rustix::fs::statvfs(dir.path()).unwrap();
    if free.f_bavail * free.f_frsize < BYTES + (2 << 30) {
        return skip("less than 22 GiB are free");
    }
    let source = dir.path().join("sparse");
    File::create(&source).unwrap().set_len(BYTES).unwrap();
    haul.run(["seal", "-e", "threads=2", "-r", &recipient, "sparse"]).expect_status(0);
    let sealed = dir.path().join("sparse.age").metadata().unwrap();
    assert!(sealed.len() > BYTES && sealed.blocks() * 512 >= BYTES);
    haul.run(["verify", "-e", "threads=2", "-i", "key.txt", "sparse.age"]).expect_status(0);
    fs::remove_file(dir.path().join("sparse.age")).unwrap();
    check_peak_memory(&format!("{BYTES} bytes sealed and verified"));
}
