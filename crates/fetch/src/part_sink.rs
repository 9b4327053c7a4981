//! Where a part of a file in segments arrives.
//!
//! Owns: writing it to its place, not a byte more than the response said that it has, and ending where somebody else takes over
//! or is to.
//! Does not own: which bytes are whose ([`crate::spans`]), the file.

use std::sync::Arc;
use std::time::Duration;

use haul_io::{Buf, File, Io, Offset};

use crate::Error;
use crate::crowd::Seat;
use crate::file_sink::write_first;
use crate::patience::Watch;
use crate::spans::Held;

pub(crate) struct PartSink {
    file: File,
    held: Held,
    /// Bytes of the response under way that are still to come.
    to_come: u64,
    /// Whether its connection is worth waiting for; where that matters.
    watch: Option<Watch>,
    /// What its connection has of the host; `None` where it is the task's own.
    seat: Option<Arc<Seat>>,
    is_full: bool,
    ended: PartEnd,
    /// Bytes of those taken last that belong to others.
    surplus: usize,
}

impl PartSink {
    /// For a response of `bytes` bytes, which continues what is `held`.
    pub(crate) fn new(
        file: File,
        held: Held,
        bytes: u64,
        (watch, seat): (Option<Watch>, Option<Arc<Seat>>),
    ) -> Self {
        Self { file, held, to_come: bytes, watch, seat, is_full: false, ended: PartEnd::Done, surplus: 0 }
    }

    /// Takes the first `count` filled bytes of `input`, or as many as belong here.
    pub(crate) async fn take(&mut self, io: &impl Io, input: Buf, count: usize) -> (Result<(), Error>, Buf) {
        if count as u64 > self.to_come {
            return (Err(Error::UnaskedPart), input);
        }
        self.to_come -= count as u64;
        let (offset, claimed) = self.held.claim(count);
        self.surplus = count - claimed;
        // At the end of the response its connection is fit for another, where that end is looked for.
        self.is_full = claimed < count || self.to_come > 0 && self.held.is_exhausted();
        if self.to_come > 0 && !self.is_full {
            self.ended = self.outlook(io.now(), count);
            self.is_full = self.ended != PartEnd::Done;
        }
        if claimed == 0 {
            return (Ok(()), input);
        }
        write_first(io, &self.file, input, claimed, Offset::At(offset)).await
    }

    /// Whether no more is wanted of the response.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Bytes of those taken last that belong to others.
    pub(crate) fn surplus(&self) -> usize {
        self.surplus
    }

    /// How it would be best for the response to end.
    fn outlook(&mut self, now: Duration, count: usize) -> PartEnd {
        if self.seat.as_ref().is_some_and(|seat| seat.is_wanted()) && self.held.leave_to_others() {
            return PartEnd::Left;
        }
        let held = &self.held;
        match self.watch.as_mut().is_some_and(|watch| watch.is_slow(now, count, || held.rested_rate())) {
            true => PartEnd::GivenUp,
            false => PartEnd::Done,
        }
    }

    /// The end of the response; the span is left to whoever takes it next.
    pub(crate) fn end(self) -> Result<PartEnd, Error> {
        match self.is_full || self.to_come == 0 {
            true => Ok(self.ended),
            false => Err(Error::UnaskedPart),
        }
    }
}

/// How a response that is part of a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartEnd {
    /// All of it is there, or with others.
    Done,
    /// It came much more slowly than others, and the rest of it is to be had from them.
    GivenUp,
    /// Its lane has left the rest of it to others, as a task needs the seat.
    Left,
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use haul_io::OpenMode;
    use haul_io::sim::{Files, Sim};

    use super::*;
    use crate::spans::{Spans, lock};

    const SECOND: Duration = Duration::from_secs(1);

    /// How a response of 100 bytes ends of which 20 came in five seconds, and what is missing then.
    fn end(others: Option<u64>, watched: bool) -> (Option<PartEnd>, u64) {
        let sim = Sim::with_files(1, Files::default());
        let spans = Arc::new(Mutex::new(Spans::new(100, 1, 1)));
        let end = sim.run(async {
            let file = sim.open(None, "x".as_ref(), OpenMode::CreateNew).await.unwrap();
            let held = Held::take(&spans).unwrap();
            if let Some(rate) = others {
                lock(&spans).enter();
                lock(&spans).rest(rate, SECOND);
            }
            let watch = watched.then(|| Watch::new(5 * SECOND, sim.now()));
            let mut sink = PartSink::new(file, held, 100, (watch, None));
            for pause in [Duration::ZERO, 5 * SECOND] {
                sim.sleep(pause).await.unwrap();
                sink.take(&sim, vec![1; 10].into(), 10).await.0.unwrap();
            }
            sink.is_full().then(|| sink.end().unwrap())
        });
        let missing = lock(&spans).missing();
        (end.unwrap(), missing)
    }

    #[test]
    fn what_comes_much_more_slowly_than_to_others_is_left_to_them() {
        assert_eq!(end(Some(100), true), (Some(PartEnd::GivenUp), 80));
        assert_eq!(end(Some(8), true), (None, 80), "half as fast is fast enough");
        assert_eq!(end(None, true), (None, 80), "all others are still at work");
        assert_eq!(end(Some(100), false), (None, 80), "the last one was given up as well");
    }
}
