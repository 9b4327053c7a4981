//! A pipe through which the kernel moves bytes from a socket to a file.
//!
//! Owns: making it when it is first used, whether it can be used.
//! Does not own: moving bytes (`crate::blocking::moving`).

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// The pipe of one transfer, for [`Op::Move`](crate::Op::Move). It is made when it is first used; its two descriptors
/// close with the last clone. Between operations it is empty.
#[derive(Clone, Debug, Default)]
pub struct Pipe(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Unmade,
    Ready(Ends),
    /// Nothing can be moved through it.
    Useless,
}

/// The descriptors of a pipe.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) read: OwnedFd,
    pub(crate) write: OwnedFd,
}

/// The pipe, while one operation uses it.
pub(crate) struct InUse<'a>(MutexGuard<'a, State>);

impl Pipe {
    /// How much goes through it at once: what the kernel grants every user by default.
    pub const BYTES: usize = 1 << 20;

    pub(crate) fn lock(&self) -> InUse<'_> {
        InUse(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl InUse<'_> {
    /// The ends of the pipe; `None` if it can't be made, or nothing can be moved through it.
    pub(crate) fn ends(&mut self) -> Option<&Ends> {
        if let State::Unmade = *self.0 {
            *self.0 = make().map_or(State::Useless, State::Ready);
        }
        match &*self.0 {
            State::Ready(ends) => Some(ends),
            _ => None,
        }
    }

    /// Closes the pipe, with what is left in it. Nothing is moved through it any more.
    pub(crate) fn close(&mut self) {
        *self.0 = State::Useless;
    }
}

fn make() -> rustix::io::Result<Ends> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    // Where that isn't granted, the pipe is shorter, and takes more calls.
    let _ = fcntl_setpipe_size(&write, Pipe::BYTES);
    Ok(Ends { read, write })
}
