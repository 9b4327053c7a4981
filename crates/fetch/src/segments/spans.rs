//! Which bytes of a file in segments are there, and who fetches which of the others.
//!
//! A pure state machine. A file begins as a few spans of equal length. Each has at most one holder, who fetches it from
//! its first missing byte on. Whoever is done takes the next span that nobody holds; where there is none, the second
//! half of what the slowest still has before it, who then stops in the middle. So a slow connection holds up no more
//! than what it is at, and a file that all fetch equally fast takes no more requests than there are connections.
//!
//! Owns: the spans, their holders.
//! Does not own: fetching ([`crate::segments::lane`]), writing ([`crate::segments::part`]).

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::segments::stall::rate;

/// The spans of one file.
#[derive(Debug)]
pub(crate) struct Spans {
    spans: Vec<Span>,
    /// What is divided further has twice as many bytes.
    piece_bytes_min: u64,
    is_stopped: bool,
    /// Bytes a second that the fastest brought of those who found nothing left to do.
    finished_rate: Option<u64>,
    /// Who look for spans, until there are none left.
    seekers: usize,
}

/// Invariant: no two spans have a byte in common, and every byte that nobody has claimed is in one.
#[derive(Debug)]
struct Span {
    /// The first byte that nobody has claimed.
    next: u64,
    end: u64,
    is_claimed: bool,
}

/// A span that is held; put back when this is dropped.
#[derive(Debug)]
pub(crate) struct SpanClaim {
    spans: Arc<Mutex<Spans>>,
    index: usize,
    is_left: bool,
}

impl Spans {
    /// `total` bytes in `count` spans.
    pub(crate) fn new(total: u64, count: u64, piece_bytes_min: u64) -> Self {
        let span_bytes = total.div_ceil(count.max(1)).max(1);
        let starts = (0..total).step_by(usize::try_from(span_bytes).unwrap_or(usize::MAX));
        let span = |next: u64| Span { next, end: total.min(next + span_bytes), is_claimed: false };
        Self {
            spans: starts.map(span).collect(),
            piece_bytes_min,
            is_stopped: false,
            finished_rate: None,
            seekers: 0,
        }
    }

    /// Bytes that nobody has claimed.
    pub(crate) fn missing(&self) -> u64 {
        self.spans.iter().map(Span::bytes).sum()
    }

    /// Nothing more is claimed.
    pub(crate) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Somebody begins to look for spans.
    pub(crate) fn enter(&mut self) {
        self.seekers += 1;
    }

    /// Somebody ends it.
    pub(crate) fn leave(&mut self) {
        self.seekers -= 1;
    }

    /// As [`Spans::leave`], if somebody else will come to what is missing; whether that is so.
    pub(crate) fn leave_to_others(&mut self) -> bool {
        let others = self.seekers > 1;
        self.seekers -= usize::from(others);
        others
    }

    /// Who fetched `bytes` in the time that `took` has nothing left to do. Few bytes tell nothing of its speed.
    pub(crate) fn finish(&mut self, bytes: u64, took: Duration) {
        self.leave();
        if bytes >= self.piece_bytes_min {
            self.finished_rate = self.finished_rate.max(Some(rate(bytes, took)));
        }
    }

    /// The span to fetch next, which is held from now on.
    fn take(&mut self) -> Option<usize> {
        if self.is_stopped {
            return None;
        }
        if let Some(index) = self.spans.iter().position(|span| !span.is_claimed && span.bytes() > 0) {
            self.spans[index].is_claimed = true;
            return Some(index);
        }
        let largest = self.spans.iter_mut().max_by_key(|span| span.bytes())?;
        if largest.bytes() < self.piece_bytes_min.max(1) * 2 {
            return None;
        }
        let half = Span { next: largest.next + largest.bytes() / 2, end: largest.end, is_claimed: true };
        largest.end = half.next;
        // A span that is done makes room for it: there are never more than were held at the same time, or begun with.
        let done = self.spans.iter().position(|span| !span.is_claimed && span.bytes() == 0);
        let index = done.unwrap_or(self.spans.len());
        match done {
            Some(index) => self.spans[index] = half,
            None => self.spans.push(half),
        }
        Some(index)
    }

    /// Claims up to `count` bytes for the holder of span `index`: where the first goes, and how many they are. Where
    /// the span ends, one behind it that nobody holds becomes part of it.
    fn reserve(&mut self, index: usize, count: usize) -> (u64, usize) {
        let offset = self.spans[index].next;
        if self.is_stopped {
            return (offset, 0);
        }
        let wanted_end = offset.saturating_add(count as u64);
        while self.spans[index].end < wanted_end {
            let end = self.spans[index].end;
            let Some(behind) = self.free_at(end) else { break };
            self.spans[index].end = self.spans[behind].end;
            self.spans[behind].next = self.spans[behind].end;
        }
        let span = &mut self.spans[index];
        let claimed = span.bytes().min(count as u64);
        span.next += claimed;
        (offset, claimed as usize)
    }

