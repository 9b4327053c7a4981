//! Limits that a run is started under: descriptors, memory, threads, and another resolver configuration.
//!
//! Owns: choosing them, the shell lines that set them, the control group of a run.
//! Does not own: starting the program (see `run`).

use std::fs;
use std::path::{Path, PathBuf};

use crate::choice::Choice;

/// Where the controller of thread counts is mounted.
const PIDS: &str = "/sys/fs/cgroup/pids";

/// The limits of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    /// RLIMIT_NOFILE, soft and hard.
    pub(crate) descriptors: Option<usize>,
    /// RLIMIT_AS.
    pub(crate) memory_kib: Option<usize>,
    /// Threads and processes together.
    pub(crate) threads: Option<usize>,
    /// A file that replaces `/etc/resolv.conf` for this run.
    pub(crate) resolver: Option<PathBuf>,
}

/// The control group of a run; removed when dropped, after the run.
pub(crate) struct Group(PathBuf);

impl Limits {
    /// One limit. Unless threads are spared, it may be theirs.
    pub(crate) fn choose(choice: &mut Choice, spares_threads: bool) -> Self {
        match choice.below(3) {
            0 => Self { descriptors: Some(choice.within(20..=160)), ..Self::default() },
            1 => Self { memory_kib: Some(choice.within(60..=900) << 10), ..Self::default() },
            _ if spares_threads => Self::default(),
            _ => Self { threads: Some(choice.within(2..=12)), ..Self::default() },
        }
    }

    /// True where nothing is limited.
    pub(crate) fn is_none(&self) -> bool {
        self.descriptors.is_none() && self.memory_kib.is_none() && self.threads.is_none()
    }

    /// The control group for the limit on threads, where there is one.
    pub(crate) fn group(&self) -> Option<Group> {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let max = self.threads?;
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = Path::new(PIDS).join(format!("haul-soak-{}-{count}", std::process::id()));
        fs::create_dir(&path).ok()?;
        let group = Group(path);
        fs::write(group.0.join("pids.max"), max.to_string()).ok()?;
        Some(group)
    }

    /// A shell script that sets the limits and becomes the program in its arguments.
    pub(crate) fn script(&self, group: Option<&Group>) -> String {
        let mut script = String::new();
        if let Some(resolver) = &self.resolver {
            script += &format!("mount --bind '{}' /etc/resolv.conf || exit 99\n", resolver.display());
        }
        if let Some(group) = group {
            script += &format!("echo $$ > '{}' || exit 99\n", group.0.join("cgroup.procs").display());
        }
        if let Some(count) = self.descriptors {
            script += &format!("ulimit -n {count} || exit 99\n");
        }
        if let Some(kib) = self.memory_kib {
            script += &format!("ulimit -v {kib} || exit 99\n");
        }
        script + "exec \"$0\" \"$@\"\n"
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
