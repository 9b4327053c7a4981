//! The file jobs: sealing, opening, verifying, rekeying and XOR, each for any engine.
//!
//! What enters: a [`Task`](crate::Task), the engine's [`haul_io::Io`]. What leaves: an [`Outcome`](crate::Outcome) or
//! an [`Error`](crate::Error), and a published result or none. Between `start` and `finish` only the job's own state
//! knows the staged file; nobody outside publishes or discards it.
//!
//! Owns: the order of the steps for one source, what the segments of a large file share, how other processes join.
//! Does not own: the format, authentication ([`crate::payload`]), staging ([`haul_io::Staged`]), engines.

mod identities;
mod in_order;
mod job_spec;
mod large_file;
mod open;
mod pack;
mod pack_task;
mod portable;
mod rekey;
mod replacing;
mod seal;
mod verify;
mod xor;

pub use self::job_spec::{JobSpec, XorJobSpec};
pub use self::large_file::{LargeFile, Token};
pub use self::open::OpenJob;
pub use self::pack::PackJob;
pub(crate) use self::pack::kept;
pub use self::pack_task::PackTask;
pub use self::portable::VerifyToken;
pub use self::rekey::{RekeyJob, RekeyJobSpec};
pub use self::replacing::{Replaceable, Replacing, ReplacingState, ReplacingToken};
pub use self::seal::SealJob;
pub use self::verify::{VerifyJob, VerifyState};
pub use self::xor::{EmptyKey, WriteBegun, XorJob, XorMode};
