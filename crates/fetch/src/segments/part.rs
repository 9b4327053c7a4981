//! Receiving one part of a file that is fetched in segments.
//!
//! Owns: writing the part at its offset, refusing bytes beyond what the response announced, ending early where another
//! lane has the rest or should fetch it.
//! Does not own: which lane fetches which bytes ([`crate::segments::spans`]), the file.

use std::sync::Arc;
use std::time::Duration;

use haul_io::{Buf, File, Io, Offset};
use http::HeaderMap;

use crate::Error;
use crate::body::expectation::ContentChecks;
use crate::body::receiver::Receiver;
use crate::body::store::PartsFile;
use crate::body::write::write_first;
use crate::segments::encoded_part::EncodedPart;
use crate::segments::host_permits::HostPermit;
use crate::segments::spans::SpanClaim;
use crate::segments::stall::SpeedWindow;
use crate::uploads::part::UploadPart;

/// Receives one response with a part.
pub(crate) struct PartReceiver {
    place: PartPlace,
    claim: SpanClaim,
    checks: ContentChecks,
    bytes: u64,
    /// Bytes of the response that are still to come.
    to_come: u64,
    /// The speed of its connection; `None` if that doesn't matter.
    speed: Option<SpeedWindow>,
    /// The permit for its connection; `None` if that is the task's own.
    permit: Option<Arc<HostPermit>>,
    is_full: bool,
    end: PartEnd,
    /// How many of the bytes taken last belong to other lanes.
    surplus: usize,
}

/// Where the part goes.
enum PartPlace {
    File(File),
    /// A file in a format of chunks.
    Encoded(File, EncodedPart),
    Upload(UploadPart),
}

/// How a response with a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartEnd {
    /// All its bytes are here, or claimed by other lanes.
    Done,
    /// Its connection is much slower than another that has finished; the missing bytes are to be requested again.
    GivenUp,
    /// The lane has left the missing bytes to other lanes, as a task needs its permit.
    Left,
}

impl PartReceiver {
    /// For a response of `bytes` bytes, which continues the claimed span of `file` with `total` bytes of content.
    pub(crate) fn new(file: &PartsFile, total: u64, claim: SpanClaim, bytes: u64) -> Self {
        let place = match file {
            PartsFile::File { file, encoded: None } => PartPlace::File(file.clone()),
            PartsFile::File { file, encoded: Some(encoded) } => {
                PartPlace::Encoded(file.clone(), EncodedPart::new(encoded.clone(), total))
            }
            PartsFile::Upload(parts) => PartPlace::Upload(parts.part()),
        };
        Self {
            place,
            claim,
            checks: ContentChecks::default(),
            bytes: 0,
            to_come: bytes,
            speed: None,
            permit: None,
            is_full: false,
            end: PartEnd::Done,
            surplus: 0,
        }
    }

    /// Checks the content against the digest that `headers` announce.
    pub(crate) fn checked_by(mut self, headers: &HeaderMap) -> Self {
        self.checks.expect(headers);
        self
    }

    /// Ends early if the connection is too slow.
    pub(crate) fn with_speed(self, speed: Option<SpeedWindow>) -> Self {
        Self { speed, ..self }
    }

    /// Ends early if a task needs the permit of the connection.
    pub(crate) fn with_permit(self, permit: Option<Arc<HostPermit>>) -> Self {
        Self { permit, ..self }
    }

    /// How it would be best for the response to end.
    fn outlook(&mut self, now: Duration, count: usize) -> PartEnd {
        if self.permit.as_ref().is_some_and(|permit| permit.is_wanted()) && self.claim.leave_to_others() {
            return PartEnd::Left;
        }
        let claim = &self.claim;
        let is_slow = |speed: &mut SpeedWindow| speed.is_slow(now, count, || claim.finished_rate());
        if self.speed.as_mut().is_some_and(is_slow) { PartEnd::GivenUp } else { PartEnd::Done }
    }

    /// Decides whether the response goes on, after `count` bytes of which `surplus` belong to other lanes.
    fn look_ahead(&mut self, io: &impl Io, count: usize, surplus: usize) {
        self.surplus = surplus;
        // At the end of a response its connection is reusable, so that the end is read even if no byte is missing.
        self.is_full = surplus > 0 || self.to_come > 0 && self.claim.is_exhausted();
        if self.to_come > 0 && !self.is_full {
            self.end = self.outlook(io.now(), count);
            self.is_full = self.end != PartEnd::Done;
        }
    }

