//! Processes as /proc shows them: the workers of a run, and what a hanging run waits for.
//!
//! Owns: reading /proc.
//! Does not own: judging what is left (see `checker::leftovers`).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::Pid;

/// The children of a process, its workers.
pub(crate) fn workers(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// The processes that live with this home folder, zombies left out: workers are in process groups of their own, and
/// what outlives its parent has another one.
pub(crate) fn at_home(home: &Path) -> Vec<Pid> {
    let wanted = [b"HOME=".as_slice(), home.as_os_str().as_bytes()].concat();
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| Pid::from_raw(name.parse().ok()?));
        // A zombie has no environment.
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted) {
            members.extend(pid);
        }
    }
    members
}

/// The threads of a process, each with its name, state and where it waits in the kernel.
pub(crate) fn threads(pid: Pid) -> String {
    let pid = pid.as_raw_nonzero();
    let mut text = String::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let status = read("status");
        let state = status.lines().find(|line| line.starts_with("State")).unwrap_or_default().to_owned();
        let (name, place, call) = (read("comm"), read("wchan"), read("syscall"));
        text += &format!(
            "  {} {} {state} in {place}, call {}\n",
            entry.file_name().display(),
            name.trim(),
            call.trim()
        );
    }
    text
}
