//! A request to the kernel: its entry, and everything the entry points at.
//!
//! Owns: buffers, names and handles for as long as the kernel may use them; entries; reading a result.
//! Does not own: the moment of submission and of completion ([`super::driver`]).
//!
//! Source: io_uring_enter(2).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use io_uring::{opcode, squeue, types};
use rustix::event::PollFlags;
use rustix::fs::{CWD, OFlags};
use rustix::net::SendFlags;

use super::park::Park;
use crate::values::handle::Descriptor;
use crate::{Buf, Cancel, Completion, File, Offset, Op, Socket, Value, cancelled};

/// A request in flight. Invariant: it stays at its address, untouched, from its submission to its completion.
pub(crate) enum Request {
    Read {
        file: OsHandle,
        buf: Buf,
        bytes_max: usize,
        offset: u64,
    },
    Write {
        file: OsHandle,
        buf: Buf,
        offset: u64,
    },
    Recv {
        socket: OsHandle,
        buf: Buf,
    },
    Send {
        socket: OsHandle,
        buf: Buf,
    },
    Sync {
        file: OsHandle,
    },
    Open {
        dir: Option<OsHandle>,
        path: CString,
        flags: OFlags,
    },
    /// Polls for writability: the end of a connection attempt.
    Connect {
        socket: OwnedFd,
    },
    /// Reads the wake-ups of other threads.
    WakeUp {
        park: Arc<Park>,
        counter: [u8; 8],
    },
    /// Polls for the run's cancellation.
    CancelSignal {
        cancel: Cancel,
    },
    /// A pool thread carries it out and owns its memory.
    Pooled {
        completion: Option<std::thread::Result<Completion>>,
    },
    /// A thread looks a name up. The answer is for others too, so that this ends early without it.
    Lookup {
        completion: Option<Completion>,
    },
    /// Ends at its deadline.
    Timer,
    /// Stands for a request whose memory the kernel may still use although its ring broke.
    Lost {
        has_buffer: bool,
    },
}

/// A handle of the real system. Its descriptor can't be closed and reused while it is held.
pub(crate) struct OsHandle(Arc<Descriptor>);

impl OsHandle {
    pub(crate) fn new(descriptor: Arc<Descriptor>) -> io::Result<Self> {
        descriptor.fd()?;
        Ok(Self(descriptor))
    }

    fn fd(&self) -> types::Fd {
        types::Fd(self.0.fd().expect("checked when it was made").as_raw_fd())
    }
}

/// The most that one system call moves: see read(2).
const LENGTH_MAX: usize = 0x7fff_f000;

fn length(bytes: usize) -> u32 {
    bytes.min(LENGTH_MAX) as u32
}

