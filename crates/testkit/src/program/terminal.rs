//! The program on a terminal of its own, whose size the test chooses and changes.
//!
//! Owns: the pseudo-terminal, reading what is written to it, the deadline.
//! Does not own: interpreting control sequences beyond dividing the output at them.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::haul::Haul;

/// A run whose stdout and stderr are one terminal. Dropping it kills the program.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    screen: File,
    deadline: Instant,
    shown: Vec<u8>,
}

impl Haul {
    /// Starts the program on a terminal with so many columns and rows, with empty standard input.
    ///
    /// # Panics
    ///
    /// When there is no terminal, or the program can't be started.
    #[track_caller]
    pub fn on_terminal<A: AsRef<OsStr>>(
        &self,
        columns: u16,
        rows: u16,
        args: impl IntoIterator<Item = A>,
    ) -> Terminal {
        let screen =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&screen).and_then(|()| unlockpt(&screen)).expect("a terminal of this user");
        let name = ptsname(&screen, Vec::new()).expect("the terminal's name");
        let open = || OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.as_bytes()));
        let (stdout, stderr) = (open().expect("the terminal"), open().expect("the terminal"));
        resize(&screen, columns, rows);
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut command = self.terminal_command(&args);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let child = command.spawn().expect("the program can be started");
        let deadline = Instant::now() + self.time_limit();
        Terminal { child, screen: File::from(screen), deadline, shown: Vec::new() }
    }
}

impl Terminal {
    /// Reads until `wanted` holds of what was shown since the last call, and returns that.
    ///
    /// # Panics
    ///
    /// When the program ends or the deadline passes before.
    #[track_caller]
    pub fn wait_until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let start = self.shown.len();
        loop {
            let text = String::from_utf8_lossy(&self.shown[start..]).into_owned();
            if wanted(&text) {
                return text;
            }
            assert!(self.read(), "ended, or took too long; it showed:\n{:?}", self.text());
        }
    }

    /// Changes the size, as a user does with a window.
    pub fn resize(&self, columns: u16, rows: u16) {
        resize(&self.screen, columns, rows);
    }

    /// Sends SIGINT.
    pub fn interrupt(&self) {
        // The child hasn't been waited for.
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
    }

    /// Waits for the end. Returns the exit code and everything that was shown.
    ///
    /// # Panics
    ///
    /// When the deadline passes.
    #[track_caller]
    pub fn finish(mut self) -> (i32, String) {
        while self.read() {}
        assert!(Instant::now() < self.deadline, "it took too long; it showed:\n{:?}", self.text());
        let status = self.child.wait().expect("a child can be waited for");
        (status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)), self.text())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Reads more; false at the end, or after the deadline.
    fn read(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left.max(Duration::from_millis(1))).expect("a short time");
        let mut piece = [0; 4_096];
        match poll(&mut [PollFd::new(&self.screen, PollFlags::IN)], Some(&left)) {
            Ok(0) | Err(_) => false,
            // Reading fails once no process holds the other side.
            Ok(_) => match self.screen.read(&mut piece) {
                Ok(0) | Err(_) => false,
                Ok(count) => {
                    self.shown.extend_from_slice(&piece[..count]);
                    true
                }
            },
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resize(screen: impl AsFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(screen, size).expect("a terminal can be resized");
}
