//! Which bytes of a file in segments have been fetched, and which lane fetches the others.
//!
//! A pure state machine. A file begins as a few spans of equal length. Each is claimed by at most one lane, which
//! fetches it from its first missing byte on. A lane that finishes takes the next free span; if none is free, it takes
//! the second half of the largest remaining one, whose lane then stops in the middle. So a slow connection delays no
//! more than its own span, and if all connections are equally fast, no more requests are needed than there are
//! connections.
//!
//! Owns: the spans and the claims on them.
//! Does not own: fetching ([`crate::segments::lane`]), writing ([`crate::segments::part`]).

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::segments::stall::rate;

/// The spans of one file.
#[derive(Debug)]
pub(crate) struct Spans {
    spans: Vec<Span>,
    /// Spans of less than twice this length aren't split.
    piece_bytes_min: u64,
    /// Spans begin at multiples of this.
    unit_bytes: u64,
    is_stopped: bool,
    /// The rate of the fastest lane that has finished, in bytes per second.
    finished_rate: Option<u64>,
    /// Lanes that look for spans.
    lane_count: usize,
}

/// Invariant: the spans are disjoint, and every byte that no lane has reserved is in one.
#[derive(Debug)]
struct Span {
    /// The first byte that no lane has reserved.
    next: u64,
    end: u64,
    is_claimed: bool,
}

/// The claim of a lane on a span; the span becomes free when this is dropped.
#[derive(Debug)]
pub(crate) struct SpanClaim {
    spans: Arc<Mutex<Spans>>,
    index: usize,
    is_left_to_others: bool,
}

impl Spans {
    /// A file of `total` bytes in `count` spans.
    #[cfg(test)]
    pub(crate) fn new(total: u64, count: u64, piece_bytes_min: u64) -> Self {
        Self::in_units(total, count, piece_bytes_min, 1)
    }

    /// A file of `total` bytes in up to `count` spans, which begin at multiples of `unit_bytes`. Lanes reserve whole
    /// units.
    pub(crate) fn in_units(total: u64, count: u64, piece_bytes_min: u64, unit_bytes: u64) -> Self {
        let span_bytes = total.div_ceil(count.max(1)).max(1).next_multiple_of(unit_bytes);
        let starts = (0..total).step_by(usize::try_from(span_bytes).unwrap_or(usize::MAX));
        let span = |next: u64| Span { next, end: total.min(next + span_bytes), is_claimed: false };
        Self {
            spans: starts.map(span).collect(),
            piece_bytes_min,
            unit_bytes,
            is_stopped: false,
            finished_rate: None,
            lane_count: 0,
        }
    }

    /// Bytes that no lane has reserved.
    pub(crate) fn missing(&self) -> u64 {
        self.spans.iter().map(Span::bytes).sum()
    }

    /// Lets no lane reserve more bytes.
    pub(crate) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// A lane begins to look for spans.
    pub(crate) fn enter(&mut self) {
        self.lane_count += 1;
    }

    /// A lane no longer looks for spans.
    pub(crate) fn leave(&mut self) {
        self.lane_count -= 1;
    }

    /// As [`Spans::leave`], provided that another lane will fetch the missing bytes. Returns whether that is so.
    pub(crate) fn leave_to_others(&mut self) -> bool {
        let others = self.lane_count > 1;
        self.lane_count -= usize::from(others);
        others
    }

    /// A lane that fetched `bytes` in the time `took` finds no more spans. Few bytes say nothing about its speed.
    pub(crate) fn finish(&mut self, bytes: u64, took: Duration) {
        self.leave();
        if bytes >= self.piece_bytes_min {
            self.finished_rate = self.finished_rate.max(Some(rate(bytes, took)));
        }
    }

