//! stub
use crate::choice::Choice; use crate::fault::Checked; use crate::tally::Tally; use crate::world::setup::Setup;
pub(crate) fn step(_: &Setup, _: &mut Choice, _: &mut Tally) -> Checked { Ok(()) }
