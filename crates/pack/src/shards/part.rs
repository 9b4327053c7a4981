//! A part of a run whose members share one shard, such as a slice of a fleet.
//!
//! Several programs may work on a part, one after the other; one of them may come too late without knowing. So a shard
//! of a part is published only if its [gate](PartGate) says that it may, under a name that was chosen before. A program
//! that takes a part over [blocks](crate::Packer::block) the names under which shards may still be on their way.
//!
//! Owns: what a part is asked, its end.
//! Does not own: the one who decides, writing the shard ([`super::packer`]).

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haul_io::{Io, cancelled};

use super::gate::{PartGate, PartShard};
use super::ticket::ShardEnd;

/// How long a task waits before it asks again whether its shard may be published.
const WAIT: Duration = Duration::from_millis(5);
/// How often it does so in a run that was cancelled.
const STEADY_WAITS_MAX: u32 = 200;

/// A part, as its packer has it.
pub(super) struct Part {
    pub(super) gate: Arc<dyn PartGate>,
    /// The shard, when it has ended.
    end: Mutex<Option<Arc<ShardEnd>>>,
}

impl Part {
    pub(super) fn new(gate: Arc<dyn PartGate>) -> Self {
        Self { gate, end: Mutex::new(None) }
    }

    /// Waits until `shard` may be published.
    ///
    /// # Errors
    /// If it may not, or if the run is cancelled and that isn't known soon.
    pub(super) async fn permit(&self, io: &impl Io, shard: &PartShard) -> io::Result<()> {
        let mut waits = 0;
        loop {
            match self.gate.may_publish(shard) {
                Some(true) => return Ok(()),
                Some(false) => return Err(cancelled()),
                None if io.sleep(WAIT).await.is_ok() => {}
                // The run was cancelled. What is complete is worth a moment.
                None if waits < STEADY_WAITS_MAX => {
                    waits += 1;
                    std::thread::sleep(WAIT);
                }
                None => return Err(cancelled()),
            }
        }
    }

    pub(super) fn set_end(&self, end: Arc<ShardEnd>) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    pub(super) fn end(&self) -> Option<Arc<ShardEnd>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
