//! Getting a ring from the kernel, with as many of the wanted flags as it knows.
//!
//! Owns: the fallback ladder, what was granted, why a ring was refused.
//! Does not own: what is submitted to the ring.
//!
//! Source: io_uring_setup(2).

use std::fmt;
use std::io;

use io_uring::IoUring;
use rustix::io::Errno;

/// Why there is no ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingRefused {
    /// The system's error number.
    pub errno: i32,
    /// What it means for io_uring.
    pub meaning: Refusal,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Forbidden here: by `kernel.io_uring_disabled`, a seccomp filter or a security module.
    Forbidden,
    /// The kernel was built without io_uring, or is older than it.
    Absent,
    /// The kernel's io_uring lacks what is needed.
    TooOld,
    /// No memory or descriptors for it.
    Exhausted,
    /// Something else; see the error number.
    Other,
}

/// What the kernel granted, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingParams {
    /// One thread submits (6.0).
    pub single_issuer: bool,
    /// Completions are worked on only when asked for (6.1).
    pub defer_taskrun: bool,
    /// A faulty entry doesn't stop those behind it (5.18).
    pub submit_all: bool,
    /// No indirection array (6.6).
    pub no_sqarray: bool,
    /// Submission entries.
    pub sq_entries: u32,
    /// Completion entries.
    pub cq_entries: u32,
    /// The bound on the kernel's workers for files was set.
    pub workers_bounded: bool,
}

/// One rung of the ladder: which optional flags are asked for.
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

/// Completions of cancellations and of what stands armed come on top of one per entry. More than fit are kept by the kernel.
pub(crate) const COMPLETIONS_PER_ENTRY: u32 = 4;

/// A ring for about `entries` operations at once, on the highest rung that the kernel knows.
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
        match build(entries, rung) {
            Ok(ring) => return checked(ring, rung, workers_max),
            Err(error) => refused = RingRefused::from(&error),
        }
        // An unknown flag is EINVAL; any other answer stays the same with fewer flags.
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
        // The task-run flag tells without a system call whether there are completions to be worked on.
        builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
    }
    if rung.no_sqarray {
        builder.setup_no_sqarray();
    }
    builder.build(entries)
}

fn checked(ring: IoUring, rung: Rung, workers_max: u32) -> Result<(IoUring, RingParams), RingRefused> {
    let params = ring.params();
    // Without these a wait has no timeout, and completions may be lost (5.11).
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
