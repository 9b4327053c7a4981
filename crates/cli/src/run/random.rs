//! The system's randomness, as the libraries take it.
//!
//! Owns: nothing but the adapter.
//! Does not own: the generator (the kernel's).

use haul_io::{Blocking, Cancel, Io};

/// A function that fills its argument with random bytes.
pub(crate) fn system_random() -> impl FnMut(&mut [u8]) {
    let cancel = Cancel::new().expect("a process that has just started has a free descriptor");
    let io = Blocking::new(cancel);
    move |out| io.random(out)
}
