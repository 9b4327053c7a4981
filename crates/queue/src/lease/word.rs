//! A slot's word and its transitions, as pure functions.
//!
//! Owns: the packing `generation | owner | suspicion | state`; which transitions there are.
//! Does not own: atomicity (see `slots.rs`), bytes (see `map.rs`).
//!
//! Source: `PROTOCOL.md`, part 2; the step numbers in the comments are those of that file. The exhaustive test runs
//! these same functions.

const STATE_BITS: u32 = 8;
const SUSPICION_BITS: u32 = 8;
const OWNER_BITS: u32 = 16;

const SUSPICION_AT: u32 = STATE_BITS;
const OWNER_AT: u32 = SUSPICION_AT + SUSPICION_BITS;
const GENERATION_AT: u32 = OWNER_AT + OWNER_BITS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    Ready,
    Running,
    Done,
}

/// A slot's word at one instant. All zero is a free slot of generation 0, so fresh memory needs no initialisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Word(pub(super) u64);

/// The suspicion that a death adds to each task that the dead worker was running, and the sum at which a task is given
/// up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suspicion {
    pub(super) more: u8,
    pub(super) max: u8,
}

#[cfg(not(loom))]
impl Suspicion {
    /// The largest limit of deaths.
    pub(super) const DEATHS_MAX: u8 = 63;

    /// For one death. A task is given up after `deaths_max`.
    pub(super) fn of_death(deaths_max: u8) -> Self {
        Self { more: 1, max: deaths_max }
    }
}

/// The new word of a dead owner's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaped {
    /// Ready again, for another attempt.
    Reclaimed(Word),
    /// Free: the task has reached the limit of suspicion.
    Poisoned(Word),
}

impl Word {
    fn pack(generation: u32, owner: u16, suspicion: u8, state: State) -> Self {
        Self(
            u64::from(generation) << GENERATION_AT
                | u64::from(owner) << OWNER_AT
                | u64::from(suspicion) << SUSPICION_AT
                | state as u64,
        )
    }

    /// `None` for bits that no transition produces.
    pub(super) fn state(self) -> Option<State> {
        [State::Free, State::Ready, State::Running, State::Done].get((self.0 as u8) as usize).copied()
    }

    pub(super) fn is(self, state: State) -> bool {
        self.state() == Some(state)
    }

    pub(super) fn generation(self) -> u32 {
        (self.0 >> GENERATION_AT) as u32
    }

    pub(super) fn owner(self) -> u16 {
        (self.0 >> OWNER_AT) as u16
    }

    /// The suspicion that earlier deaths have added; 0 if there was none.
    pub(super) fn suspicion(self) -> u8 {
        (self.0 >> SUSPICION_AT) as u8
    }

    /// O2: free → ready, the next generation, with the suspicion of earlier deaths.
    pub(super) fn offered(self, suspicion: u8) -> Option<Self> {
        self.is(State::Free).then(|| self.renewed(suspicion, State::Ready))
    }

    /// The word of a slot whose word no transition has produced: the next generation of whatever it says.
    pub(super) fn renewed(self, suspicion: u8, state: State) -> Self {
        Self::pack(self.generation().wrapping_add(1), 0, suspicion, state)
    }

    /// K2: ready → running, same generation.
    pub(super) fn claimed(self, owner: u16) -> Option<Self> {
        self.is(State::Ready).then(|| Self::pack(self.generation(), owner, self.suspicion(), State::Running))
    }

    /// F2: running → done, same generation and owner.
    pub(super) fn finished(self) -> Option<Self> {
        self.is(State::Running)
            .then(|| Self::pack(self.generation(), self.owner(), self.suspicion(), State::Done))
    }

    /// G2: done → free.
    pub(super) fn collected(self) -> Option<Self> {
        self.is(State::Done).then(|| Self::pack(self.generation(), 0, 0, State::Free))
    }

    /// W1: ready → free, the next generation.
    pub(super) fn withdrawn(self) -> Option<Self> {
        self.is(State::Ready).then(|| Self::pack(self.generation().wrapping_add(1), 0, 0, State::Free))
    }

    /// R2: running for `owner` → ready or free, the next generation.
    pub(super) fn reaped(self, owner: u16, suspicion: Suspicion) -> Option<Reaped> {
        if !self.is(State::Running) || self.owner() != owner {
            return None;
        }
        let generation = self.generation().wrapping_add(1);
        let sum = self.suspicion().saturating_add(suspicion.more);
        Some(if sum >= suspicion.max {
            Reaped::Poisoned(Self::pack(generation, 0, 0, State::Free))
        } else {
            Reaped::Reclaimed(Self::pack(generation, 0, sum, State::Ready))
        })
    }
}
