//! What a command does with its plan.
//!
//! Owns: the choice between `--dry-run` and the run.
//! Does not own: any plan.

use crate::report::exit::{Exit, Problem};
use crate::report::voice::Voice;

/// A resolved command. It was made from the arguments and the environment alone; what it names is first opened here.
pub(crate) trait Plan: Sized {
    /// Prints what would be done and changes nothing: `--dry-run`.
    fn print(self, voice: &Voice) -> Result<Exit, Problem>;

    /// Does the work.
    fn run(self, voice: &Voice) -> Result<Exit, Problem>;

    /// Prints or runs the plan.
    fn perform(self, dry_run: bool, voice: &Voice) -> Result<Exit, Problem> {
        if dry_run { self.print(voice) } else { self.run(voice) }
    }
}
