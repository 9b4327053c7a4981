//! Setting up a ring, with as many of the optional flags as the kernel supports.
//!
//! Owns: the fallback ladder, the parameters accepted, why a ring was refused.
//! Does not own: what is submitted to the ring.
//!
//! Source: io_uring_setup(2).

use std::fmt;
use std::io;

use io_uring::{IoUring, opcode};
use rustix::io::Errno;

/// Why there is no ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingRefused {
    /// The system's error number.
    pub errno: i32,
    /// What the number means for io_uring.
    pub meaning: Refusal,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Forbidden by `kernel.io_uring_disabled`, a seccomp filter or a security module.
    Forbidden,
    /// The kernel is older than io_uring, or was built without it.
    Absent,
    /// The kernel's io_uring lacks required features.
    TooOld,
    /// There is no memory or descriptor for it.
    Exhausted,
    /// Another error; see the number.
    Other,
}

/// The parameters of a ring that the kernel accepted, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingParams {
    /// Only one thread submits (Linux 6.0).
    pub single_issuer: bool,
    /// The kernel does the work of completions only when asked to (Linux 6.1).
    pub defer_taskrun: bool,
    /// A faulty entry doesn't stop those after it (Linux 5.18).
    pub submit_all: bool,
    /// There is no indirection array (Linux 6.6).
    pub no_sqarray: bool,
    /// Submission entries.
    pub sq_entries: u32,
    /// Completion entries.
    pub cq_entries: u32,
    /// Whether the kernel accepted the bound on its workers for files.
    pub workers_bounded: bool,
}

/// One rung of the ladder: the optional flags to ask for.
#[derive(Clone, Copy)]
pub(crate) struct Rung {
    submit_all: bool,
    defer_taskrun: bool,
    no_sqarray: bool,
}

pub(crate) const LADDER: [Rung; 4] = [
    Rung { submit_all: true, defer_taskrun: true, no_sqarray: true },
    Rung { submit_all: true, defer_taskrun: true, no_sqarray: false },
    Rung { submit_all: true, defer_taskrun: false, no_sqarray: false },
    Rung { submit_all: false, defer_taskrun: false, no_sqarray: false },
];

/// Room for the completions of cancellations and of the driver's own requests, besides one per entry. The kernel keeps
/// those that don't fit.
pub(crate) const COMPLETIONS_PER_ENTRY: u32 = 4;

/// A ring for about `entries` operations at once, on the highest rung that the kernel supports.
pub(crate) fn ring(entries: u32, workers_max: u32) -> Result<(IoUring, RingParams), RingRefused> {
    ring_on(&LADDER, entries, workers_max)
}

pub(crate) fn ring_on(
    ladder: &[Rung],
    entries: u32,
    workers_max: u32,
) -> Result<(IoUring, RingParams), RingRefused> {
    let mut refused = RingRefused { errno: 0, meaning: Refusal::Other };
    for &rung in ladder {
        match build(entries, rung).and_then(entered) {
            Ok(ring) => return checked(ring, rung, workers_max),
            Err(error) => refused = RingRefused::from(&error),
        }
        // An unknown flag is EINVAL; any other error would be the same with fewer flags.
        if refused.errno != Errno::INVAL.raw_os_error() {
            break;
        }
    }
    Err(refused)
}

fn build(entries: u32, rung: Rung) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_clamp().setup_cqsize(entries.saturating_mul(COMPLETIONS_PER_ENTRY)).dontfork();
    if rung.submit_all {
        builder.setup_submit_all();
    }
    if rung.defer_taskrun {
        // The task-run flag shows without a system call whether the kernel has completions to work on.
        builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
    }
    if rung.no_sqarray {
        builder.setup_no_sqarray();
    }
    builder.build(entries)
}

/// The ring, after one operation that does nothing: a filter may allow the setup and forbid entering.
fn entered(mut ring: IoUring) -> io::Result<IoUring> {
    let nothing = opcode::Nop::new().build();
    // SAFETY: the entry points at no memory.
    unsafe { ring.submission().push(&nothing) }.map_err(io::Error::other)?;
    while ring.completion().next().is_none() {
        match ring.submit_and_wait(1).map_err(|error| (Errno::from_io_error(&error), error)) {
            Err((errno, error)) if errno != Some(Errno::INTR) => return Err(error),
            _ => {}
        }
    }
    Ok(ring)
}

fn checked(ring: IoUring, rung: Rung, workers_max: u32) -> Result<(IoUring, RingParams), RingRefused> {
    let params = ring.params();
    // Without these features a wait has no timeout, and completions may be lost (Linux 5.11).
    if !params.is_feature_ext_arg() || !params.is_feature_nodrop() {
        return Err(RingRefused { errno: Errno::NOSYS.raw_os_error(), meaning: Refusal::TooOld });
    }
    let workers_bounded = ring.submitter().register_iowq_max_workers(&mut [workers_max, workers_max]).is_ok();
    let granted = RingParams {
        single_issuer: rung.defer_taskrun,
        defer_taskrun: rung.defer_taskrun,
        submit_all: rung.submit_all,
        no_sqarray: rung.no_sqarray,
        sq_entries: params.sq_entries(),
        cq_entries: params.cq_entries(),
        workers_bounded,
    };
    Ok((ring, granted))
}

impl From<&io::Error> for RingRefused {
    fn from(error: &io::Error) -> Self {
        let meaning = match Errno::from_io_error(error) {
            Some(Errno::PERM | Errno::ACCESS) => Refusal::Forbidden,
            Some(Errno::NOSYS) => Refusal::Absent,
            Some(Errno::INVAL) => Refusal::TooOld,
            Some(Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::AGAIN) => Refusal::Exhausted,
            _ => Refusal::Other,
        };
        Self { errno: error.raw_os_error().unwrap_or_default(), meaning }
    }
}

impl fmt::Display for RingRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.meaning {
            Refusal::Forbidden => "io_uring is forbidden here",
            Refusal::Absent => "this kernel has no io_uring",
            Refusal::TooOld => "this kernel's io_uring is too old",
            Refusal::Exhausted => "no memory or descriptors for a ring",
            Refusal::Other => "io_uring was refused",
        };
        write!(f, "{meaning} (errno {})", self.errno)
    }
}

impl std::error::Error for RingRefused {}
