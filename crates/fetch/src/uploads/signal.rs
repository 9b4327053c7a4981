//! Waking a job from another thread, whatever carries out its operations.
//!
//! A pair of connected sockets, as every execution can wait for one: a job on a ring leaves its thread to others.
//!
//! Owns: the pair.
//! Does not own: what a job waits for.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use haul_io::{Io, Socket};

/// A wait has no deadline of its own: what is waited for has one.
const WAIT: Duration = Duration::from_secs(3600);
/// How long to wait between looks where the process has no descriptors left.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Rings once; dropped, it has rung.
#[derive(Debug)]
pub(crate) struct Ringer(Option<UnixStream>);

/// What a job waits with.
#[derive(Debug)]
pub(crate) struct Signal(Option<Socket>);

/// Both ends.
pub(crate) fn signal() -> (Ringer, Signal) {
    match UnixStream::pair() {
        Ok((ringer, signal)) => (Ringer(Some(ringer)), Signal(Some(OwnedFd::from(signal).into()))),
        // What is short is short for a while only.
        Err(_) => (Ringer(None), Signal(None)),
    }
}

impl Ringer {
    pub(crate) fn ring(self) {
        if let Some(mut stream) = self.0 {
            // A job that has ended waits no more.
            let _ = stream.write_all(&[1]);
        }
    }
}

impl Signal {
    /// Waits until the other end has rung. It may also return earlier: the caller looks again.
    ///
    /// # Errors
    /// If the run was cancelled.
    pub(crate) async fn wait(self, io: &impl Io) -> io::Result<()> {
        let Some(socket) = self.0 else { return io.sleep(LOOK_INTERVAL).await };
        let (received, buf) = io.recv(&socket, io.take_buf(1), WAIT).await;
        io.give_buf(buf);
        match received {
            Err(error) if haul_io::is_cancelled(&error) => Err(error),
            _ => Ok(()),
        }
    }
}
