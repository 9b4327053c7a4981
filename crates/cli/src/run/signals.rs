//! SIGINT, SIGTERM and SIGHUP cancel a run; a second signal ends the process at once. SIGTSTP stops the worker processes
//! too, and SIGCONT lets them go on.
//!
//! Owns: the signal thread, SIGXFSZ, core dumps.
//! Does not own: what cancelling means (engines and jobs do).

use std::sync::Arc;
use std::time::{Duration, Instant};

use haul_engine::Workers;
use haul_io::Cancel;
use rustix::process::DumpableBehavior;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGXFSZ};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use crate::report::exit::Exit;

/// A second signal within this time is ignored: wrappers send one to the process and one to its group.
const REPEAT_INTERVAL: Duration = Duration::from_millis(500);

/// Triggers the cancellation at the first signal, as long as this lives.
pub(crate) struct SignalWatch {
    handle: Handle,
}

impl SignalWatch {
    /// For a run in this process alone.
    pub(crate) fn start(cancel: Cancel) -> std::io::Result<Self> {
        Self::with_workers(cancel, Workers::default())
    }

    pub(crate) fn with_workers(cancel: Cancel, workers: Workers) -> std::io::Result<Self> {
        // What was ignored stays so: nohup ignores SIGHUP, and shells without job control SIGTSTP.
        let optional = [SIGHUP, SIGTSTP].into_iter().filter(|signal| !is_ignored(*signal));
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGCONT].into_iter().chain(optional))?;
        let handle = signals.handle();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut first = None;
            for signal in signals.forever() {
                match signal {
                    SIGTSTP => {
                        let _ = workers.stopped(|| emulate_default_handler(SIGTSTP));
                        continue;
                    }
                    SIGCONT => {
                        workers.resume();
                        continue;
                    }
                    _ => {}
                }
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

/// Whether this process was started with `signal` ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
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
