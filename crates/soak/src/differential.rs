//! Steps that compare: engines with the serial one, opening with age's crate and programs, responses with curl.
//!
//! A `Setup` enters; a fault, the first difference without a reason, leaves.

mod engines;
mod framing;
mod mutations;
mod responses;

use crate::choice::Choice;
use crate::fault::Checked;
use crate::tally::Tally;
use crate::world::setup::Setup;

/// Does one step.
pub(crate) fn step(setup: &Setup, choice: &mut Choice, tally: &mut Tally) -> Checked {
    match choice.below(3) {
        0 => engines::step(setup, choice, tally),
        1 => mutations::step(setup, choice, tally),
        _ => framing::step(setup, choice, tally),
    }
}
