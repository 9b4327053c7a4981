//! The text of the progress, for a width.
//!
//! Owns: which facts are shown where there is room for few, the bar, units of time.
//! Does not own: the facts ([`super::state`]), drawing ([`super::screen`]).
//!
//! The text is ASCII but for names, so that it can be read in every locale.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::state::{State, Total};
use crate::report::text::human_bytes;

/// The inner width of the bar.
const BAR_COLUMNS: std::ops::RangeInclusive<usize> = 8..=30;
/// The brackets of the bar and the spaces before it.
const BAR_FRAME: usize = 4;
/// Facts of a higher rank are left out before the bar is.
const BAR_RANK: u8 = 6;
/// A line without limit has no bar.
const LINE_COLUMNS_MAX: usize = 10_000;
/// The end of a name that was cut.
const CUT: &str = "...";

/// A fact, in forms from long to short, and how soon it is left out: the highest rank first.
struct Part {
    rank: u8,
    forms: Vec<String>,
}

/// What is shown on a terminal of so many `columns`; in several lines if `details` are wanted.
pub(super) fn lines(state: &State, now: Duration, columns: usize, details: bool) -> Vec<String> {
    let columns = columns.saturating_sub(1).max(1);
    if !details {
        let mut parts = amounts(state);
        parts.extend(counts(state, now));
        // Nothing else moves meanwhile.
        let rank = if state.in_flight == 0 { 1 } else { 6 };
        parts.extend(wait(state, now).map(|forms| Part { rank, forms }));
        return vec![fitted(&head(state, columns), bar(state), parts, columns)];
    }
    let mut lines = vec![fitted(&head(state, columns), bar(state), amounts(state), columns)];
    lines.push(fitted("", None, counts(state, now), columns));
    lines.extend(wait(state, now).map(|forms| fitted("", None, vec![Part { rank: 0, forms }], columns)));
    lines
}

/// Everything in one line, without a bar and of any width.
pub(super) fn plain_line(state: &State, now: Duration) -> String {
    let percentage = bar(state).map(|fraction| Part { rank: 0, forms: vec![percentage(fraction)] });
    let parts = percentage.into_iter().chain(amounts(state)).chain(counts(state, now));
    let parts = parts.chain(wait(state, now).map(|forms| Part { rank: 0, forms }));
    fitted(&head(state, usize::MAX), None, parts.collect(), usize::MAX)
}

/// The name, or the number of files.
fn head(state: &State, columns: usize) -> String {
    let ended = state.ended();
    let head = match (state.only_name(), state.files()) {
        (Some(name), _) => cut(name, (columns / 3).max(12)),
        (None, None) => ended.to_string(),
        (None, Some(files)) => format!("{ended} of {}", of_total(files, &files.number.to_string())),
    };
    match &state.stage {
        Some(stage) => format!("{head}, {stage}"),
        None => head,
    }
}

fn bar(state: &State) -> Option<f64> {
    state.fraction()
}

/// Bytes, speed and the time left.
fn amounts(state: &State) -> Vec<Part> {
    let mut parts = Vec::new();
    let done = human_bytes(state.done_bytes());
    match state.bytes() {
        Some(total) => {
            let of = format!("{done} of {}", of_total(total, &human_bytes(total.number)));
            parts.push(Part { rank: 3, forms: vec![of, done] });
        }
        None if state.done_bytes() > 0 => parts.push(Part { rank: 3, forms: vec![done] }),
        None => {}
    }
    if let Some(rate) = state.window.bytes_per_second().filter(|_| state.done_bytes() > 0) {
        parts.push(Part { rank: 2, forms: vec![format!("{}/s", human_bytes(rate as u64))] });
    }
    if let Some(left) = state.time_left() {
        parts.push(Part { rank: 4, forms: vec![format!("{} left", human_time(left)), human_time(left)] });
    }
    parts
}

