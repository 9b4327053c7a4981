//! The plan of `haul get`, from words to settings.
//!
//! Owns: conflicts and defaults.
//! Does not own: runs.

use clap::Parser;

use haul_fetch::Trust;

use super::*;
use crate::args::{Args, Command};

fn resolve(words: &str, environment: &Environment) -> Result<GetPlan, Problem> {
    let args = Args::try_parse_from(["haul", "get"].into_iter().chain(words.split_whitespace()));
    match args.unwrap_or_else(|error| panic!("{error}")).command {
        Command::Get(args) => GetPlan::resolve(&args, environment),
        _ => unreachable!("the words begin with get"),
    }
}

#[test]
fn conflicts_are_found_without_any_file() {
    let environment = Environment::of(&[]);
    for (words, message) in [
        ("", "nothing to fetch"),
        ("-o x http://a/ http://b/", "-o is for a single URL"),
        ("-o - --json http://a/", "--json needs stdout, which already carries the data"),
        ("-o - --sync http://a/", "--sync needs a file, not stdout"),
        (
            "-c --name disposition http://a/",
            "-c, --sync and --checksums need names that are known in advance",
        ),
        (
            "--sync --name disposition http://a/",
            "-c, --sync and --checksums need names that are known in advance",
        ),
        ("--data @- http://a/ http://b/", "--data @- is for a single URL"),
        ("-X CONNECT http://a/", "\"CONNECT\" isn't a method for fetching"),
        ("-H X http://a/", "the header field \"X\" has no colon"),
        (
            "--sync -d s3://bucket http://a/",
            "--sync needs a directory: a bucket has no records beside its objects",
        ),
        (
            "--name disposition -d s3://bucket http://a/",
            "--name disposition and hidden need a directory, not a bucket",
        ),
        (
            "-p -d s3://bucket http://a/",
            "a passphrase protects the identity of a directory, which a bucket isn't",
        ),
        (
            "-d s3://b http://a/",
            "\"s3://b\" isn't the address of results: a bucket's name has 3 to 255 letters, digits, dots, \
             hyphens and underscores",
        ),
        ("--netrc http://a/", "cannot find .netrc: HOME isn't set"),
    ] {
        assert_eq!(resolve(words, &environment).unwrap_err().message, message, "{words}");
    }
}

#[test]
fn files_that_do_not_exist_are_no_conflict() {
    let words =
        "-i none --cookie-jar none --checksums none --bearer-file none --failures none/x --data @none";
    let plan = resolve(words, &Environment::of(&[])).unwrap();
    assert_eq!((plan.list.is_some(), plan.cookie_jar.is_some(), plan.failures.is_some()), (true, true, true));
    assert!(resolve("--netrc http://a/", &Environment::of(&[("HOME", "/none")])).is_ok());
}

#[test]
fn the_number_of_transfers_follows_the_options() {
    for (words, is_single, in_flight_max) in [
        ("http://a/", true, 1),
        ("--segments auto http://a/", true, 4),
        ("--segments 8 http://a/", true, 8),
        ("--segments 8 --per-host 2 http://a/", true, 2),
        ("http://a/ http://b/", false, 64),
        ("-j 5 -i list", false, 5),
        ("-e threads=3 http://a/", true, 3),
        ("-e uring=2x8 -i list", false, 16),
        ("-e uring=2x8 -j 1000 -i list", false, 16),
        ("-e uring -j 1000 -i list", false, 1_000),
        ("-e uring -j 999 -i list", false, 999),
        ("-e uring -j 1 -i list", false, 1),
        ("-e threads -j 100 -i list", false, 100),
    ] {
        let transfers = resolve(words, &Environment::of(&[])).unwrap().transfers;
        assert_eq!((transfers.is_single, transfers.in_flight_max), (is_single, in_flight_max), "{words}");
    }
}

#[test]
fn limits_leave_room_for_tasks_to_wait_unless_a_rate_is_kept() {
    for (words, total_max, per_host_max) in [
        ("-e threads=8 -i list", 16, usize::MAX),
        ("-e threads=32 -i list", 64, 16),
        ("-e threads=32 --rate 5/s -i list", 32, 16),
        ("-e threads=8 --per-host 2 -i list", 16, 2),
        ("-e threads=32 -j 20 -i list", 64, 20),
        ("-e threads=32 -j 4 -i list", 64, 16),
        ("-e threads -j 40 -i list", 80, usize::MAX),
        ("-e threads -j 40 --per-host 3 -i list", 80, 3),
    ] {
        let plan = resolve(words, &Environment::of(&[])).unwrap();
        let engine = plan.run.engine.unwrap();
        let limits = plan.transfers.limits(&engine);
        assert_eq!((limits.total_max, limits.per_host_max), (total_max, per_host_max), "{words}");
    }
}

#[test]
fn the_progress_line_stays_off_a_terminal_that_shows_the_body() {
    use ProgressForm::{Hidden, InPlace};
    for (words, stdout, stderr, is_shown, progress) in [
        ("http://a/", true, true, false, InPlace),
        ("-o - http://a/", true, true, true, Hidden),
        ("-o - --progress always http://a/", true, true, true, InPlace),
        ("-o - http://a/", false, true, false, InPlace),
        ("-o - http://a/", false, false, false, Hidden),
        ("-o x --progress never http://a/", true, true, false, Hidden),
    ] {
        let mut environment = Environment::of(&[("TERM", "xterm")]);
        (environment.stdout_is_terminal, environment.stderr_is_terminal) = (stdout, stderr);
        let plan = resolve(words, &environment).unwrap();
        assert_eq!((plan.is_shown, plan.run.progress), (is_shown, progress), "{words}");
    }
}

#[test]
fn trust_and_names_are_as_asked() {
    let plan = |words| resolve(words, &Environment::of(&[])).unwrap();
    assert!(matches!(plan("http://a/").config.trust, Trust::Platform));
    assert!(matches!(plan("--cacert x http://a/").config.trust, Trust::File(_)));
    assert!(matches!(plan("--insecure http://a/").config.trust, Trust::Anything));
    assert_eq!(plan("http://a/").naming.output, OutputPlan::Directory);
    assert_eq!(plan("-o x http://a/").naming.output, OutputPlan::File("x".into()));
    assert_eq!(plan("http://a/").naming.mode, 0o644);
    assert_eq!(plan("--json http://a/").naming.hash, Some(Algorithm::Sha256));
}
