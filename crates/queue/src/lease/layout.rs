//! The layout of the shared memory, computed from the bounds and checked by every worker that attaches.
//!
//! Owns: [`Config`], the header, offsets and sizes.
//! Does not own: the memory (see `map.rs`).

use super::error::TableError;
use super::word::Suspicion;

/// "haulLEAS", read as a little-endian number.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"haulLEAS");
/// Changes with every change of this file or of `word.rs`: a worker of another build is refused.
pub(super) const VERSION: u64 = 4;

/// Header fields, as offsets in bytes of 64-bit words.
pub(super) const AT_MAGIC: usize = 0;
pub(super) const AT_VERSION: usize = 8;
pub(super) const AT_TOTAL: usize = 16;
pub(super) const AT_SLOTS: usize = 24;
pub(super) const AT_TASK_MAX: usize = 32;
pub(super) const AT_OUTCOME_MAX: usize = 40;
pub(super) const AT_DEATHS_MAX: usize = 48;
pub(super) const AT_INTENT_MAX: usize = 56;
pub(super) const AT_ARENA: usize = 64;
pub(super) const AT_ARENA_SIZE: usize = 72;
/// Each of the following has cache lines of its own.
pub(super) const AT_WORK_EVENTS: usize = 128;
pub(super) const AT_DONE_EVENTS: usize = 256;
pub(super) const AT_CURSOR: usize = 384;
pub(super) const AT_WORDS: usize = 512;

const LINE: usize = 64;
const WORD: usize = 8;
/// The head of a slot, in front of its bytes: the length of each part, and which intent is current.
const HEAD: usize = (PARTS + 1) * WORD;
const SLOTS_MAX: u32 = 1 << 20;
const BYTES_MAX: u32 = 1 << 24;

/// The bounds of a lease table.
///
/// [`Config::memory_bytes`] gives the memory they cost at most: that of a slot is allocated when the slot is first
/// used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Maximum number of tasks that are ready, running, or done and not collected;
    /// [`offer`](super::Supervisor::offer) refuses further ones as `Full`. From 1 to 2²⁰. Defaults to 256.
    pub slot_count: u32,
    /// Maximum length of a task in bytes; a longer one is refused. At most 2²⁴. Defaults to 16384.
    pub task_bytes_max: u32,
    /// Maximum length of an outcome in bytes; a longer one is refused. At most 2²⁴. Defaults to 4096.
    pub outcome_bytes_max: u32,
    /// Maximum length of an intent in bytes; a longer one is refused. At most 2²⁴. Defaults to 12288.
    pub intent_bytes_max: u32,
    /// Number of workers that may die while they run this task; then it is given up as poisonous. From 1 to 63.
    /// Defaults to 3.
    pub deaths_max: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slot_count: 256,
            task_bytes_max: 16_384,
            outcome_bytes_max: 4_096,
            intent_bytes_max: 12_288,
            deaths_max: 3,
        }
    }
}

impl Config {
    /// Upper bound of the shared memory of a table with these bounds, in bytes.
    ///
    /// # Errors
    /// [`TableError::Config`] if a bound is out of its range.
    pub fn memory_bytes(&self) -> Result<usize, TableError> {
        Ok(Layout::of(*self)?.total)
    }
}

/// The parts of a slot. At most one of the two intents is current, so the other can be written meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Task = 0,
    Outcome = 1,
    IntentA = 2,
    IntentB = 3,
}

const PARTS: usize = 4;

/// Capacity of each part's near buffer, next to the head of the slot. A longer value is stored as a whole in the far
/// buffer. This keeps the memory of usual tasks dense: each page of it costs every process a fault.
const NEAR: [usize; PARTS] = [1_000, 496, 512, 512];

/// Offsets and sizes in bytes. Invariant: everything lies within `total`, the words and the arena aligned to lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) config: Config,
    pub(super) arena: usize,
    /// Offsets of the near buffers within a slot; the last entry is the distance of two slots.
    near: [usize; PARTS + 1],
    /// Offset of the first slot's far buffers.
    far_arena: usize,
    /// Offsets of the far buffers within those of a slot; the last entry is the distance of two slots' far buffers.
    far: [usize; PARTS + 1],
    pub(super) total: usize,
}

