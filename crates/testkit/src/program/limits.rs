//! Limits of the system that a program is started under: threads, descriptors, memory, forbidden system calls.
//!
//! Owns: cgroups, resource limits (`prlimit`, `setpriv`), seccomp filters.
//! Does not own: the program.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::peer::{is_root, peer, skip};

/// Limits for a program. Each method adds one.
#[derive(Debug, Default)]
pub struct Limits {
    /// A command and its arguments, which start the program.
    wrapper: Vec<OsString>,
    denied: Vec<Denied>,
    cgroups: Vec<Cgroup>,
}

/// System calls that fail with an error number.
#[derive(Clone, Debug)]
struct Denied {
    calls: Vec<i64>,
    /// Only calls whose argument of this number has all of these bits set.
    bits: Option<(u8, u64)>,
    errno: u32,
}

impl Limits {
    /// At most `count` descriptors, without a way to raise the limit.
    pub fn descriptors(self, count: u64) -> Self {
        self.prlimit(format!("--nofile={count}:{count}"))
    }

    /// At most `bytes` of locked memory.
    pub fn locked_memory(self, bytes: u64) -> Self {
        self.prlimit(format!("--memlock={bytes}:{bytes}"))
    }

    /// At most `bytes` of address space.
    pub fn address_space(self, bytes: u64) -> Self {
        self.prlimit(format!("--as={bytes}:{bytes}"))
    }

    /// At most `count` threads of its user, which is another one than the superuser, whom this limit doesn't bind.
    /// `None` with a message if the test may not change its user.
    pub fn threads_of_user(self, user: u32, count: u64) -> Option<Self> {
        if !is_root() {
            skip("only the superuser may become another user");
            return None;
        }
        let setpriv = peer("setpriv")?;
        let ids = [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()];
        // The limit comes first, as it counts only when a thread is started.
        let limited = self.prlimit(format!("--nproc={count}:{count}"));
        Some(limited.wrapped([setpriv.into_os_string()].into_iter().chain(ids.map(OsString::from))))
    }

    /// At most `count` threads and processes, by a cgroup. `None` with a message where there are none.
    pub fn pids(mut self, count: u64) -> Option<Self> {
        let cgroup = Cgroup::new(count)?;
        let join = format!("echo 0 > '{}/cgroup.procs' && exec \"$@\"", cgroup.0.display());
        let shell = ["sh", "-c", &join, "sh"].map(OsString::from);
        self.cgroups.push(cgroup);
        Some(self.wrapped(shell))
    }

    /// The system calls with these numbers (`libc::SYS_…`) fail with `errno`.
    pub fn denying(mut self, calls: &[i64], errno: i32) -> Self {
        self.denied.push(Denied { calls: calls.to_vec(), bits: None, errno: errno.unsigned_abs() });
        self
    }

    /// Opening a new file without a name (`O_TMPFILE`) fails with `errno`.
    pub fn denying_unnamed_files(mut self, errno: i32) -> Self {
        let (calls, bits) = (vec![libc::SYS_openat], Some((2, libc::O_TMPFILE as u64)));
        self.denied.push(Denied { calls, bits, errno: errno.unsigned_abs() });
        self
    }

    fn prlimit(self, limit: String) -> Self {
        self.wrapped([OsString::from("prlimit"), limit.into()])
    }

    /// Earlier wrappers come after later ones.
    fn wrapped(mut self, wrapper: impl IntoIterator<Item = OsString>) -> Self {
        let inner = std::mem::take(&mut self.wrapper);
        self.wrapper.extend(wrapper);
        self.wrapper.extend(inner);
        self
    }

    /// The command that starts `program` under the limits, but for forbidden calls.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut words = self.wrapper.iter().map(OsString::as_os_str).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or(OsStr::new("")));
        command.args(words);
        command
    }

    /// Starts `command` with the forbidden calls.
    pub(super) fn start(&self, mut command: Command) -> io::Result<Child> {
        if self.denied.is_empty() {
            return command.spawn();
        }
        let denied = self.denied.clone();
        // A filter stays with its thread and is inherited by what the thread starts.
        let starter = std::thread::spawn(move || {
            denied.iter().for_each(deny);
            command.spawn()
        });
        starter.join().expect("filters can be installed")
    }
}

/// Runs `work` on a thread of its own for which the system calls with these numbers fail with `errno`.
///
/// # Panics
///
/// With the panic of `work`, or if the system knows no filters.
pub fn denying<T: Send>(calls: &[i64], errno: i32, work: impl FnOnce() -> T + Send) -> T {
    let denied = Denied { calls: calls.to_vec(), bits: None, errno: errno.unsigned_abs() };
    let filtered = || {
        deny(&denied);
        work()
    };
    let done = std::thread::scope(|scope| scope.spawn(filtered).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Makes the system calls with these numbers fail with `errno` from now on, on this thread and on those that it starts.
///
/// # Panics
///
/// If the system knows no filters.
pub fn deny_from_now_on(calls: &[i64], errno: i32) {
    deny(&Denied { calls: calls.to_vec(), bits: None, errno: errno.unsigned_abs() });
}

fn deny(denied: &Denied) {
    let rules_of_call = || match denied.bits {
        None => Vec::new(),
        Some((argument, bits)) => {
            let all_set = SeccompCmpOp::MaskedEq(bits);
            let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, all_set, bits);
            vec![SeccompRule::new(vec![condition.expect("an argument")]).expect("a condition")]
        }
    };
    let rules = denied.calls.iter().map(|call| (*call, rules_of_call())).collect();
    let arch = TargetArch::try_from(std::env::consts::ARCH).expect("an architecture with filters");
    let (allow, fail) = (SeccompAction::Allow, SeccompAction::Errno(denied.errno));
    let filter = SeccompFilter::new(rules, allow, fail, arch).expect("a small filter");
    let program: BpfProgram = filter.try_into().expect("a short filter");
    seccompiler::apply_filter(&program).expect("filters can be installed");
}

/// A cgroup that bounds threads. Dropping it removes it, once its processes have ended.
#[derive(Debug)]
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(count: u64) -> Option<Self> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("haul-test-{}-{number}", std::process::id());
        // The first is version 1, the second version 2.
        for root in ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"] {
            let cgroup = Self(Path::new(root).join(&name));
            if std::fs::create_dir(&cgroup.0).is_err() {
                continue;
            }
            if std::fs::write(cgroup.0.join("pids.max"), count.to_string()).is_ok() {
                return Some(cgroup);
            }
        }
        skip("no cgroup with a limit on threads");
        None
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}
