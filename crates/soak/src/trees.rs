//! Steps on a tree: seal, open, verify and xor in random order, alone or two at once, with every disturbance.
//!
//! A `Setup` enters; a fault leaves. `plan` chooses a command line, `judge` compares the disk with the model.

mod judge;
mod mirror;
mod plan;
mod runs;
mod world;

use crate::choice::Choice;
use crate::fault::Checked;
use crate::tally::Tally;
use crate::world::setup::Setup;
use plan::Plan;
use world::TreeWorld;

/// Does one step.
pub(crate) fn step(setup: &Setup, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let mut world = TreeWorld::make(setup, choice, tally)?;
    let result = actions(&mut world, choice, tally);
    if result.is_err() {
        world.disk.preserve();
    }
    result
}

fn actions(world: &mut TreeWorld<'_>, choice: &mut Choice, tally: &mut Tally) -> Checked {
    for _ in 0..choice.within(2..=6) {
        match choice.below(8) {
            0 => runs::two_at_once(world, choice, tally)?,
            1 => mirror::seal_and_open(world, choice, tally)?,
            _ => {
                let plan = Plan::choose(choice, world);
                runs::one(world, &plan, choice, tally)?;
            }
        }
    }
    runs::clear_up(world, tally)
}
