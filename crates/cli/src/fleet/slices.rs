//! The slices that a node works on: which lines were given out, how each ended.
//!
//! Owns: counting, the report of a slice, the form of its failures.
//! Does not own: leases ([`haul_fleet`]), the engine.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Instant;

use haul_fleet::{Finished, Prepared, Results, SliceId, pack};
use haul_pack::{Packer, PartShard};
use serde_json::json;

use super::address::node_name;

/// Slices with many lines in flight at once, at most: beyond them, the slowest line of the first holds up the rest.
const OPEN_MAX: usize = 4;
/// With fewer lines than this to give out, the next slice is taken.
const AHEAD: usize = 256;

/// The slices of a node, in the order in which they were taken.
#[derive(Default)]
pub(super) struct Slices {
    open: BTreeMap<SliceId, Open>,
    lines: VecDeque<Waiting>,
    /// Those that were ever taken by this node.
    seen: HashSet<SliceId>,
    /// How many were taken.
    count: u64,
}

/// A slice, each time that it is taken: what was begun under an earlier lease doesn't count for a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) id: SliceId,
    pub(super) number: u64,
}

/// The lines of a slice that weren't given out.
struct Waiting {
    taken: Taken,
    lines: VecDeque<String>,
    /// Whether they may have been given out before.
    are_repeated: bool,
}

/// A line, as it was written.
pub(super) struct NextLine {
    pub(super) taken: Taken,
    pub(super) line: String,
    pub(super) is_repeated: bool,
    /// What packs its result, if it is packed.
    pub(super) packer: Option<Packer>,
}

/// A slice that a node begins to work on.
#[derive(Debug)]
pub(super) struct NewSlice {
    pub(super) id: SliceId,
    pub(super) lines: Vec<String>,
    pub(super) deliveries: u64,
    /// How many ends of it were prepared before.
    pub(super) attempt: usize,
}

/// Whether the shard of a slice may be published.
pub(super) enum Publishing {
    /// It isn't complete, or the slice isn't held any more.
    Never,
    /// The server is to know of it first.
    Prepare(Prepared),
    /// The server has been told, and hasn't answered.
    Asked,
    Now,
}

struct Open {
    /// See [`Taken::number`].
    number: u64,
    since: Instant,
    deliveries: u64,
    count: u64,
    ended: u64,
    totals: Totals,
    /// A line and a reason each, with a tab between them.
    failures: Vec<String>,
    /// A task was cancelled: the slice is given back.
    is_cut: bool,
    /// Lines that were given out again.
    again: HashSet<String>,
    attempt: usize,
    /// What packs the results, if they are packed.
    packer: Option<Packer>,
    announced: Announced,
}

/// Whether the server knows of the results of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    No,
    Asked,
    Yes,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    succeeded: u64,
    skipped: u64,
    bytes: u64,
}

/// How a line ended.
pub(crate) enum LineEnd {
    Done {
        bytes: u64,
        is_skipped: bool,
    },
    Failed(String),
    /// Something of its name appeared meanwhile, from another node perhaps: another look tells whether it is complete.
    Taken(String),
    Cancelled,
}

impl Slices {
    /// Adds a slice. `packer` makes what packs its results, if they are packed.
    pub(super) fn add(&mut self, slice: NewSlice, packer: impl FnOnce(&Taken) -> Option<Packer>) {
        let NewSlice { id, lines, deliveries, attempt } = slice;
        self.count += 1;
        let taken = Taken { id: id.clone(), number: self.count };
        let open = Open {
            number: taken.number,
            since: Instant::now(),
            deliveries,
            count: lines.len() as u64,
            ended: 0,
            totals: Totals::default(),
            failures: Vec::new(),
            is_cut: false,
            again: HashSet::new(),
            attempt,
            packer: packer(&taken),
            announced: Announced::No,
        };
        self.open.insert(id.clone(), open);
        let are_repeated = !self.seen.insert(id);
        self.lines.push_back(Waiting { taken, lines: lines.into(), are_repeated });
    }