impl Request {
    /// The request for `op`, or its refusal if no request can be made: a simulated handle, a name with a zero byte.
    pub(crate) fn new(op: Op) -> Result<Self, Completion> {
        let refused = |buf: Buf, error: io::Error| Completion { result: Err(error), buf: Some(buf) };
        Ok(match op {
            Op::ReadAt { file, buf, bytes_max, offset } => match OsHandle::new(file.0) {
                Ok(file) => Self::Read { file, buf, bytes_max, offset: offset.raw() },
                Err(error) => return Err(refused(buf, error)),
            },
            Op::WriteAt { file, buf, offset } => match OsHandle::new(file.0) {
                Ok(file) => Self::Write { file, buf, offset: offset.raw() },
                Err(error) => return Err(refused(buf, error)),
            },
            Op::Recv { socket, buf, .. } => match OsHandle::new(socket.0) {
                Ok(socket) => Self::Recv { socket, buf },
                Err(error) => return Err(refused(buf, error)),
            },
            Op::Send { socket, buf, .. } => match OsHandle::new(socket.0) {
                Ok(socket) => Self::Send { socket, buf },
                Err(error) => return Err(refused(buf, error)),
            },
            Op::Sync { file } => {
                Self::Sync { file: OsHandle::new(file.0).map_err(|error| Completion::new(Err(error)))? }
            }
            Op::Open { dir, path, mode } => {
                let dir = dir.map(|dir| OsHandle::new(dir.file().0.clone())).transpose();
                let path = CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from);
                match (dir, path) {
                    (Ok(dir), Ok(path)) => Self::Open { dir, path, flags: mode.flags() },
                    (Err(error), _) | (_, Err(error)) => return Err(Completion::new(Err(error))),
                }
            }
            other => unreachable!("not an operation of the ring: {other:?}"),
        })
    }

    /// The entry for the kernel, which points into `self`; `None` for requests that don't concern the kernel.
    pub(crate) fn entry(&mut self) -> Option<squeue::Entry> {
        Some(match self {
            Self::Read { file, buf, bytes_max, offset } => {
                let spare = buf.spare_mut();
                let bytes = length(spare.len().min(*bytes_max));
                opcode::Read::new(file.fd(), spare.as_mut_ptr(), bytes).offset(*offset).build()
            }
            Self::Write { file, buf, offset } => {
                let filled = buf.filled();
                opcode::Write::new(file.fd(), filled.as_ptr(), length(filled.len())).offset(*offset).build()
            }
            Self::Recv { socket, buf } => {
                let spare = buf.spare_mut();
                opcode::Recv::new(socket.fd(), spare.as_mut_ptr(), length(spare.len())).build()
            }
            Self::Send { socket, buf } => {
                let (filled, flags) = (buf.filled(), SendFlags::NOSIGNAL.bits() as i32);
                opcode::Send::new(socket.fd(), filled.as_ptr(), length(filled.len())).flags(flags).build()
            }
            Self::Sync { file } => opcode::Fsync::new(file.fd()).build(),
            Self::Open { dir, path, flags } => {
                let dir = dir.as_ref().map_or(types::Fd(CWD.as_raw_fd()), OsHandle::fd);
                opcode::OpenAt::new(dir, path.as_ptr()).flags(flags.bits() as i32).build()
            }
            Self::Connect { socket } => poll(socket.as_raw_fd(), PollFlags::OUT),
            Self::WakeUp { park, counter } => {
                let fd = types::Fd(park.as_fd().as_raw_fd());
                opcode::Read::new(fd, counter.as_mut_ptr(), counter.len() as u32).build()
            }
            Self::CancelSignal { cancel } => poll(cancel.as_fd().as_raw_fd(), PollFlags::IN),
            Self::Pooled { .. } | Self::Lookup { .. } | Self::Timer | Self::Lost { .. } => return None,
        })
    }

    /// Whether the run's cancellation interrupts it.
    pub(crate) fn is_interrupted_by_cancel(&self) -> bool {
        match self {
            Self::Read { .. } | Self::Write { .. } | Self::Recv { .. } | Self::Send { .. } => true,
            Self::Open { .. } | Self::Connect { .. } | Self::Lookup { .. } | Self::Timer => true,
            // A pool thread watches the switch itself.
            Self::Sync { .. } | Self::Pooled { .. } | Self::Lost { .. } => false,
            Self::WakeUp { .. } | Self::CancelSignal { .. } => false,
        }
    }

    /// The completion for the job. `result` is the kernel's.
    pub(crate) fn complete(self, result: io::Result<u32>) -> Completion {
        match self {
            Self::Read { mut buf, .. } | Self::Recv { mut buf, .. } => {
                let counted = result.map(|count| count as usize);
                buf.commit(*counted.as_ref().unwrap_or(&0));
                Completion::counted(counted, buf)
            }
            Self::Write { buf, .. } | Self::Send { buf, .. } => {
                Completion::counted(result.map(|count| count as usize), buf)
            }
            Self::Open { .. } => Completion::new(result.map(|number| Value::File(opened(number).into()))),
            Self::Pooled { completion } => match completion {
                Some(Ok(completion)) => completion,
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                None => Completion::new(Err(cancelled())),
            },
            Self::Lookup { completion } => match (result, completion) {
                (Ok(_), Some(completion)) => completion,
                (result, _) => Completion::new(result.and(Err(cancelled()))),
            },
            Self::Lost { has_buffer } => Completion {
                result: result.map(|_| Value::Done),
                buf: has_buffer.then(|| Buf::with_capacity(0)),
            },
            Self::Sync { .. }
            | Self::Connect { .. }
            | Self::WakeUp { .. }
            | Self::CancelSignal { .. }
            | Self::Timer => Completion::new(result.map(|_| Value::Done)),
        }
    }

    /// Stands for this request, which stays where the kernel may use its memory.
    pub(crate) fn lost(&self) -> Self {
        let has_buffer =
            matches!(self, Self::Read { .. } | Self::Write { .. } | Self::Recv { .. } | Self::Send { .. });
        Self::Lost { has_buffer }
    }

    /// The operation, if a system call can carry it out instead, within `timeout` if it has one. Opening has its own
    /// ([`Op::again`]).
    pub(crate) fn into_op(self, timeout: Duration) -> Result<Op, Self> {
        let offset_of = |raw| if raw == Offset::Stream.raw() { Offset::Stream } else { Offset::At(raw) };
        match self {
            Self::Read { file, buf, bytes_max, offset } => {
                Ok(Op::ReadAt { file: File(file.0), buf, bytes_max, offset: offset_of(offset) })
            }
            Self::Write { file, buf, offset } => {
                Ok(Op::WriteAt { file: File(file.0), buf, offset: offset_of(offset) })
            }
            Self::Recv { socket, buf } => Ok(Op::Recv { socket: Socket(socket.0), buf, timeout }),
            Self::Send { socket, buf } => Ok(Op::Send { socket: Socket(socket.0), buf, timeout }),
            Self::Sync { file } => Ok(Op::Sync { file: File(file.0) }),
            other => Err(other),
        }
    }

    /// Frees what an orphaned request has produced.
    pub(crate) fn discard(self, result: io::Result<u32>) {
        if let (Self::Open { .. }, Ok(number)) = (self, result) {
            drop(opened(number));
        }
    }
}

fn poll(fd: RawFd, flags: PollFlags) -> squeue::Entry {
    opcode::PollAdd::new(types::Fd(fd), u32::from(flags.bits())).build()
}

fn opened(number: u32) -> OwnedFd {
    // SAFETY: the number is the result of a completed open, and only this call takes it, so the descriptor is ours.
    unsafe { OwnedFd::from_raw_fd(number as RawFd) }
}