/// Tasks in flight, failures, retries and the time so far.
fn counts(state: &State, now: Duration) -> Vec<Part> {
    let mut parts = Vec::new();
    let in_flight = state.in_flight.min(state.in_flight_max.max(1));
    for (number, min, rank, word) in
        [(in_flight, 2, 8, "in flight"), (state.failed, 1, 5, "failed"), (state.retries, 1, 7, "retried")]
    {
        if number >= min {
            parts.push(Part { rank, forms: vec![format!("{number} {word}")] });
        }
    }
    parts.push(Part { rank: 9, forms: vec![format!("{} so far", human_time(now))] });
    parts
}

/// The wait that ends first.
fn wait(state: &State, now: Duration) -> Option<Vec<String>> {
    let (wait, others) = state.wait()?;
    let time = human_time(wait.until.saturating_sub(now));
    let (host, cause) = (&wait.host, &wait.cause);
    let middle = format!("waiting {time} for {host} ({cause})");
    let long = format!("{middle}, attempt {} of {}", wait.attempt, wait.attempts_max);
    let more = if others == 0 { long.clone() } else { format!("{long}, and {others} more") };
    Some(vec![more, long, middle, format!("waiting {time} ({cause})"), format!("waiting {time}")])
}

fn of_total(total: Total, number: &str) -> String {
    if total.is_final { number.to_owned() } else { format!("{number}+") }
}

fn percentage(fraction: f64) -> String {
    // Only the end is the whole.
    let percent = if fraction < 1.0 { (fraction * 100.0).floor().min(99.0) } else { 100.0 };
    format!("{percent:.0} %")
}

/// The facts of the lowest ranks that fit, in their order, after `head` and, if the fraction is known, its bar.
fn fitted(head: &str, fraction: Option<f64>, parts: Vec<Part>, columns: usize) -> String {
    let head = cut(head, columns);
    let percentage = fraction.map(percentage).unwrap_or_default();
    let mut left = columns - head.width();
    let has_percentage = !percentage.is_empty() && left >= percentage.len() + 2;
    if has_percentage {
        left -= percentage.len() + 2;
    }
    let mut chosen: Vec<Option<String>> = parts.iter().map(|_| None).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|index| parts[*index].rank);
    let mut separator = if head.is_empty() { 0 } else { 2 };
    let mut bar_columns = None;
    for index in order {
        // The bar comes before what is the least important.
        if parts[index].rank > BAR_RANK && bar_columns.is_none() {
            bar_columns = Some(take_bar(&mut left, has_percentage));
        }
        if let Some(form) = parts[index].forms.iter().find(|form| form.width() + separator <= left) {
            left -= form.width() + separator;
            separator = 2;
            chosen[index] = Some(form.clone());
        }
    }
    let bar_columns = bar_columns.unwrap_or_else(|| take_bar(&mut left, has_percentage));
    let mut line = head;
    if has_percentage {
        line = format!("{line}  {percentage}");
    }
    if let (Some(fraction), 1..) = (fraction, bar_columns) {
        let columns = (bar_columns + left).min(*BAR_COLUMNS.end());
        line = format!("{line}  {}", drawn_bar(fraction, columns));
    }
    let facts = chosen.into_iter().flatten().collect::<Vec<_>>().join(", ");
    match (line.is_empty(), facts.is_empty()) {
        (_, true) => line,
        (true, false) => facts,
        (false, false) => format!("{line}  {facts}"),
    }
}

/// Takes the shortest bar from the columns that are `left`. Returns its inner width, or 0.
fn take_bar(left: &mut usize, is_wanted: bool) -> usize {
    let columns = BAR_COLUMNS.start() + BAR_FRAME;
    if !is_wanted || *left < columns || *left > LINE_COLUMNS_MAX {
        return 0;
    }
    *left -= columns;
    *BAR_COLUMNS.start()
}

