//! Work that is carried out alone, because workers have died over it.
//!
//! Owns: what is known of such work.
//! Does not own: when it is offered and given up ([`crate::processes::coordinator`]).

use haul_queue::lease::SlotId;

use crate::execute::Work;
use crate::job::portable::Portable;

/// A piece of work over which workers have died, perhaps because of other work in the same process.
pub(super) struct Suspect<J: Portable> {
    pub(super) work: Work<J>,
    /// It is given up at the next death.
    pub(super) is_last: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Alone {
    pub(super) slot: SlotId,
    pub(super) is_last: bool,
}