impl Layout {
    pub(super) fn of(config: Config) -> Result<Self, TableError> {
        let bytes_max = [config.task_bytes_max, config.outcome_bytes_max, config.intent_bytes_max];
        if !(1..=SLOTS_MAX).contains(&config.slot_count) || bytes_max.iter().any(|max| *max > BYTES_MAX) {
            return Err(TableError::Config);
        }
        if !(1..=Suspicion::DEATHS_MAX).contains(&config.deaths_max) {
            return Err(TableError::Config);
        }
        let slot_count = config.slot_count as usize;
        let [task, outcome, intent] = bytes_max.map(|max| (max as usize).next_multiple_of(WORD));
        let sizes = [task, outcome, intent, intent];
        let near = offsets(HEAD, std::array::from_fn(|part| sizes[part].min(NEAR[part])));
        let far = offsets(0, sizes);
        let arena = (AT_WORDS + slot_count * WORD).next_multiple_of(LINE);
        let far_arena = near[PARTS].checked_mul(slot_count).and_then(|size| size.checked_add(arena));
        let far_arena = far_arena.ok_or(TableError::Config)?;
        let total = far[PARTS].checked_mul(slot_count).and_then(|size| size.checked_add(far_arena));
        Ok(Self { config, arena, near, far_arena, far, total: total.ok_or(TableError::Config)? })
    }

    /// The fields of a fresh header, as pairs of offset and value.
    pub(super) fn header(&self) -> [(usize, u64); 10] {
        [
            (AT_MAGIC, MAGIC),
            (AT_VERSION, VERSION),
            (AT_TOTAL, self.total as u64),
            (AT_SLOTS, u64::from(self.config.slot_count)),
            (AT_TASK_MAX, u64::from(self.config.task_bytes_max)),
            (AT_OUTCOME_MAX, u64::from(self.config.outcome_bytes_max)),
            (AT_DEATHS_MAX, u64::from(self.config.deaths_max)),
            (AT_INTENT_MAX, u64::from(self.config.intent_bytes_max)),
            (AT_ARENA, self.arena as u64),
            (AT_ARENA_SIZE, (self.total - self.arena) as u64),
        ]
    }

    /// Accepts a header only if it is exactly what this build would write for the same bounds.
    ///
    /// # Errors
    /// [`TableError`] for the first wrong field.
    pub(super) fn check(file_bytes: u64, field: impl Fn(usize) -> u64) -> Result<Self, TableError> {
        if field(AT_MAGIC) != MAGIC {
            return Err(TableError::NotATable);
        }
        if field(AT_VERSION) != VERSION {
            return Err(TableError::Version { found: field(AT_VERSION), known: VERSION });
        }
        let bound = |at: usize| u32::try_from(field(at)).map_err(|_| TableError::Header);
        let config = Config {
            slot_count: bound(AT_SLOTS)?,
            task_bytes_max: bound(AT_TASK_MAX)?,
            outcome_bytes_max: bound(AT_OUTCOME_MAX)?,
            intent_bytes_max: bound(AT_INTENT_MAX)?,
            deaths_max: u8::try_from(field(AT_DEATHS_MAX)).map_err(|_| TableError::Header)?,
        };
        let layout = Self::of(config).map_err(|_| TableError::Header)?;
        let same = layout.header().iter().all(|&(at, value)| field(at) == value);
        if same && layout.total as u64 == file_bytes { Ok(layout) } else { Err(TableError::Header) }
    }

    pub(super) fn bytes_max(&self, part: Part) -> usize {
        let Config { task_bytes_max, outcome_bytes_max, intent_bytes_max, .. } = self.config;
        [task_bytes_max, outcome_bytes_max, intent_bytes_max, intent_bytes_max][part as usize] as usize
    }

    /// Offset of the length of a part.
    pub(super) fn length_at(&self, slot: usize, part: Part) -> usize {
        self.arena + slot * self.near[PARTS] + part as usize * WORD
    }

    /// Offset of the word that names the current intent.
    pub(super) fn current_intent_at(&self, slot: usize) -> usize {
        self.arena + slot * self.near[PARTS] + PARTS * WORD
    }

    /// Offset of the bytes of a part with this length.
    pub(super) fn bytes_at(&self, slot: usize, part: Part, length: usize) -> usize {
        let part = part as usize;
        if length <= NEAR[part] {
            self.arena + slot * self.near[PARTS] + self.near[part]
        } else {
            self.far_arena + slot * self.far[PARTS] + self.far[part]
        }
    }
}

