//! The thread that wakes the coordinator for what doesn't happen in the lease table.
//!
//! The coordinator sleeps on the table's event count only. This thread sleeps in `epoll_wait` and rings the table's
//! alarm; it decides nothing. The source rings the same alarm.
//!
//! Owns: the epoll instance, its thread, the note that a worker has died.
//! Does not own: the descriptors, what their readiness means ([`crate::processes::worker_pool`]).
//!
//! Source: `queue/PROTOCOL.md`, part 2, "Waiting"; epoll(7).

use std::io::{self, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;

use haul_io::Cancel;
use haul_queue::lease::Alarm;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;

/// The events that are taken from the kernel at a time.
const EVENTS_MAX: usize = 64;

/// Wakes the coordinator when a worker dies, when a full pipe takes bytes again, and when the run is cancelled.
pub(super) struct Sentry {
    epoll: Arc<OwnedFd>,
    has_deaths: Arc<AtomicBool>,
    /// Closing it ends the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

/// What a descriptor's readiness means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watched {
    Death,
    /// The coordinator checks it whenever it wakes.
    Other,
    Stop,
}

impl Watched {
    fn data(self) -> epoll::EventData {
        epoll::EventData::new_u64(self as u64)
    }
}

impl Sentry {
    /// Starts the thread. Everything is reported once (`EPOLLONESHOT`): a death until it is reaped and a cancellation
    /// stay readable for ever.
    pub(super) fn start(cancel: &Cancel, alarm: Alarm) -> io::Result<Self> {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let (stopped, stop) = io::pipe()?;
        epoll::add(&epoll, &stopped, Watched::Stop.data(), epoll::EventFlags::IN)?;
        let once = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        epoll::add(&epoll, cancel, Watched::Other.data(), once)?;
        let has_deaths = Arc::new(AtomicBool::new(false));
        let watch = {
            let (epoll, has_deaths) = (epoll.clone(), has_deaths.clone());
            move || {
                watch(&epoll, &has_deaths, &alarm);
                drop(stopped);
            }
        };
        let thread = std::thread::Builder::new().name("haul-sentry".to_owned()).spawn(watch)?;
        Ok(Self { epoll, has_deaths, stop: Some(stop), thread: Some(thread) })
    }

    /// Rings when the process of `pidfd` ends. Closing every copy of the descriptor ends the watch.
    pub(super) fn watch_death(&self, pidfd: &impl AsFd) -> io::Result<()> {
        let once = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        Ok(epoll::add(&self.epoll, pidfd, Watched::Death.data(), once)?)
    }

    /// Rings when `pipe`, which is full, takes bytes again.
    pub(super) fn watch_pipe(&self, pipe: &PipeWriter) -> io::Result<()> {
        let once = epoll::EventFlags::OUT | epoll::EventFlags::ONESHOT;
        match epoll::add(&self.epoll, pipe, Watched::Other.data(), once) {
            Err(Errno::EXIST) => Ok(epoll::modify(&self.epoll, pipe, Watched::Other.data(), once)?),
            added => Ok(added?),
        }
    }

    /// Whether a worker has died since the last call.
    pub(super) fn take_deaths(&self) -> bool {
        self.has_deaths.swap(false, Ordering::AcqRel)
    }
}

/// A waker that ends the coordinator's sleep, for its source.
pub(super) fn alarm_waker(alarm: Alarm) -> Waker {
    struct Ring(Alarm);

    impl Wake for Ring {
        fn wake(self: Arc<Self>) {
            self.0.ring();
        }
    }

    Waker::from(Arc::new(Ring(alarm)))
}

fn watch(epoll: &OwnedFd, has_deaths: &AtomicBool, alarm: &Alarm) {
    let mut events = Vec::with_capacity(EVENTS_MAX);
    loop {
        match epoll::wait(epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        let is = |watched: Watched| events.iter().any(|event| event.data.u64() == watched as u64);
        if is(Watched::Death) {
            has_deaths.store(true, Ordering::Release);
        }
        if is(Watched::Stop) {
            return;
        }
        if !events.is_empty() {
            alarm.ring();
        }
        events.clear();
    }
}

impl Drop for Sentry {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haul_queue::lease;

    use super::*;

    /// A sleep that ends by the alarm only.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_death_a_cancellation_and_room_in_a_pipe_each_wake_the_supervisor_once() {
        use std::io::{Read, Write};
        let mut table = lease::Supervisor::create(lease::Config::default()).unwrap();
        let cancel = Cancel::new().unwrap();
        let sentry = Sentry::start(&cancel, table.alarm()).unwrap();
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
        sentry.watch_death(&pidfd).unwrap();
        assert!(!sentry.take_deaths());

        drop(child.stdin.take());
        assert!(table.wait(LONG), "the death");
        assert!(sentry.take_deaths());
        assert!(!sentry.take_deaths(), "each death once");
        child.wait().unwrap();

        table.collect();
        cancel.trigger();
        assert!(table.wait(LONG), "the cancellation");
        assert!(!sentry.take_deaths());

        let (mut reader, mut writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        while writer.write(&[0; 4096]).is_ok() {}
        table.collect();
        for _ in 0..2 {
            sentry.watch_pipe(&writer).unwrap();
            assert!(!table.wait(Duration::ZERO), "the pipe is full, and the rest was reported");
        }
        reader.read_exact(&mut [0; 1 << 16]).unwrap();
        assert!(table.wait(LONG), "room in the pipe");
        table.collect();
        assert!(!table.wait(Duration::ZERO), "once");
    }
}