    /// Claims the span to be fetched next.
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
        let middle = (largest.next + largest.bytes() / 2).next_multiple_of(self.unit_bytes);
        if middle >= largest.end {
            return None;
        }
        let half = Span { next: middle, end: largest.end, is_claimed: true };
        largest.end = half.next;
        // A complete span makes space for the new one: there are never more spans than initially, or than were claimed
        // at the same time.
        let done = self.spans.iter().position(|span| !span.is_claimed && span.bytes() == 0);
        let index = done.unwrap_or(self.spans.len());
        match done {
            Some(index) => self.spans[index] = half,
            None => self.spans.push(half),
        }
        Some(index)
    }

    /// Reserves up to `count` bytes of the claimed span `index`; returns the offset of the first one and their number.
    /// At the end of the span, a free one that follows it is merged into it.
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

    /// Whether no byte is left to reserve for the claim on span `index`.
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
    /// Claims the next span, if there is one.
    pub(crate) fn take(spans: &Arc<Mutex<Spans>>) -> Option<Self> {
        let index = lock(spans).take()?;
        Some(Self::of(spans, index))
    }

    /// Claims the next span. If there is none, the lane, which fetched `bytes` in the time `took`, has finished.
    pub(crate) fn take_or_finish(spans: &Arc<Mutex<Spans>>, bytes: u64, took: Duration) -> Option<Self> {
        // Under one lock: a lane must not leave its span to another that has just found none.
        let mut locked = lock(spans);
        let index = locked.take();
        if index.is_none() {
            locked.finish(bytes, took);
        }
        drop(locked);
        Some(Self::of(spans, index?))
    }

    fn of(spans: &Arc<Mutex<Spans>>, index: usize) -> Self {
        Self { spans: spans.clone(), index, is_left_to_others: false }
    }

    /// Leaves the span to other lanes that still look for spans, and looks for no more. Returns false if there are no
    /// other lanes.
    pub(crate) fn leave_to_others(&mut self) -> bool {
        let mut spans = lock(&self.spans);
        self.is_left_to_others = spans.leave_to_others();
        if self.is_left_to_others {
            spans.spans[self.index].is_claimed = false;
        }
        self.is_left_to_others
    }

    /// The first missing byte of the span.
    pub(crate) fn next(&self) -> u64 {
        lock(&self.spans).spans[self.index].next
    }

    /// The missing bytes of the span.
    pub(crate) fn left(&self) -> Range<u64> {
        let spans = lock(&self.spans);
        if spans.is_stopped {
            return 0..0;
        }
        let span = &spans.spans[self.index];
        span.next..span.end
    }

    /// Reserves up to `count` bytes; returns the offset of the first one and their number. Fewer mean that no byte is
    /// left.
    pub(crate) fn reserve(&self, count: usize) -> (u64, usize) {
        lock(&self.spans).reserve(self.index, count)
    }

    /// The rate of the fastest lane that has finished, in bytes per second.
    pub(crate) fn finished_rate(&self) -> Option<u64> {
        lock(&self.spans).finished_rate
    }

    /// Whether no byte is left to reserve.
    pub(crate) fn is_exhausted(&self) -> bool {
        lock(&self.spans).is_exhausted(self.index)
    }
}

impl Drop for SpanClaim {
    fn drop(&mut self) {
        if self.is_left_to_others {
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
    fn a_lane_that_finishes_takes_half_of_the_largest_span() {
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
    fn a_free_span_is_merged_into_the_one_before_it() {
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
    fn a_span_is_left_only_if_another_lane_will_take_it() {
        let spans = spans(100, 2, 100);
        lock(&spans).enter();
        lock(&spans).enter();
        let (mut one, mut other) = (SpanClaim::take(&spans).unwrap(), SpanClaim::take(&spans).unwrap());
        one.reserve(10);
        assert!(one.leave_to_others());
        assert!(!other.leave_to_others(), "no other lane is left");
        drop(other);
        let taken = SpanClaim::take_or_finish(&spans, 0, Duration::ZERO).unwrap();
        assert_eq!(taken.left(), 10..50);
        drop(one);
        lock(&spans).enter();
        let last = SpanClaim::take_or_finish(&spans, 0, Duration::ZERO).unwrap();
        assert_eq!(last.left(), 50..100, "the span that was left is claimed by another lane");
        last.reserve(50);
        drop(last);
        assert!(SpanClaim::take_or_finish(&spans, 0, Duration::ZERO).is_none());
        assert!(!lock(&spans).leave_to_others(), "a lane that has finished takes no span");
    }

    #[test]
    fn the_fastest_lane_that_has_finished_counts() {
        let spans = spans(90, 3, 10);
        let held = SpanClaim::take(&spans).unwrap();
        for (bytes, finished_rate) in [(9, None), (10, Some(5)), (40, Some(20)), (20, Some(20))] {
            lock(&spans).enter();
            lock(&spans).finish(bytes, Duration::from_secs(2));
            assert_eq!(held.finished_rate(), finished_rate);
        }
    }

    #[test]
    fn nothing_is_reserved_once_stopped() {
        let spans = spans(90, 3, 1);
        let held = SpanClaim::take(&spans).unwrap();
        lock(&spans).stop();
        assert_eq!((held.reserve(5), held.left()), ((0, 0), 0..0));
        assert!(held.is_exhausted() && SpanClaim::take(&spans).is_none());
        assert_eq!(lock(&spans).missing(), 90);
    }

    #[test]
    fn in_any_order_of_steps_every_byte_is_reserved_once() {
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