fn drawn_bar(fraction: f64, columns: usize) -> String {
    let done = (fraction * columns as f64) as usize;
    let tip = usize::from(done < columns);
    format!("[{}{}{}]", "=".repeat(done), ">".repeat(tip), " ".repeat(columns - done - tip))
}

/// `text` in at most so many columns.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(CUT.len());
    let mut width = 0;
    let fits = |character: &char| {
        width += character.width().unwrap_or(0);
        width <= room
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push_str(&CUT[..columns.min(CUT.len())]);
    cut
}

/// A time in at most two units.
pub(super) fn human_time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::{ProgressEvent, Wait};
    use super::*;

    const MIB: u64 = 1 << 20;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The state after `events`, with 10 MiB a second in the last five of 20 seconds.
    fn state(events: impl IntoIterator<Item = ProgressEvent>, counted: u64) -> State {
        let mut state = State::default();
        state.in_flight_max = 16;
        events.into_iter().for_each(|event| state.apply(event));
        state.sample(seconds(15), counted.saturating_sub(50 * MIB));
        state.sample(seconds(20), counted);
        state
    }

    fn found(name: &str, bytes: impl Into<Option<u64>>) -> ProgressEvent {
        ProgressEvent::Found { name: Some(name.to_owned()), bytes: bytes.into() }
    }

    /// One file of 900 MiB, 450 of which have come.
    fn one_file() -> State {
        let length = ProgressEvent::Expected { bytes: 900 * MIB };
        let events = [ProgressEvent::Total(1), ProgressEvent::Started, found("big.iso", None), length];
        state(events, 450 * MIB)
    }

    /// 40 of 200 files of a list, the lengths of the others unknown.
    fn a_list() -> State {
        let mut events = vec![ProgressEvent::Total(200)];
        for index in 0..50 {
            events.push(ProgressEvent::Started);
            events.push(found(&index.to_string(), None));
            events.push(ProgressEvent::Expected { bytes: MIB });
        }
        let ended = |index| {
            [ProgressEvent::Returned, ProgressEvent::Ended { succeeded: index > 1, length: None, bytes: MIB }]
        };
        events.extend((0..20).flat_map(ended));
        let mut state = state(events, 0);
        (20..40).flat_map(ended).chain([wait(33, "example.org")]).for_each(|event| state.apply(event));
        state.sample(seconds(25), 45 * MIB);
        state
    }

    fn wait(seconds: u64, host: &str) -> ProgressEvent {
        ProgressEvent::Retry(Wait {
            until: Duration::from_secs(20 + seconds),
            host: host.to_owned(),
            cause: "429".to_owned(),
            attempt: 2,
            attempts_max: 6,
        })
    }

    /// 3 of so far 4 files of a tree.
    fn a_tree(is_walked: bool) -> State {
        let mut events = Vec::new();
        for index in 0..4 {
            events.push(ProgressEvent::Started);
            events.push(found(&index.to_string(), 30 * MIB));
        }
        for _ in 0..3 {
            events.push(ProgressEvent::Returned);
            events.push(ProgressEvent::Ended { succeeded: true, length: Some(30 * MIB), bytes: 30 * MIB });
        }
        events.extend(is_walked.then_some(ProgressEvent::AllFound));
        state(events, 100 * MIB)
    }

    /// Every task waits.
    fn all_wait() -> State {
        let events = [found("a", None), found("b", None), wait(28, "example.org"), wait(90, "example.net")];
        state(events, 0)
    }

    #[test]
    fn what_is_shown_depends_on_the_width() {
        for (state, columns, line) in [
            (
                one_file(),
                120,
                concat!(
                    "big.iso  50 %  [===============>              ]  450 MiB of 900 MiB, ",
                    "10.0 MiB/s, 45 s left, 20 s so far"
                ),
            ),
            (
                one_file(),
                80,
                "big.iso  50 %  [=========>         ]  450 MiB of 900 MiB, 10.0 MiB/s, 45 s left",
            ),
            (one_file(), 60, "big.iso  50 %  450 MiB of 900 MiB, 10.0 MiB/s, 45 s left"),
            (one_file(), 40, "big.iso  50 %  450 MiB, 10.0 MiB/s"),
            (one_file(), 20, "big.iso  50 %  45 s"),
            (one_file(), 6, "bi..."),
            (one_file(), 1, "."),
            (a_tree(false), 80, "3 of 4+  100 MiB of 120 MiB+, 10.0 MiB/s, 20 s so far"),
            (
                a_tree(true),
                80,
                "3 of 4  83 %  [======> ]  100 MiB of 120 MiB, 10.0 MiB/s, 2 s left, 20 s so far",
            ),
            (a_tree(true), 40, "3 of 4  83 %  100 MiB, 10.0 MiB/s, 2 s"),
            (all_wait(), 80, "0 of 2+  waiting 28 s for example.org (429), attempt 2 of 6, and 1 more"),
            (all_wait(), 60, "0 of 2+  waiting 28 s for example.org (429), attempt 2 of 6"),
            (all_wait(), 50, "0 of 2+  waiting 28 s for example.org (429)"),
            (all_wait(), 40, "0 of 2+  2 retried, waiting 28 s (429)"),
        ] {
            let lines = lines(&state, seconds(20), columns, false);
            assert_eq!(lines, [line], "{columns}");
            assert!(lines[0].width() < columns.max(2), "{columns}");
        }
    }

    #[test]
    fn lists_are_measured_by_their_lines() {
        let shown = lines(&a_list(), seconds(25), 160, true);
        assert_eq!(
            shown,
            [
                "40 of 200  20 %  [======>                       ]  45.0 MiB, 9.0 MiB/s, 40 s left",
                "10 in flight, 2 failed, 1 retried, 25 s so far",
                "waiting 28 s for example.org (429), attempt 2 of 6",
            ]
        );
    }

    #[test]
    fn details_and_plain_lines_say_everything() {
        let plain = plain_line(&a_list(), seconds(25));
        let of = "40 of 200  20 %, 45.0 MiB, 9.0 MiB/s, 40 s left, 10 in flight, 2 failed, 1 retried, 25 s so far, \
                  waiting 28 s for example.org (429), attempt 2 of 6";
        assert_eq!(plain, of);
        assert_eq!(plain_line(&State::default(), seconds(3)), "0  3 s so far");
    }

    #[test]
    fn names_are_cut_at_their_width() {
        for (name, columns, shown) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abc..."),
            ("世界世界世界", 9, "世界世..."),
            ("世界世界", 6, "世..."),
            ("ab", 1, "."),
        ] {
            assert_eq!(cut(name, columns), shown);
        }
    }

    #[test]
    fn times_have_at_most_two_units() {
        for (time, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min 0 s"),
            (7_199, "119 min 59 s"),
            (7_200, "2 h 0 min"),
            (200_000, "2 d 7 h"),
        ] {
            assert_eq!(human_time(seconds(time)), text);
        }
    }

    #[test]
    fn only_the_end_is_the_whole() {
        assert_eq!(
            [0.0, 0.004, 0.999, 0.99999, 1.0].map(percentage),
            ["0 %", "0 %", "99 %", "99 %", "100 %"]
        );
    }

    #[test]
    fn bytes_that_come_again_never_exceed_the_total() {
        let length = ProgressEvent::Expected { bytes: 100 };
        let state = state([ProgressEvent::Total(1), found("a", None), length], 250);
        assert_eq!((state.done_bytes(), state.fraction()), (100, Some(0.999)));
    }

    #[test]
    fn the_time_left_is_unknown_while_nothing_comes() {
        let mut state = one_file();
        for second in 21..40 {
            state.sample(seconds(second), 450 * MIB);
        }
        assert_eq!(state.time_left(), None);
        let line = &lines(&state, seconds(40), 80, false)[0];
        assert!(line.contains("0 B/s") && !line.contains("left"), "{line}");
    }
}
