//! Parallel sealing and opening of files and trees in the age format.
//!
//! A run is a source of [`Task`]s (for instance a [`Walk`]), a job ([`SealJob`], [`OpenJob`] or [`XorJob`]) and an engine:
//!
//! ```
//! use haul_engine::{Config, Engine, run};
//! use haul_io::Cancel;
//! use haul_seal::{FileOptions, Identity, OpenJob, Recipient, SealJob, Task, X25519Identity};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let (letter, sealed, opened) = (dir.path().join("letter"), dir.path().join("letter.age"), dir.path().join("copy"));
//! std::fs::write(&letter, "Dear Ada")?;
//! let mut random = |out: &mut [u8]| out.fill(7); // the system's randomness in real use
//! let identity = X25519Identity::generate_with(&mut random);
//! let config = Config { engine: Engine::Serial, cancel: Cancel::new()?, progress: Default::default() };
//!
//! let seal = SealJob::new(vec![Recipient::X25519(identity.to_recipient())], FileOptions::default())?;
//! let report = run(&seal, [Task::file(&letter, &sealed)].into_iter(), &config, |_event| {});
//! assert_eq!(report.succeeded, 1);
//!
//! let open = OpenJob::new(vec![Identity::X25519(identity)], FileOptions::default());
//! run(&open, [Task::file(&sealed, &opened)].into_iter(), &config, |_event| {});
//! assert_eq!(std::fs::read_to_string(&opened)?, "Dear Ada");
//! # Ok(())
//! # }
//! ```
//!
//! Files of up to 1 MiB are one piece of work; larger ones are split into segments that any worker does in any order.
//! A result appears under its name when it is complete, and when opening, authenticated to the last chunk.
//!
//! `examples/trees.rs` seals, verifies and opens a tree on any engine that needs no worker processes; for those, see
//! [`haul_engine::run_portable`]. `examples/streams.rs` does the same with readers and writers.
//!
//! Owns: the four jobs, segments, walking trees, where results go.
//! Does not own: the format ([`haul_age_format`]), engines, what is asked of the user.
#![forbid(unsafe_code)]

mod accept;
mod armored;
mod error;
mod filter;
mod inspect;
mod large;
mod open;
mod pair;
mod plugin;
mod portable;
mod replacing;
mod seal;
mod segment;
mod stream;
mod task;
mod verify;
mod walk;
mod xor;

pub use error::{During, Error, Kind};
pub use filter::{BadPattern, Filter, Symlinks};
pub use haul_age_format::{
    ArmorError, Header, HeaderError, HybridIdentity, HybridRecipient, Identity, KeyFileError, KeyTextError,
    OpenError, Parsed, Passphrase, PluginFault, PluginIdentity, PluginRecipient, Question, Recipient,
    SealError, SshIdentity, SshKeyError, SshRecipient, WORK_FACTOR_DEFAULT, WORK_FACTOR_MAX, X25519Identity,
    X25519Recipient, check_recipients, identities_in, protected_file, protected_identities_in, recipients_in,
};
pub use inspect::{Inspection, PostQuantum, inspect, inspect_file};
pub use large::{Large, Payload, Token};
pub use open::OpenJob;
pub use plugin::{KeySource, Keying, PluginError, PluginLimits, PluginProblem, PluginUi, Plugins};
pub use portable::{CheckToken, JobSpec, WrappedKey, XorJobSpec};
pub use replacing::{Replaceable, Replaced, ReplacedToken, Replacing};
pub use seal::SealJob;
pub use stream::{StreamOptions, Streamed, into_file, open_stream, seal_stream};
pub use task::{Done, FileOptions, Found, Keyed, Refusal, Remarks, SkipReason, Task, WalkError};
pub use verify::{Checked, VerifyJob};
pub use walk::{Direction, Mirror, NameError, Placement, TREE_IDENTITY_NAME, Walk};
pub use xor::{EmptyKey, Touched, XorJob, XorMode};
