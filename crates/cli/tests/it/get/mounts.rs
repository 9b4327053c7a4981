//! What a file system can't do for the files that are fetched to it: said once a run, and for each file in the report.
//!
//! Needs root and FUSE, or mkfs.vfat and a loop device.

use haul_testkit::{Answer, Faults, Haul, Mount, Server, seeded_bytes};
use serde_json::Value;

const ENGINES: [&str; 4] = ["serial", "threads=2", "uring=1x4", "uring=2x8"];

/// The end of warnings, by the name of the shortfall in the report.
const MODE: (&str, &str) = ("mode", "permission bits of results: it decides who can read them");
const MODIFIED: (&str, &str) = ("modified", "modification times of results");
const REFUSAL: (&str, &str) = ("refusal", "can leave an empty result");

/// A server of small and large files with times and validators.
fn server() -> Server {
    Server::start(|request| {
        let bytes = if request.path().starts_with("/large") { 3_000_000 } else { 3_000 };
        Answer::ranged(request, &seeded_bytes(bytes as u64, bytes), "\"1\"")
            .header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
    })
}

/// Fetches files of every size in every way, and checks that each run says of `mount` what is `expected`, once.
fn check(mount: Option<Mount>, expected: &[(&str, &str)]) {
    let Some(mount) = mount else { return };
    let server = server();
    let urls = ["small", "large", "small2", "large2"].map(|name| server.url(&format!("/{name}")));
    for engine in ENGINES {
        for (index, mode) in [&[][..], &["-c"], &["--sync"], &["--segments", "4"]].into_iter().enumerate() {
            let work = mount.path().join(format!("{engine}-{index}"));
            std::fs::create_dir(&work).unwrap();
            let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(&work);
            let args = [&["get", "--json", "-e", engine], mode].concat();
            let run = haul.run(args.into_iter().chain(urls.iter().map(String::as_str))).expect_status(0);
            let warnings: Vec<String> = run
                .stderr_text()
                .lines()
                .filter_map(|line| line.strip_prefix("haul: warning: ").map(str::to_owned))
                .collect();
            assert_eq!(warnings.len(), expected.len(), "{engine} {mode:?}: {warnings:?}");
            for (_, words) in expected {
                assert!(warnings.iter().any(|warning| warning.ends_with(words)), "{engine}: {warnings:?}");
            }
            let names: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
            let done: Vec<Value> = run
                .stdout_text()
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .filter(|event: &Value| event["event"] == "done")
                .collect();
            assert_eq!(done.len(), urls.len());
            for event in done {
                let not_kept = event.get("not_kept").cloned().unwrap_or(Value::Array(Vec::new()));
                assert_eq!(not_kept, Value::from(names.clone()), "{engine} {mode:?}: {event}");
            }
        }
    }
}

#[test]
fn without_modes() {
    check(Mount::faulty(Faults { no_modes: true, ..Faults::default() }), &[MODE]);
}

#[test]
fn without_times() {
    check(Mount::faulty(Faults { no_times: true, ..Faults::default() }), &[MODIFIED]);
}

#[test]
fn without_links_and_refusing_renames() {
    check(Mount::faulty(Faults { no_links: true, no_noreplace: true, ..Faults::default() }), &[REFUSAL]);
}

#[test]
fn vfat() {
    check(Mount::image(&["mkfs.vfat"], 128), &[MODE, REFUSAL]);
}

#[test]
fn with_everything() {
    check(Mount::kernel("tmpfs"), &[]);
    check(Mount::faulty(Faults::default()), &[]);
}

#[test]
fn urls_whose_names_a_file_system_merges_share_no_file() {
    let Some(mount) = Mount::faulty(Faults { ignores_case: true, ..Faults::default() }) else { return };
    let server = Server::start(|request| {
        let body = request.path().repeat(100_000);
        Answer::ranged(request, body.as_bytes(), &format!("{:?}", request.path()))
    });
    let urls = ["name", "NAME", "Name"].map(|name| server.url(&format!("/{name}")));
    for engine in ENGINES {
        for (index, mode) in
            [&[][..], &["-c"], &["--sync"], &["--force"], &["--segments", "4"]].into_iter().enumerate()
        {
            let work = mount.path().join(format!("{engine}-{index}"));
            std::fs::create_dir(&work).unwrap();
            let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(&work);
            let args = [&["get", "-e", engine], mode].concat();
            let run = haul.run(args.into_iter().chain(urls.iter().map(String::as_str))).expect_status(1);
            assert_eq!(run.stderr_text().matches("has the file name").count(), 2, "{}", run.stderr_text());
            let mut names = haul_testkit::files_below(&work).unwrap();
            names.retain(|name| name.extension().is_none());
            assert_eq!(names.len(), 1, "{engine} {mode:?}: {names:?}");
            let body = std::fs::read_to_string(work.join(&names[0])).unwrap();
            let is_whole = ["/name", "/NAME", "/Name"].iter().any(|path| body == path.repeat(100_000));
            assert!(is_whole, "{engine} {mode:?}");
        }
    }
}

#[test]
fn cookies_that_others_may_read_are_warned_of() {
    let Some(mount) = Mount::faulty(Faults { no_modes: true, ..Faults::default() }) else { return };
    let server = Server::start(|_| Answer::ok("x").header("Set-Cookie", "a=b; Max-Age=1000"));
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(mount.path());
    let run = haul.run(["get", "--cookie-jar", "jar", "-o", "/dev/null", &server.url("/")]).expect_status(0);
    let warned = run.stderr_text();
    assert!(warned.contains("others may be able to read the cookies in \"jar\""), "{warned}");
}