    fn free_at(&self, offset: u64) -> Option<usize> {
        self.spans.iter().position(|span| !span.is_claimed && span.bytes() > 0 && span.next == offset)
    }

    /// Whether the holder of span `index` has nothing left to claim.
    fn is_exhausted(&self, index: usize) -> bool {
        let span = &self.spans[index];
        self.is_stopped || span.bytes() == 0 && self.free_at(span.end).is_none()
    }
}

impl Span {
    fn bytes(&self) -> u64 {
        self.end - self.next
    }
}

impl SpanClaim {
    /// Takes the next span, where there is one.
    pub(crate) fn take(spans: &Arc<Mutex<Spans>>) -> Option<Self> {
        let index = lock(spans).take()?;
        Some(Self::of(spans, index))
    }

    /// Takes the next span; where there is none, whoever fetched `bytes` in the time that `took` is at rest from then
    /// on.
    pub(crate) fn take_or_finish(spans: &Arc<Mutex<Spans>>, bytes: u64, took: Duration) -> Option<Self> {
        // Under one lock: who leaves a span to others must not leave it to one that has just found nothing.
        let mut locked = lock(spans);
        let index = locked.take();
        if index.is_none() {
            locked.finish(bytes, took);
        }
        drop(locked);
        Some(Self::of(spans, index?))
    }

    fn of(spans: &Arc<Mutex<Spans>>, index: usize) -> Self {
        Self { spans: spans.clone(), index, is_left: false }
    }

    /// Leaves the span to others who still look for some, and looks for no more; false where there are none.
    pub(crate) fn leave_to_others(&mut self) -> bool {
        let mut spans = lock(&self.spans);
        self.is_left = spans.leave_to_others();
        if self.is_left {
            spans.spans[self.index].is_claimed = false;
        }
        self.is_left
    }

    /// What is missing of it.
    pub(crate) fn left(&self) -> Range<u64> {
        let spans = lock(&self.spans);
        if spans.is_stopped {
            return 0..0;
        }
        let span = &spans.spans[self.index];
        span.next..span.end
    }

    /// Claims up to `count` bytes: where the first goes, and how many they are. Fewer say that there is no more to do.
    pub(crate) fn reserve(&self, count: usize) -> (u64, usize) {
        lock(&self.spans).reserve(self.index, count)
    }

    /// What the fastest brought that has nothing left to do, in bytes a second.
    pub(crate) fn finished_rate(&self) -> Option<u64> {
        lock(&self.spans).finished_rate
    }

    /// Whether there is nothing left to claim.
    pub(crate) fn is_exhausted(&self) -> bool {
        lock(&self.spans).is_exhausted(self.index)
    }
}

impl Drop for SpanClaim {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        lock(&self.spans).spans[self.index].is_claimed = false;
    }
}