/// Offsets of consecutive buffers of these sizes from `start` on; the last entry is the end, rounded up to a cache
/// line.
fn offsets(start: usize, sizes: [usize; PARTS]) -> [usize; PARTS + 1] {
    let mut offsets = [start; PARTS + 1];
    for (part, size) in sizes.into_iter().enumerate() {
        offsets[part + 1] = offsets[part] + size;
    }
    offsets[PARTS] = offsets[PARTS].next_multiple_of(LINE);
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(header: &[(usize, u64)], at: usize) -> u64 {
        header.iter().find(|pair| pair.0 == at).map_or(0, |pair| pair.1)
    }

    #[test]
    fn defaults_are_as_documented() {
        let config = Config::default();
        assert_eq!((config.slot_count, config.task_bytes_max), (256, 16_384));
        assert_eq!(
            (config.outcome_bytes_max, config.intent_bytes_max, config.deaths_max),
            (4_096, 12_288, 3)
        );
        let (near, far) = (40 + 1_000 + 496 + 512 + 512, 16_384 + 4_096 + 2 * 12_288);
        assert_eq!(config.memory_bytes().unwrap(), 512 + 256 * 8 + 256 * (near + far));
    }

    #[test]
    fn nothing_overlaps() {
        const ALL: [Part; PARTS] = [Part::Task, Part::Outcome, Part::IntentA, Part::IntentB];
        for (task_bytes_max, outcome_bytes_max, intent_bytes_max) in
            [(5, 9, 3), (2_000, 0, 600), (1_000, 513, 512)]
        {
            let config =
                Config { slot_count: 3, task_bytes_max, outcome_bytes_max, intent_bytes_max, deaths_max: 1 };
            let layout = Layout::of(config).unwrap();
            let mut taken: Vec<(usize, usize)> = vec![(0, layout.arena)];
            for slot in 0..3 {
                taken.push((layout.current_intent_at(slot), WORD));
                for part in ALL {
                    let size = layout.bytes_max(part);
                    taken.push((layout.length_at(slot, part), WORD));
                    let near = size.min(NEAR[part as usize]);
                    taken.push((layout.bytes_at(slot, part, near), near));
                    if size > near {
                        taken.push((layout.bytes_at(slot, part, size), size));
                    }
                }
            }
            taken.sort_unstable();
            assert!(taken.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{taken:?}");
            assert!(taken.last().is_some_and(|(at, length)| at + length <= layout.total));
            assert_eq!(layout.arena % LINE, 0);
        }
    }

    #[test]
    fn bounds_out_of_range_are_refused() {
        let good = Config::default();
        for bad in [
            Config { slot_count: 0, ..good },
            Config { slot_count: SLOTS_MAX + 1, ..good },
            Config { task_bytes_max: BYTES_MAX + 1, ..good },
            Config { outcome_bytes_max: BYTES_MAX + 1, ..good },
            Config { intent_bytes_max: BYTES_MAX + 1, ..good },
            Config { deaths_max: 0, ..good },
            Config { deaths_max: 64, ..good },
        ] {
            assert!(matches!(bad.memory_bytes(), Err(TableError::Config)), "{bad:?}");
        }
    }

    #[test]
    fn a_header_that_means_another_layout_is_refused() {
        let layout = Layout::of(Config::default()).unwrap();
        let header = layout.header();
        let total = layout.total as u64;
        assert_eq!(Layout::check(total, |at| field(&header, at)).unwrap(), layout);
        assert!(Layout::check(total + 1, |at| field(&header, at)).is_err());
        assert!(Layout::check(total, |at| field(&header, at) + u64::from(at == AT_TOTAL)).is_err());
        for changed in 0..header.len() {
            for value in [0, header[changed].1 + 1, u64::MAX] {
                let mut header = header;
                header[changed].1 = value;
                // A bound that needs the same layout is acceptable.
                let same = |found: Layout| {
                    (found.near, found.far, found.total) == (layout.near, layout.far, layout.total)
                };
                assert!(
                    Layout::check(total, |at| field(&header, at)).map_or(true, same),
                    "{changed} {value}"
                );
            }
        }
    }
}