    /// How the response ended; the span goes to the next lane that takes it.
    ///
    /// # Errors
    /// If the response was shorter than announced, or than the least that can be stored.
    pub(crate) fn part_end(self) -> Result<PartEnd, Error> {
        let has_progressed = match &self.place {
            PartPlace::File(_) => true,
            PartPlace::Encoded(_, encoded) => encoded.has_progressed(),
            PartPlace::Upload(part) => part.has_progressed(),
        };
        let is_too_short = !self.is_full && !has_progressed;
        if is_too_short && self.bytes > 0 {
            return Err(Error::UnaskedPart);
        }
        if self.is_full || self.to_come == 0 { Ok(self.end) } else { Err(Error::UnaskedPart) }
    }
}

impl Receiver for PartReceiver {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn check_room(&self, _bytes: u64) -> Result<(), Error> {
        Ok(())
    }

    async fn take(&mut self, io: &impl Io, input: Buf, count: usize) -> (Result<(), Error>, Buf) {
        self.checks.update(&input.filled()[..count]);
        self.bytes += count as u64;
        if count as u64 > self.to_come {
            return (Err(Error::UnaskedPart), input);
        }
        self.to_come -= count as u64;
        let content = &input.filled()[..count];
        let taken = match &mut self.place {
            PartPlace::File(file) => {
                let file = file.clone();
                let (offset, reserved) = self.claim.reserve(count);
                self.look_ahead(io, count, count - reserved);
                if reserved == 0 {
                    return (Ok(()), input);
                }
                return write_first(io, &file, input, reserved, Offset::At(offset)).await;
            }
            PartPlace::Encoded(file, encoded) => encoded.take(io, file, &self.claim, content).await,
            PartPlace::Upload(part) => part.take(io, &self.claim, content).await,
        };
        let mut input = input;
        input.consume(count);
        let taken = taken.map(|surplus| self.look_ahead(io, count, surplus));
        (taken, input)
    }

    fn surplus(&self) -> usize {
        self.surplus
    }

    fn is_full(&self) -> bool {
        self.is_full
    }

    async fn end(&mut self, _io: &impl Io) -> Result<(), Error> {
        if self.is_full {
            self.checks.clear();
        }
        self.checks.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use haul_io::OpenMode;
    use haul_io::sim::{Files, Sim};

    use super::*;
    use crate::segments::spans::{Spans, lock};

    const SECOND: Duration = Duration::from_secs(1);

    /// How a response of 100 bytes ends when 20 have arrived in five seconds, and how many bytes are missing then.
    fn end(others: Option<u64>, watched: bool) -> (Option<PartEnd>, u64) {
        let sim = Sim::with_files(1, Files::default());
        let spans = Arc::new(Mutex::new(Spans::new(100, 1, 1)));
        let end = sim.run(async {
            let file = sim.open(None, "x".as_ref(), OpenMode::CreateNew).await.unwrap();
            let claim = SpanClaim::take(&spans).unwrap();
            if let Some(rate) = others {
                lock(&spans).enter();
                lock(&spans).finish(rate, SECOND);
            }
            let speed = watched.then(|| SpeedWindow::new(5 * SECOND, sim.now()));
            let file = PartsFile::File { file, encoded: None };
            let mut receiver = PartReceiver::new(&file, 100, claim, 100).with_speed(speed);
            for pause in [Duration::ZERO, 5 * SECOND] {
                sim.sleep(pause).await.unwrap();
                receiver.take(&sim, vec![1; 10].into(), 10).await.0.unwrap();
            }
            receiver.is_full().then(|| receiver.part_end().unwrap())
        });
        let missing = lock(&spans).missing();
        (end.unwrap(), missing)
    }

    #[test]
    fn a_part_that_is_much_slower_than_others_is_left_to_them() {
        assert_eq!(end(Some(100), true), (Some(PartEnd::GivenUp), 80));
        assert_eq!(end(Some(8), true), (None, 80), "half as fast is fast enough");
        assert_eq!(end(None, true), (None, 80), "all other lanes are still at work");
        assert_eq!(end(Some(100), false), (None, 80), "the previous connection was given up as well");
    }
}
