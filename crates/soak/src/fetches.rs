//! Steps with `haul get`: misbehaving servers and resolvers, killed and interrupted runs, resuming and synchronising.
//!
//! A `Setup` enters; a fault leaves. `origin` is the server and its script, `judge` compares files with what it served.

mod judge;
mod origin;
mod resolver;
mod runs;
mod world;

use crate::choice::Choice;
use crate::fault::Checked;
use crate::tally::Tally;
use crate::world::setup::Setup;
use world::FetchWorld;

/// Does one step.
pub(crate) fn step(setup: &Setup, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let mut world = FetchWorld::make(setup, choice, tally)?;
    let result = actions(&mut world, choice, tally);
    if result.is_err() {
        world.disk.preserve();
    }
    result
}

fn actions(world: &mut FetchWorld<'_>, choice: &mut Choice, tally: &mut Tally) -> Checked {
    for _ in 0..choice.within(1..=3) {
        runs::disturbed(world, choice, tally)?;
    }
    runs::calm(world, choice, tally)
}
