//! SIGINT and SIGTERM cancel a run; a second signal ends the process at once.
//!
//! Owns: the signal thread, SIGXFSZ, core dumps.
//! Does not own: what cancelling means (engines and jobs do).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use haul_io::Cancel;
use rustix::process::DumpableBehavior;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::{SigId, flag};

use crate::report::exit::Exit;

/// A second signal within this time is ignored: wrappers send one to the process and one to its group.
const REPEAT_INTERVAL: Duration = Duration::from_millis(500);

/// Triggers the cancellation at the first signal, as long as this lives.
pub(crate) struct SignalWatch(Watch);

enum Watch {
    /// A thread triggers it.
    Thread(Handle),
    /// The system refused a thread: the flag is set, for [`SignalWatch::look`].
    Flag { seen: Arc<AtomicBool>, cancel: Cancel, handlers: Vec<SigId> },
}

impl SignalWatch {
    pub(crate) fn start(cancel: Cancel) -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let handle = signals.handle();
        let watched = cancel.clone();
        let started = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut first = None;
            for _ in signals.forever() {
                let first = *first.get_or_insert_with(Instant::now);
                if first.elapsed() > REPEAT_INTERVAL {
                    end_at_once();
                }
                cancel.trigger();
            }
        });
        match started {
            Ok(_) => Ok(Self(Watch::Thread(handle))),
            Err(_) => Self::by_flag(watched),
        }
    }

    /// A watch without a thread: the first signal sets a flag, the second ends the process.
    fn by_flag(cancel: Cancel) -> std::io::Result<Self> {
        let (seen, mut handlers) = (Arc::default(), Vec::new());
        for signal in [SIGINT, SIGTERM] {
            let exit = i32::from(Exit::Interrupted as u8);
            handlers.push(flag::register_conditional_shutdown(signal, exit, Arc::clone(&seen))?);
            handlers.push(flag::register(signal, Arc::clone(&seen))?);
        }
        Ok(Self(Watch::Flag { seen, cancel, handlers }))
    }

    /// Cancels the run if a signal has arrived that no thread could act on. To be called now and then.
    pub(crate) fn look(&self) {
        if let Watch::Flag { seen, cancel, .. } = &self.0
            && seen.load(Ordering::Relaxed)
        {
            cancel.trigger();
        }
    }
}

/// Makes a write beyond the file size limit (RLIMIT_FSIZE) an error, not the end of the process.
pub(crate) fn survive_file_size_limit() -> std::io::Result<()> {
    flag::register(SIGXFSZ, Arc::default()).map(drop)
}

/// Excludes the memory of this process, which holds keys, from core dumps and from debuggers of the same user.
pub(crate) fn forbid_core_dumps() -> std::io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        match &mut self.0 {
            Watch::Thread(handle) => handle.close(),
            Watch::Flag { handlers, .. } => {
                handlers.drain(..).for_each(|handler| _ = signal_hook::low_level::unregister(handler));
            }
        }
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
