//! SIGINT and SIGTERM cancel a run; a second signal ends the process at once.
//!
//! Owns: the signal thread, SIGXFSZ, core dumps.
//! Does not own: what cancelling means (engines and jobs do).

use std::sync::Arc;
use std::time::{Duration, Instant};

use haul_io::Cancel;
use rustix::process::DumpableBehavior;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::{Handle, Signals};

use crate::report::exit::Exit;

/// A second signal within this time is ignored: wrappers send one to the process and one to its group.
const REPEAT_INTERVAL: Duration = Duration::from_millis(500);

/// Triggers the cancellation at the first signal, as long as this lives.
pub(crate) struct SignalWatch {
    handle: Handle,
}

impl SignalWatch {
    pub(crate) fn start(cancel: Cancel) -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let handle = signals.handle();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut first = None;
            for _ in signals.forever() {
                let first = *first.get_or_insert_with(Instant::now);
                if first.elapsed() > REPEAT_INTERVAL {
                    end_at_once();
                }
                cancel.trigger();
            }
        })?;
        Ok(Self { handle })
    }
}

/// Makes a write beyond the file size limit (RLIMIT_FSIZE) an error, not the end of the process.
pub(crate) fn survive_file_size_limit() -> std::io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map(drop)
}

/// Excludes the memory of this process, which holds keys, from core dumps and from debuggers of the same user.
pub(crate) fn forbid_core_dumps() -> std::io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.close();
    }
}

#[allow(clippy::exit, reason = "the user insists; unnamed files vanish with the process")]
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
