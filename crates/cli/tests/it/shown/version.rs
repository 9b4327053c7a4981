//! What `--version` says.

use std::process::Command;

use crate::workdir::Workdir;

#[test]
fn the_version_names_the_commit_and_the_features() {
    let workdir = Workdir::new();
    let short = workdir.run(&["-V"]).expect_status(0).stdout_text().to_owned();
    assert_eq!(short, format!("haul {}\n", env!("CARGO_PKG_VERSION")));
    let long = workdir.run(&["--version"]).expect_status(0).stdout_text().to_owned();
    let details = long.strip_prefix(short.trim_end()).and_then(|rest| rest.strip_prefix(" ("));
    let details = details.and_then(|rest| rest.strip_suffix(")\n")).unwrap_or_else(|| panic!("{long:?}"));
    let features = if cfg!(feature = "openssl") { "openssl" } else { "none" };
    let commit = details.strip_suffix(&format!("features: {features}"));
    let commit = commit.unwrap_or_else(|| panic!("{long:?}")).trim_end_matches(", ");
    // In a checkout, git knows better.
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    if std::path::Path::new(root).join(".git").exists() {
        let words = ["-c", "safe.directory=*", "rev-parse", "HEAD"];
        if let Ok(output) = Command::new("git").args(words).current_dir(root).output() {
            let head = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(commit.len() == 7 && head.starts_with(commit), "{long:?}, {head:?}");
        }
    }
}
