//! How far active transfers are.
//!
//! Owns: one meter for each, the list of those that are active.
//! Does not own: telling it to the caller ([`crate::downloads::run`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Observer, TransferEvent};

/// The meters of a run.
#[derive(Clone, Default)]
pub(super) struct Meters(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Those of transfers of which something has arrived.
    active: Mutex<Vec<Arc<Meter>>>,
    all_bytes: AtomicU64,
}

/// How far one transfer is.
struct Meter {
    url: Box<str>,
    bytes: AtomicU64,
    /// The bytes that it needs, or [`UNKNOWN`].
    total: AtomicU64,
    /// Bytes that were told to the caller.
    told: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

/// What a caller is told of a transfer.
pub(super) struct Reading<'a> {
    pub(super) url: &'a str,
    pub(super) bytes: u64,
    pub(super) bytes_total: Option<u64>,
    pub(super) all_bytes: u64,
}

impl Meters {
    /// An observer that measures the transfer of `url`.
    pub(super) fn observer(&self, url: &str) -> Observer {
        let (bytes, total, told) = (AtomicU64::new(0), AtomicU64::new(UNKNOWN), AtomicU64::new(0));
        let (meters, meter) = (self.clone(), Arc::new(Meter { url: url.into(), bytes, total, told }));
        Observer::new(move |event| match *event {
            TransferEvent::Expected { bytes } => meter.total.store(bytes, Ordering::Relaxed),
            TransferEvent::Received { bytes } => meters.count(&meter, bytes),
            TransferEvent::Detail { .. } => {}
        })
    }

    fn count(&self, meter: &Arc<Meter>, bytes: u64) {
        self.0.all_bytes.fetch_add(bytes, Ordering::Relaxed);
        if meter.bytes.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.0.active.lock().unwrap_or_else(PoisonError::into_inner).push(meter.clone());
        }
    }

    /// Calls `each` for every transfer of which something has arrived since the last call.
    pub(super) fn read(&self, mut each: impl FnMut(Reading<'_>)) {
        // The caller's code runs without the lock, which transfers take.
        let active = self.0.active.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for meter in active {
            let bytes = meter.bytes.load(Ordering::Relaxed);
            if meter.told.swap(bytes, Ordering::Relaxed) != bytes {
                let total = meter.total.load(Ordering::Relaxed);
                let bytes_total = (total != UNKNOWN).then_some(total);
                let all_bytes = self.0.all_bytes.load(Ordering::Relaxed);
                each(Reading { url: &meter.url, bytes, bytes_total, all_bytes });
            }
        }
    }

    /// Forgets the transfer of `url`, which has ended.
    pub(super) fn end(&self, url: &str) {
        let mut active = self.0.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.retain(|meter| &*meter.url != url);
    }
}