pub(crate) fn lock(spans: &Mutex<Spans>) -> MutexGuard<'_, Spans> {
    spans.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(total: u64, count: u64, piece_bytes_min: u64) -> Arc<Mutex<Spans>> {
        Arc::new(Mutex::new(Spans::new(total, count, piece_bytes_min)))
    }

    #[test]
    fn spans_cover_all_bytes_once() {
        for total in [0, 1, 2, 7, 8, 100, 101] {
            for count in 1..=9 {
                let spans = Spans::new(total, count, 1);
                let bytes: Vec<_> = spans.spans.iter().flat_map(|span| span.next..span.end).collect();
                assert_eq!(bytes, (0..total).collect::<Vec<_>>(), "{total} in {count}");
                assert!(spans.spans.len() as u64 <= count && spans.spans.iter().all(|span| span.bytes() > 0));
            }
        }
    }

    #[test]
    fn who_is_done_takes_half_of_what_the_slowest_has_left() {
        let spans = spans(100, 2, 10);
        let (slow, fast) = (SpanClaim::take(&spans).unwrap(), SpanClaim::take(&spans).unwrap());
        assert_eq!((slow.left(), fast.left()), (0..50, 50..100));
        assert_eq!(fast.reserve(60), (50, 50), "no more than the span has");
        assert!(fast.is_exhausted() && !slow.is_exhausted());
        drop(fast);
        assert_eq!(slow.reserve(10), (0, 10));
        let helper = SpanClaim::take(&spans).unwrap();
        assert_eq!((slow.left(), helper.left()), (10..30, 30..50));
        let other = SpanClaim::take(&spans).unwrap();
        assert_eq!((helper.left(), other.left()), (30..40, 40..50), "of two that are equal, the last one");
        let last = SpanClaim::take(&spans).unwrap();
        assert_eq!((slow.left(), last.left()), (10..20, 20..30));
        assert!(SpanClaim::take(&spans).is_none(), "pieces don't get too small");
        assert_eq!(slow.reserve(100), (10, 10));
    }

    #[test]
    fn what_nobody_holds_is_claimed_by_whoever_comes_to_it() {
        let spans = spans(90, 3, 1);
        let (first, second) = (SpanClaim::take(&spans).unwrap(), SpanClaim::take(&spans).unwrap());
        assert_eq!(first.reserve(40), (0, 30));
        second.reserve(5);
        drop(second);
        assert!(first.is_exhausted(), "the second has begun further on: another request is needed");
        let second = SpanClaim::take(&spans).unwrap();
        assert_eq!(second.left(), 35..60);
        assert_eq!(second.reserve(25), (35, 25));
        assert!(!second.is_exhausted(), "the third is free");
        assert_eq!(second.reserve(30), (60, 30));
        drop(second);
        assert_eq!(lock(&spans).missing(), 0);
        assert!(SpanClaim::take(&spans).is_none());
    }

    #[test]
    fn a_span_is_left_only_to_somebody_who_comes_to_it() {
        let spans = spans(100, 2, 100);
        lock(&spans).enter();
        lock(&spans).enter();
        let (mut one, mut other) = (SpanClaim::take(&spans).unwrap(), SpanClaim::take(&spans).unwrap());
        one.reserve(10);
        assert!(one.leave_to_others());
        assert!(!other.leave_to_others(), "nobody else would come");
        drop(other);
        let taken = SpanClaim::take_or_finish(&spans, 0, Duration::ZERO).unwrap();
        assert_eq!(taken.left(), 10..50);
        drop(one);
        lock(&spans).enter();
        let rest = SpanClaim::take_or_finish(&spans, 0, Duration::ZERO).unwrap();
        assert_eq!(rest.left(), 50..100, "what was left is held by whoever took it");
        rest.reserve(50);
        drop(rest);
        assert!(SpanClaim::take_or_finish(&spans, 0, Duration::ZERO).is_none());
        assert!(!lock(&spans).leave_to_others(), "who is at rest comes to nothing");
    }

    #[test]
    fn the_fastest_of_those_at_rest_counts() {
        let spans = spans(90, 3, 10);
        let held = SpanClaim::take(&spans).unwrap();
        for (bytes, finished_rate) in [(9, None), (10, Some(5)), (40, Some(20)), (20, Some(20))] {
            lock(&spans).enter();
            lock(&spans).finish(bytes, Duration::from_secs(2));
            assert_eq!(held.finished_rate(), finished_rate);
        }
    }

    #[test]
    fn nothing_is_claimed_once_stopped() {
        let spans = spans(90, 3, 1);
        let held = SpanClaim::take(&spans).unwrap();
        lock(&spans).stop();
        assert_eq!((held.reserve(5), held.left()), ((0, 0), 0..0));
        assert!(held.is_exhausted() && SpanClaim::take(&spans).is_none());
        assert_eq!(lock(&spans).missing(), 90);
    }

    #[test]
    fn in_any_order_of_steps_every_byte_is_claimed_once() {
        for seed in 1..200_u64 {
            let mut random = seed;
            let mut next = |below: u64| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) % below
            };
            let (total, count, piece) = (next(2_000), 1 + next(8), 1 + next(50));
            let spans = spans(total, count, piece);
            let mut seen = vec![0_u8; total as usize];
            let mut holders: Vec<SpanClaim> = Vec::new();
            while lock(&spans).missing() > 0 {
                match next(4) {
                    0 => holders.extend(SpanClaim::take(&spans)),
                    1 if !holders.is_empty() && next(3) == 0 => {
                        let index = next(holders.len() as u64) as usize;
                        holders.swap_remove(index);
                    }
                    _ if holders.is_empty() => {}
                    _ => {
                        let index = next(holders.len() as u64) as usize;
                        let (offset, claimed) = holders[index].reserve(next(40) as usize);
                        seen[offset as usize..][..claimed].iter_mut().for_each(|seen| *seen += 1);
                        if holders[index].is_exhausted() {
                            holders.swap_remove(index);
                        }
                    }
                }
                assert!(holders.len() <= 2_000);
            }
            assert!(seen.iter().all(|seen| *seen == 1), "seed {seed}");
        }
    }
}
