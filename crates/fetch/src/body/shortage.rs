//! Waiting while descriptors are short.
//!
//! A process or system without free descriptors is busy, not broken: transfers that end free some, so that work waits
//! instead of failing.
//!
//! Owns: how long work waits for the end of a shortage, beyond the waits of each operation; creating files under one.
//! Does not own: which idle connections give way ([`crate::route::pool`]).

use std::io;
use std::time::Duration;

use haul_io::{Buf, Io, Publish, Published, Staged, is_shortage};

/// How long to wait before trying again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long to keep trying.
const TIME_MAX: Duration = Duration::from_secs(60);

/// One piece of work that waits for descriptors.
pub(crate) struct Shortage {
    until: Duration,
}

impl Shortage {
    pub(crate) fn new(io: &impl Io) -> Self {
        Self { until: io.now() + TIME_MAX }
    }

    /// Whether to try again after `error`; waits before that.
    pub(crate) async fn waits(&self, io: &impl Io, error: &io::Error) -> bool {
        is_shortage(error) && io.now() < self.until && io.sleep(PAUSE).await.is_ok()
    }
}

/// [`Staged::create`], which waits for a descriptor.
pub(crate) async fn create(io: &impl Io, publish: &Publish) -> io::Result<Staged> {
    let shortage = Shortage::new(io);
    loop {
        match Staged::create(io, publish).await {
            Err(error) if shortage.waits(io, &error).await => {}
            created => return created,
        }
    }
}

/// [`Io::write_file`], which waits for a descriptor.
pub(crate) async fn write_file(
    io: &impl Io,
    publish: &Publish,
    mut content: Buf,
) -> (io::Result<Published>, Buf) {
    let shortage = Shortage::new(io);
    let bytes = content.filled().len();
    loop {
        let (written, back) = io.write_file(publish.clone(), content).await;
        content = back;
        match written {
            // The content is only intact if nothing was written.
            Err(error) if content.filled().len() == bytes && shortage.waits(io, &error).await => {}
            written => return (written, content),
        }
    }
}
