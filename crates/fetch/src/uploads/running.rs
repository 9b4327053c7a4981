//! One upload, while parts of it are under way.
//!
//! Owns: the count of requests under way, the first failure, that nothing is removed while something is under way.
//! Does not own: the bytes of parts before they are complete ([`super::sink`], [`super::part`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use haul_io::Io;

use crate::Error;
use crate::uploads::offload::Offload;
use crate::uploads::permits::PartPermit;
use crate::uploads::signal::{Ringer, signal};
use crate::uploads::uploader::Upload;

/// Why a request failed, for each lane that asks.
#[derive(Clone, Debug)]
struct Failure(Arc<io::Error>);

/// An upload that has begun; clones are the same one.
#[derive(Clone)]
pub(crate) struct Running(Arc<Inner>);

struct Inner {
    upload: Arc<dyn Upload>,
    offload: Offload,
    state: Mutex<State>,
    /// Nothing is under way any more.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Requests that were handed over and have not ended.
    under_way: usize,
    /// The first failure.
    failure: Option<Failure>,
    is_abandoned: bool,
    waiting: Option<Ringer>,
}

impl Running {
    pub(crate) fn new(upload: Arc<dyn Upload>, offload: Offload) -> Self {
        Self(Arc::new(Inner { upload, offload, state: Mutex::default(), ended: Condvar::new() }))
    }

    /// Begins to send a part. Its permit is returned when it has been sent.
    ///
    /// # Errors
    /// If an earlier part could not be sent.
    pub(crate) fn send(&self, number: u32, bytes: Vec<u8>, permit: Option<PartPermit>) -> Result<(), Error> {
        self.check()?;
        self.start(move |upload| {
            let sent = upload.send(number, bytes);
            drop(permit);
            sent
        });
        Ok(())
    }

    /// Publishes what was sent, or `bytes` as the whole. A request that publishes is waited for even if the run is
    /// cancelled meanwhile, as its result must be known: the thread is then blocked.
    ///
    /// # Errors
    /// If a part could not be sent, the whole not be published, or the run was cancelled before.
    pub(crate) async fn publish(
        &self,
        io: &impl Io,
        bytes: Option<Vec<u8>>,
        permit: Option<PartPermit>,
    ) -> Result<(), Error> {
        self.settle(io).await?;
        // A sleep of no time fails if the run was cancelled.
        io.sleep(Duration::ZERO).await.map_err(Error::write)?;
        self.start(move |upload| {
            let published = match bytes {
                Some(bytes) => upload.publish_at_once(bytes),
                None => upload.publish(),
            };
            drop(permit);
            published
        });
        match self.settle(io).await {
            Err(Error::Cancelled) => {
                let state = self.0.ended.wait_while(self.0.lock(), |state| state.under_way > 0);
                drop(state);
                self.check()
            }
            settled => settled,
        }
    }

    /// Waits until nothing is under way.
    ///
    /// # Errors
    /// If a request failed, or the run was cancelled.
    async fn settle(&self, io: &impl Io) -> Result<(), Error> {
        loop {
            let signal = {
                let mut state = self.0.lock();
                if state.under_way == 0 || state.failure.is_some() {
                    break;
                }
                let (ringer, signal) = signal();
                state.waiting = Some(ringer);
                signal
            };
            signal.wait(io).await.map_err(Error::write)?;
        }
        self.check()
    }

    /// # Errors
    /// If a request failed.
    fn check(&self) -> Result<(), Error> {
        match self.0.lock().failure.clone() {
            Some(failure) => Err(Error::write(failure.into())),
            None => Ok(()),
        }
    }

    /// Removes what was sent, as soon as nothing is under way. Returns at once.
    pub(crate) fn abandon(&self) {
        let mut state = self.0.lock();
        let was_abandoned = std::mem::replace(&mut state.is_abandoned, true);
        if was_abandoned || state.under_way > 0 {
            return;
        }
        drop(state);
        let upload = self.0.upload.clone();
        self.0.offload.start(move || upload.abandon());
    }

    fn start(&self, work: impl FnOnce(&dyn Upload) -> io::Result<()> + Send + 'static) {
        self.0.lock().under_way += 1;
        let inner = self.0.clone();
        self.0.offload.start(move || {
            let is_abandoned = inner.lock().is_abandoned;
            let done = if is_abandoned {
                Err(haul_io::cancelled())
            } else {
                let done = catch_unwind(AssertUnwindSafe(|| work(&*inner.upload)));
                done.unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
            };
            inner.end(done);
        });
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        if haul_io::is_cancelled(&failure.0) {
            return haul_io::cancelled();
        }
        Self::new(failure.0.kind(), failure)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&haul_io::reason(&self.0))
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Inner {
    /// Ends one request. The last one of an upload that was abandoned removes it.
    fn end(&self, done: io::Result<()>) {
        let mut state = self.lock();
        state.under_way -= 1;
        if let Err(error) = done {
            state.failure.get_or_insert_with(|| Failure(Arc::new(error)));
        }
        let is_last = state.under_way == 0;
        let waiting = if is_last || state.failure.is_some() { state.waiting.take() } else { None };
        let is_removed = is_last && state.is_abandoned;
        drop(state);
        if is_removed {
            self.upload.abandon();
        }
        if is_last {
            self.ended.notify_all();
        }
        if let Some(waiting) = waiting {
            waiting.ring();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
