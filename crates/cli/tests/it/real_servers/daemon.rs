//! Runs a third-party server for a test: on free ports, and killed at the end even if the test fails.
//!
//! Owns: the ports, a folder for its files, its processes.
//! Does not own: its configuration.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process_group, pidfd_open, set_child_subreaper,
    waitpgid,
};
use tempfile::TempDir;

/// Attempts to start, because another program may take a free port first.
const ATTEMPTS_MAX: usize = 5;
/// Time limit for the start.
const PATIENCE: Duration = Duration::from_secs(20);
/// The interval between two readiness checks.
const INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
/// Time for the server to exit after SIGTERM.
const GRACE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// The file in its folder that captures stdout and stderr.
const OUTPUT: &str = "output";

/// Ports that tests of this process use. None is handed out twice.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// The addresses and the folder of a server.
#[derive(Debug)]
pub(crate) struct Setting {
    folder: TempDir,
    /// The address for HTTP without TLS, or for another protocol without TLS.
    pub(crate) plain: SocketAddr,
    /// The address for TLS, if the server uses it.
    pub(crate) secure: SocketAddr,
}

/// A running server. Dropping it kills the server, then removes its folder.
#[derive(Debug)]
pub(crate) struct Daemon {
    _group: Group,
    pub(crate) setting: Setting,
}

/// The process group of the server. Dropping it kills all its processes.
#[derive(Debug)]
struct Group(Child);

impl Setting {
    /// A folder that any user can read (servers drop privileges), and two free ports.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("our own folder");
        Self { folder, plain: free_address(), secure: free_address() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file into the folder. Returns its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("our own folder");
        path
    }

    /// The output of the server.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.path(OUTPUT)).unwrap_or_default()
    }
}

impl Daemon {
    /// Starts `command(setting)` and waits until `is_ready`.
    ///
    /// # Panics
    ///
    /// If the server does not start or does not get ready.
    #[track_caller]
    pub(crate) fn start(
        mut setting: Setting,
        command: impl Fn(&Setting) -> Command,
        is_ready: impl Fn(&Setting) -> bool,
    ) -> Self {
        for _ in 0..ATTEMPTS_MAX {
            let mut group = Group::spawn(command(&setting), &setting.path(OUTPUT));
            if group.wait(|| is_ready(&setting)) {
                return Self { _group: group, setting };
            }
            (setting.plain, setting.secure) = (free_address(), free_address());
        }
        panic!("the server does not start:\n{}", setting.output());
    }

    /// Starts a server and waits until it accepts connections on the plain port.
    #[track_caller]
    pub(crate) fn listening(setting: Setting, command: impl Fn(&Setting) -> Command) -> Self {
        Self::start(setting, command, |setting| TcpStream::connect(setting.plain).is_ok())
    }
}

impl Group {
    fn spawn(mut command: Command, output: &Path) -> Self {
        // Orphans of the server become children of this process, which can then wait for them.
        set_child_subreaper(Some(getpid())).expect("Linux can");
        let output = File::create(output).expect("our own folder");
        let errors = output.try_clone().expect("a descriptor");
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}")))
    }

    /// Waits until `is_ready`. Returns false if the server has ended.
    fn wait(&mut self, is_ready: impl Fn() -> bool) -> bool {
        let ended = pidfd_open(Pid::from_child(&self.0), PidfdFlags::empty()).expect("our own child");
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if is_ready() {
                return matches!(self.0.try_wait(), Ok(None));
            }
            if poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&INTERVAL)).is_ok_and(|count| count > 0) {
                return false;
            }
        }
        panic!("the server does not get ready");
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // An error means that no process is left. The group keeps its number until its leader is waited for.
        let group = Pid::from_child(&self.0);
        let _ = kill_process_group(group, Signal::TERM);
        if let Ok(ended) = pidfd_open(group, PidfdFlags::empty()) {
            let _ = poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&GRACE));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
        // Its orphans are children of this process now.
        while waitpgid(group, WaitOptions::empty()).is_ok() {}
    }
}

fn free_address() -> SocketAddr {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        if GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(address.port()) {
            return address;
        }
    }
}
