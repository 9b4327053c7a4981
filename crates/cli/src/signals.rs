//! SIGINT and SIGTERM end a run in good order; a second one ends it at once.
//!
//! Owns: the signal thread, what signals that end the process leave behind.
//! Does not own: what ending means (engines and jobs do).

use std::sync::Arc;
use std::time::{Duration, Instant};

use haul_io::Cancel;
use rustix::process::DumpableBehavior;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::{Handle, Signals};

use crate::exit::Exit;

/// A signal that follows the first within this time is its echo: wrappers send it to the process and to its group.
const ECHO: Duration = Duration::from_millis(500);

/// Throws the switch at the first signal, for as long as this lives.
pub(crate) struct Watch {
    handle: Handle,
}

impl Watch {
    pub(crate) fn start(cancel: Cancel) -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let handle = signals.handle();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut first = None;
            for _ in signals.forever() {
                let first = *first.get_or_insert_with(Instant::now);
                if first.elapsed() > ECHO {
                    end_at_once();
                }
                cancel.trigger();
            }
        })?;
        Ok(Self { handle })
    }
}

/// Makes a file that grows beyond its limit (RLIMIT_FSIZE) an error of the write, not the end of the process.
pub(crate) fn survive_file_size_limit() -> std::io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map(drop)
}

/// Keeps the memory of a process that holds keys out of core dumps, and from debuggers of the same user.
pub(crate) fn forbid_core_dumps() -> std::io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
    }
}

#[allow(clippy::exit, reason = "the user asked twice; unnamed files vanish with the process")]
fn end_at_once() -> ! {
    std::process::exit(i32::from(Exit::Interrupted as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_core_is_dumped() {
        forbid_core_dumps().unwrap();
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
