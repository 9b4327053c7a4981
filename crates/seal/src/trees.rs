//! Sealing, opening and verifying whole trees in one call.
//!
//! What enters: keys, names of files and trees, optionally an output and settings. What leaves: a report, or the
//! error of a run that didn't do everything. The defaults are those of the program: an existing result is never
//! replaced, metadata is kept, links are skipped, leftovers of killed runs are removed.
//!
//! Owns: connecting a walk, a job and an engine; what counts as the success of a run.
//! Does not own: the work on a file ([`crate::jobs`]), finding files ([`crate::walk`]), engines.

mod error;
mod kind;
mod run;

pub use self::error::{FailedFile, TreeError};
pub use self::kind::{TreeJob, WritingJob};
pub use self::run::{OpenTree, SealTree, Tree, VerifyTree};