    /// The slice whose line comes next.
    pub(super) fn front(&self) -> Option<&str> {
        self.lines.front().map(|waiting| waiting.taken.id.as_str())
    }

    /// The next line.
    pub(super) fn next(&mut self) -> Option<NextLine> {
        let waiting = self.lines.front_mut()?;
        let packer = self.open.get(&waiting.taken.id).and_then(|open| open.packer.clone());
        let next = waiting.lines.pop_front().map(|line| NextLine {
            taken: waiting.taken.clone(),
            line,
            is_repeated: waiting.are_repeated,
            packer,
        });
        if waiting.lines.is_empty() {
            self.lines.pop_front();
        }
        next
    }

    /// Whether the slice is held, and wasn't lost since it was taken.
    pub(super) fn has(&self, taken: &Taken) -> bool {
        self.held(taken).is_some()
    }

    /// How many slices the node should hold.
    pub(super) fn wanted(&self) -> usize {
        let left: usize = self.lines.iter().map(|waiting| waiting.lines.len()).sum();
        if left < AHEAD { (self.open.len() + 1).min(OPEN_MAX) } else { self.open.len() }
    }

    /// Forgets a slice: its lines aren't given out.
    pub(super) fn remove(&mut self, id: &str) {
        self.open.remove(id);
        self.lines.retain(|waiting| waiting.taken.id != id);
    }

    /// Forgets the lines that weren't given out.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.open.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes the end of a line. Returns the slice, if that was its last line.
    pub(super) fn end(&mut self, taken: &Taken, line: &str, end: LineEnd) -> Option<Finished> {
        let id = &taken.id;
        let open = self.open.get_mut(id).filter(|open| open.number == taken.number)?;
        let end = match end {
            LineEnd::Taken(_) if open.again.insert(line.to_owned()) => {
                let lines = VecDeque::from([line.to_owned()]);
                self.lines.push_front(Waiting { taken: taken.clone(), lines, are_repeated: true });
                return None;
            }
            LineEnd::Taken(reason) => LineEnd::Failed(reason),
            end => end,
        };
        open.ended += 1;
        match end {
            LineEnd::Done { bytes, is_skipped } => {
                open.totals.succeeded += 1;
                open.totals.skipped += u64::from(is_skipped);
                open.totals.bytes += bytes;
            }
            LineEnd::Failed(reason) | LineEnd::Taken(reason) => {
                open.failures.push(format!("{line}\t{}", reason.replace(['\n', '\t'], " ")))
            }
            LineEnd::Cancelled => open.is_cut = true,
        }
        if open.ended < open.count || open.is_cut {
            return None;
        }
        let open = self.open.remove(id)?;
        Some(open.finished(id, open.totals))
    }

    /// Whether nothing more comes to the shard of a slice, for whose end so many lines wait. That is also so if the
    /// slice isn't held any more.
    pub(super) fn is_complete(&self, taken: &Taken, waiting: usize) -> bool {
        self.held(taken).is_none_or(|open| open.ended + waiting as u64 >= open.count)
    }

    /// Whether the shard of a slice may be published.
    pub(super) fn publishing(&mut self, taken: &Taken, shard: &PartShard) -> Publishing {
        let Some(open) = self.open.get_mut(&taken.id).filter(|open| open.number == taken.number) else {
            return Publishing::Never;
        };
        match open.announced {
            Announced::Yes => Publishing::Now,
            Announced::Asked => Publishing::Asked,
            Announced::No if open.ended + shard.members < open.count => Publishing::Never,
            Announced::No => {
                open.announced = Announced::Asked;
                let Totals { succeeded, skipped, bytes } = open.totals;
                let (succeeded, bytes) = (succeeded + shard.members, bytes + shard.content_bytes);
                let end = open.finished(&taken.id, Totals { succeeded, skipped, bytes });
                let results = Results { name: shard.name.clone(), identity: shard.identity.to_string() };
                Publishing::Prepare(Prepared { end, attempt: open.attempt, results })
            }
        }
    }

    /// The server knows of the results of the slice.
    pub(super) fn set_announced(&mut self, id: &str) {
        if let Some(open) = self.open.get_mut(id) {
            open.announced = Announced::Yes;
        }
    }

