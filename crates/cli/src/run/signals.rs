//! SIGINT, SIGTERM and SIGHUP cancel a run; a second signal ends the process at once. SIGTSTP stops the worker
//! processes too, and SIGCONT lets them go on. While a question is asked, signals wait until the terminal is in order.
//!
//! Owns: the signal thread, signals during questions, SIGXFSZ, core dumps.
//! Does not own: what cancelling means (engines and jobs do), the terminal.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use std::{array, io};

use haul_engine::Workers;
use haul_io::Cancel;
use rustix::process::DumpableBehavior;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGXFSZ};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::{emulate_default_handler, pipe, unregister};
use signal_hook::{SigId, flag};

use crate::report::exit::Exit;

/// A second signal within this time is ignored: wrappers send one to the process and one to its group.
const REPEAT_INTERVAL: Duration = Duration::from_millis(500);

/// The signals that would end or stop the process while the terminal doesn't echo.
const OF_QUESTIONS: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];

/// For each of [`OF_QUESTIONS`], whether its default action applies. Signals belong to the process, and the library
/// that catches them can't restore a default action later, so it is decided here for the life of the process.
static DEFAULTS: LazyLock<[Arc<AtomicBool>; 5]> = LazyLock::new(|| {
    OF_QUESTIONS.map(|signal| {
        let applies = Arc::new(AtomicBool::new(true));
        // A signal that was ignored from the start stays so. Fails for no signal of the list; one that couldn't be
        // caught would keep its default action.
        if !is_ignored(signal) {
            let _ = flag::register_conditional_default(signal, applies.clone());
        }
        applies
    })
});

/// Triggers the cancellation at the first signal, as long as this lives.
pub(crate) struct SignalWatch(Watch);

enum Watch {
    /// A thread triggers it.
    Thread(Handle),
    /// The system refused a thread: the flag is set, for [`SignalWatch::look`].
    Flag { seen: Arc<AtomicBool>, cancel: Cancel, handlers: Vec<SigId> },
}

impl SignalWatch {
    /// For a run in this process alone.
    pub(crate) fn start(cancel: Cancel) -> std::io::Result<Self> {
        Self::with_workers(cancel, Workers::default())
    }

    pub(crate) fn with_workers(cancel: Cancel, workers: Workers) -> std::io::Result<Self> {
        // What was ignored stays so: nohup ignores SIGHUP, and shells without job control SIGTSTP.
        let optional = [SIGHUP, SIGTSTP].into_iter().filter(|signal| !is_ignored(*signal));
        let of_run: Vec<i32> = [SIGINT, SIGTERM, SIGCONT].into_iter().chain(optional).collect();
        let mut signals = Signals::new(&of_run)?;
        for (signal, default_applies) in OF_QUESTIONS.iter().zip(DEFAULTS.iter()) {
            if of_run.contains(signal) {
                default_applies.store(false, Ordering::Relaxed);
            }
        }
        let handle = signals.handle();
        let watched = cancel.clone();
        let started = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
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
        });
        match started {
            Ok(_) => Ok(Self(Watch::Thread(handle))),
            Err(_) => Self::by_flag(watched),
        }
    }

    /// A watch without a thread: the first signal sets a flag, the second ends the process.
    fn by_flag(cancel: Cancel) -> std::io::Result<Self> {
        let (seen, mut handlers) = (Arc::default(), Vec::new());
        // Nothing stops the worker processes, so SIGTSTP has its default action again.
        for (signal, default_applies) in OF_QUESTIONS.iter().zip(DEFAULTS.iter()) {
            default_applies.store(![SIGHUP, SIGINT, SIGTERM].contains(signal), Ordering::Relaxed);
        }
        for signal in [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal)) {
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

/// Catches the signals that would end or stop the process, as long as this lives. It becomes readable when one arrives.
pub(crate) struct CaughtSignals {
    arrived: UnixStream,
    last: Arc<AtomicUsize>,
    actions: Vec<SigId>,
    /// What [`DEFAULTS`] were before.
    before: [bool; 5],
}

impl CaughtSignals {
    pub(crate) fn catch() -> io::Result<Self> {
        let (arrived, notify) = UnixStream::pair()?;
        arrived.set_nonblocking(true)?;
        let before = array::from_fn(|index| DEFAULTS[index].swap(false, Ordering::Relaxed));
        let last = Arc::default();
        let mut caught = Self { arrived, last, actions: Vec::new(), before };
        for signal in OF_QUESTIONS {
            caught.actions.push(flag::register_usize(signal, caught.last.clone(), signal as usize)?);
            caught.actions.push(pipe::register(signal, notify.try_clone()?)?);
        }
        Ok(caught)
    }

    /// The signal that arrived last, if one did since the last call. As in the kernel, nothing stops a process that no
    /// shell could continue.
    pub(crate) fn take(&self) -> Option<i32> {
        let mut bytes = [0; 64];
        while rustix::io::read(&self.arrived, &mut bytes).is_ok_and(|count| count > 0) {}
        i32::try_from(self.last.swap(0, Ordering::Relaxed))
            .ok()
            .filter(|signal| *signal != 0 && (*signal != SIGTSTP || has_shell()))
    }

    /// Does what `signal` does by default: stops the process until it is continued, or ends it. Only SIGINT and SIGTERM
    /// are left to the caller. Returns whether the process was stopped.
    pub(crate) fn act(signal: i32) -> bool {
        if ![SIGINT, SIGTERM].contains(&signal) {
            let _ = emulate_default_handler(signal);
        }
        signal == SIGTSTP
    }
}

/// Whether the parent belongs to the same session, so that it can continue this process.
fn has_shell() -> bool {
    use rustix::process::{getppid, getsid};
    getppid().is_some_and(|parent| getsid(Some(parent)).is_ok_and(|session| getsid(None) == Ok(session)))
}

impl AsFd for CaughtSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}

impl Drop for CaughtSignals {
    fn drop(&mut self) {
        self.actions.drain(..).for_each(|action| {
            unregister(action);
        });
        for (default_applies, before) in DEFAULTS.iter().zip(self.before) {
            default_applies.store(before, Ordering::Relaxed);
        }
    }
}

/// The signals that this process was started with ignored, a bit each. Read once, before any is caught.
static IGNORED: LazyLock<u64> = LazyLock::new(|| {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
});

/// Whether this process was started with `signal` ignored.
fn is_ignored(signal: i32) -> bool {
    *IGNORED >> (signal - 1) & 1 == 1
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

/// Ends the process, because the user insists. No exit handlers: they could wait for a thread that hangs. Unnamed files
/// vanish with the process, and the kernel kills its workers; the next run removes temporary files that have names.
fn end_at_once() -> ! {
    signal_hook::low_level::exit(i32::from(Exit::Interrupted as u8))
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
