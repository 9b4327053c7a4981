//! Whether the process was started without a standard output.
//!
//! Before `main`, Rust's runtime opens `/dev/null` in the place of a closed standard stream. Data would disappear there
//! without an error, so the descriptor is examined earlier.
//!
//! Owns: the examination, its result.
//! Does not own: writing to standard output.
#![allow(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Written once, before `main`; a fact about the process, not state of a run.
static WAS_STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

// SAFETY: the loader calls the functions in this section once, before `main`, with C's calling convention. The function
// needs nothing of Rust's runtime: it makes one system call and writes to an atomic.
#[used]
#[unsafe(link_section = ".init_array")]
static EXAMINE: extern "C" fn() = examine;

extern "C" fn examine() {
    // SAFETY: F_GETFD takes no pointer and changes nothing; a closed descriptor is an error.
    let is_closed = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1;
    WAS_STDOUT_CLOSED.store(is_closed, Ordering::Relaxed);
}

/// Fails if the process was started with a closed standard output.
///
/// # Errors
/// `EBADF`, as a write would have failed.
pub fn check_stdout() -> io::Result<()> {
    if WAS_STDOUT_CLOSED.load(Ordering::Relaxed) {
        return Err(rustix::io::Errno::BADF.into());
    }
    Ok(())
}
