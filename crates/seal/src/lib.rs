//! Parallel sealing and opening of files and trees in the age format.
//!
//! A run needs a source of [`Task`]s (for instance a [`Walk`]), a job ([`SealJob`], [`OpenJob`], [`VerifyJob`] or
//! [`XorJob`]) and an engine:
//!
//! ```
//! use haul_engine::{Config, Engine, run};
//! use haul_io::{Blocking, Cancel, Io};
//! use haul_seal::{FileOptions, Identity, OpenJob, Recipient, SealJob, Task, X25519Identity};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let [letter, sealed, opened] = ["letter", "letter.age", "copy"].map(|name| dir.path().join(name));
//! std::fs::write(&letter, "Dear Ada")?;
//! let cancel = Cancel::new()?;
//! let system = Blocking::new(cancel.clone());
//! let identity = X25519Identity::generate();
//! let config = Config { engine: Engine::Serial, cancel, progress: Default::default() };
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
//! Files of up to 1 MiB are transformed as a whole; larger files are split into segments that workers process in any
//! order. A result appears under its name when it is complete and, for opening, authenticated to its last chunk.
//!
//! `examples/trees.rs` seals, verifies and opens a tree with any engine that needs no worker processes; for those, see
//! [`haul_engine::run_portable`]. `examples/streams.rs` seals and opens streams.
//!
//! Owns: the four jobs, segments, walks, where results go, streams, sessions with plugins.
//! Does not own: the format ([`haul_age_format`]), engines, the user interface.
#![forbid(unsafe_code)]

mod error;
mod inspect;
mod jobs;
mod payload;
mod plugin;
mod reader;
mod run_key;
mod stream;
mod task;
mod walk;

pub use error::{During, Error, ErrorKind, PluginError, PluginProblem, WalkError};
pub use haul_age_format::{
    ArmorError, Header, HeaderError, HybridIdentity, HybridRecipient, Identity, KeyFileError, KeyTextError,
    OpenError, Parsed, Passphrase, PluginFault, PluginIdentity, PluginRecipient, Question, Recipient,
    RecipientList, SealError, SshIdentity, SshKeyError, SshRecipient, TaggedRecipient, WORK_FACTOR_DEFAULT,
    WORK_FACTOR_IN_TREES_MAX, WORK_FACTOR_MAX, X25519Identity, X25519Recipient, check_recipients,
    identities_in, protected_file, protected_identities_in, recipients_in, text_of,
};
pub use inspect::{Inspection, PostQuantum, inspect, inspect_file, inspect_task};
pub use jobs::{
    EmptyKey, JobSpec, LargeFile, OpenJob, RekeyJob, RekeyJobSpec, Replaceable, Replacing, ReplacingState,
    ReplacingToken, SealJob, Token, VerifyJob, VerifyState, VerifyToken, WriteBegun, XorJob, XorJobSpec,
    XorMode,
};
pub use payload::{Payload, WrappedKey};
pub use plugin::{KeyRequest, KeySource, PluginLimits, PluginUi, Plugins};
pub use stream::{SealedFile, StreamOptions, Streamed, into_file, open_stream, seal_stream};
pub use task::{FileOptions, FoundFile, Outcome, PluginKey, Refusal, Remarks, SkipReason, Task};
pub use walk::{
    BadPattern, Direction, Filter, Mirror, NameError, Placement, Symlinks, TREE_IDENTITY_NAME, Tally, Walk,
};
