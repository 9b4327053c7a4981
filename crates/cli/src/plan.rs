//! What a run needs besides its tasks.
//!
//! Owns: choosing the engine, the process's umask, its randomness.
//! Does not own: running.

use haul_engine::{Config, Engine};
use haul_io::{Blocking, Cancel, Io};

use crate::exit::Problem;

/// An engine, and why it is this one.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) engine: Engine,
    pub(crate) reason: String,
}

impl Chosen {
    /// The one that was asked for.
    pub(crate) fn asked(engine: Engine) -> Self {
        Self { engine, reason: "as asked".to_owned() }
    }

    pub(crate) fn config(&self, cancel: Cancel) -> Config {
        Config { engine: self.engine, cancel, progress: Default::default() }
    }
}

/// Permission bits of a new file: 0666 less the umask. Call while no other thread makes files.
pub(crate) fn new_file_mode() -> u32 {
    let umask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(umask);
    0o666 & !umask.as_raw_mode()
}

/// A switch for one run.
pub(crate) fn cancel() -> Result<Cancel, Problem> {
    Ok(Cancel::new()?)
}

/// The system's randomness.
pub(crate) fn system_random() -> impl FnMut(&mut [u8]) {
    let cancel = Cancel::new().expect("a process that starts has a descriptor left");
    let io = Blocking::new(cancel);
    move |out| io.random(out)
}