    fn held(&self, taken: &Taken) -> Option<&Open> {
        self.open.get(&taken.id).filter(|open| open.number == taken.number)
    }

    /// The end of a slice that can't be read.
    pub(super) fn damaged(&mut self, id: &str, reason: &str) -> Option<Finished> {
        self.lines.retain(|waiting| waiting.taken.id != id);
        let mut open = self.open.remove(id)?;
        open.failures.push(format!("# slice {id}\t{reason}"));
        Some(open.finished(id, open.totals))
    }
}

impl Open {
    /// How the slice ends with these totals.
    fn finished(&self, id: &str, totals: Totals) -> Finished {
        let Totals { succeeded, skipped, bytes } = totals;
        let failed = self.failures.len() as u64;
        let report = json!({
            "node": node_name(),
            "deliveries": self.deliveries,
            "seconds": self.since.elapsed().as_secs_f64(),
            "succeeded": succeeded,
            "skipped": skipped,
            "failed": failed,
            "bytes": bytes,
        });
        Finished {
            id: id.to_owned(),
            report: report.to_string().into_bytes(),
            failures: if failed > 0 { pack(&self.failures) } else { Vec::new() },
            totals: vec![
                ("succeeded", succeeded),
                ("skipped", skipped),
                ("failed", failed),
                ("bytes", bytes),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(slices: &mut Slices, lines: &[&str]) {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let slice = NewSlice { id: "3-0".to_owned(), lines, deliveries: 1, attempt: 0 };
        slices.add(slice, |_| None);
    }

    fn done() -> LineEnd {
        LineEnd::Done { bytes: 1, is_skipped: false }
    }

    fn total(finished: &Finished, name: &str) -> u64 {
        finished.totals.iter().find(|(of, _)| *of == name).map_or(0, |(_, count)| *count)
    }

    #[test]
    fn what_was_begun_under_a_lost_lease_does_not_count() {
        let mut slices = Slices::default();
        add(&mut slices, &["a", "b"]);
        let first = [slices.next().unwrap(), slices.next().unwrap()];
        assert!(first.iter().all(|next| !next.is_repeated));
        assert!(slices.has(&first[0].taken));
        slices.remove("3-0");
        assert!(!slices.has(&first[0].taken));
        add(&mut slices, &["a", "b"]);
        assert!(!slices.has(&first[0].taken));
        let second = [slices.next().unwrap(), slices.next().unwrap()];
        assert!(second.iter().all(|next| next.is_repeated));
        for next in &first {
            assert!(slices.end(&next.taken, &next.line, done()).is_none());
        }
        assert!(slices.end(&second[0].taken, "a", done()).is_none());
        let finished = slices.end(&second[1].taken, "b", done()).unwrap();
        assert_eq!(total(&finished, "succeeded"), 2);
        assert!(slices.is_empty());
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_is_looked_at_once_more() {
        let mut slices = Slices::default();
        add(&mut slices, &["a"]);
        let first = slices.next().unwrap();
        assert!(slices.end(&first.taken, "a", LineEnd::Taken("exists".to_owned())).is_none());
        let second = slices.next().unwrap();
        assert!(second.is_repeated && second.line == "a");
        let finished = slices.end(&second.taken, "a", LineEnd::Taken("exists".to_owned())).unwrap();
        assert_eq!((total(&finished, "failed"), total(&finished, "succeeded")), (1, 0));
        assert_eq!(haul_fleet::unpack(&finished.failures).unwrap(), [b"a\texists"]);
    }

    #[test]
    fn a_slice_with_a_cancelled_line_is_never_finished() {
        let mut slices = Slices::default();
        add(&mut slices, &["a", "b"]);
        let [first, second] = [slices.next().unwrap(), slices.next().unwrap()];
        assert!(slices.end(&first.taken, "a", LineEnd::Cancelled).is_none());
        assert!(slices.end(&second.taken, "b", done()).is_none());
        assert!(!slices.is_empty());
    }
}
