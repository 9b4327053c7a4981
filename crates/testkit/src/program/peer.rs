//! Programs of other projects that a test compares with; where one is missing, the test reports that it was skipped.
//!
//! Owns: finding a program, reporting a skipped test.
//! Does not own: running it.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// Folders where distributions install servers, which are missing in the `PATH` of ordinary users.
const SERVER_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Finds the program `name`. Where it is missing, reports on stderr that the test was skipped, and returns none.
///
/// ```
/// let Some(age) = haul_testkit::peer("a-program-that-nobody-has") else { return };
/// # unreachable!("{age:?}");
/// ```
pub fn peer(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SERVER_FOLDERS.iter().map(PathBuf::from));
    let found = find(name, folders);
    if found.is_none() {
        skip(&format!("no {name} here"));
    }
    found
}

/// The Python beside the program `name`, if it has `modules`, such as `boto3, s3fs`. Otherwise, prints that the test is
/// skipped.
pub fn python_beside(name: &str, modules: &str) -> Option<PathBuf> {
    let python = peer(name)?.with_file_name("python3");
    let check = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    if check.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skip(&format!("no Python modules {modules}"));
    None
}

/// Reports on stderr that the current test was skipped, and why.
pub fn skip(reason: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    // Written, not printed: the test harness hides what passing tests print.
    let _ = writeln!(std::io::stderr().lock(), "SKIPPED: {test}: {reason}");
}

/// True for the superuser, to whom file permissions don't apply.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn find(name: &str, mut folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.find_map(|folder| Some(folder.join(name)).filter(|path| is_program(path)))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_and_others_are_not() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("peer");
        fs::write(&path, "").expect("a file");
        let folders = || [PathBuf::from("missing"), dir.path().to_owned()].into_iter();
        assert_eq!(find("peer", folders()), None, "not executable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
        assert_eq!(find("peer", folders()), Some(path));
        assert_eq!(find("other", folders()), None);
    }
}
