//! A program of others that listens: its start on free ports, and its end, whatever becomes of the test.
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

/// Another program may take a free port before the server does; so often, hardly.
const ATTEMPTS_MAX: usize = 5;
/// A server that isn't there by then never will be.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often one looks whether it is there.
const INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
/// So long it may take to tidy up.
const GRACE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// What it says, in its folder.
const OUTPUT: &str = "output";

/// Ports that tests of this process were given: none is given twice.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Where a server shall listen and keep its files.
#[derive(Debug)]
pub(crate) struct Setting {
    folder: TempDir,
    /// For HTTP without TLS, or whatever else it speaks.
    pub(crate) plain: SocketAddr,
    /// For TLS, where it speaks that.
    pub(crate) secure: SocketAddr,
}

/// A running server. Dropping it kills it, before its folder is removed.
#[derive(Debug)]
pub(crate) struct Daemon {
    _group: Group,
    pub(crate) setting: Setting,
}

/// The server and what it started. Dropping it kills them all.
#[derive(Debug)]
struct Group(Child);

impl Setting {
    /// A folder that whoever the server becomes can read, and two free ports.
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

    /// Writes a file into the folder, and says where it is.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("our own folder");
        path
    }

    /// All that the server said.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.path(OUTPUT)).unwrap_or_default()
    }
}

impl Daemon {
    /// Starts what `command` makes of the setting, and waits until `is_ready` says that it answers.
    ///
    /// # Panics
    ///
    /// When it doesn't.
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
        panic!("the server doesn't start:\n{}", setting.output());
    }

    /// Starts what listens on the plain port, and waits until it accepts connections there.
    #[track_caller]
    pub(crate) fn listening(setting: Setting, command: impl Fn(&Setting) -> Command) -> Self {
        Self::start(setting, command, |setting| TcpStream::connect(setting.plain).is_ok())
    }
}

impl Group {
    fn spawn(mut command: Command, output: &Path) -> Self {
        // So that none of the processes that it starts gets lost.
        set_child_subreaper(Some(getpid())).expect("Linux can");
        let output = File::create(output).expect("our own folder");
        let errors = output.try_clone().expect("a descriptor");
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} can't be started: {error}")))
    }

    /// Until `is_ready`; false when it ended before.
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
        panic!("the server is silent");
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // An error says of each that nobody is left to be told. The group keeps its number while it isn't waited for.
        let group = Pid::from_child(&self.0);
        let _ = kill_process_group(group, Signal::TERM);
        if let Ok(ended) = pidfd_open(group, PidfdFlags::empty()) {
            let _ = poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&GRACE));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
        // What it started is ours now, and ends with it.
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
