//! Parallel sealing and opening of files, streams and trees in the age format.
//!
//! ```
//! use haul_seal::{X25519Identity, open_bytes, seal_bytes};
//!
//! let ada = X25519Identity::generate();
//! let sealed = seal_bytes(b"Dear Ada", &[ada.to_recipient().into()])?;
//! assert_eq!(open_bytes(&sealed, &[ada.into()])?, b"Dear Ada");
//! # Ok::<(), haul_seal::Error>(())
//! ```
//!
//! | to seal, open or verify | use |
//! |---|---|
//! | bytes in memory | [`seal_bytes`], [`open_bytes`] |
//! | a reader and a writer | [`seal_stream`], [`open_stream`] |
//! | parts of a file, at any position | [`SealedFile`] |
//! | trees and files | [`SealTree`], [`OpenTree`], [`VerifyTree`] |
//! | files from a source of one's own, or on worker processes | [`SealJob`], [`OpenJob`], [`VerifyJob`], [`RekeyJob`] |
//!
//! This crate re-exports what its users need of the crates below it, such as [`Cancel`], [`Engine`] and [`Event`]. A
//! job takes a source of [`Task`]s, for instance a [`Walk`], and an engine:
//!
//! ```
//! use haul_seal::{Cancel, Config, Engine, FileOptions, SealJob, Task, X25519Identity, run};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let [letter, sealed] = ["letter", "letter.age"].map(|name| dir.path().join(name));
//! std::fs::write(&letter, "Dear Ada")?;
//! let config = Config::new(Engine::Serial, Cancel::new()?);
//! let ada = X25519Identity::generate().to_recipient();
//! let seal = SealJob::new(vec![ada.into()], FileOptions::default())?;
//! let report = run(&seal, [Task::file(&letter, &sealed)].into_iter(), &config, |_event| {});
//! assert_eq!(report.succeeded, 1);
//! # Ok(())
//! # }
//! ```
//!
//! Files of up to 1 MiB are transformed as a whole; larger files are split into segments that workers process in any
//! order. A result appears under its name when it is complete and, for opening, authenticated to its last chunk.
//!
//! The folder `examples` has a program for each row of the table but the last.
//!
//! Owns: the jobs, segments, walks, where results go, streams, sessions with plugins.
//! Does not own: the format ([`haul_age_format`]), engines, the user interface.
#![forbid(unsafe_code)]

mod bytes;
mod error;
mod format;
mod hidden;
mod inspect;
mod jobs;
mod payload;
mod plugin;
mod reader;
mod run_key;
mod stream;
mod task;
mod trees;
mod walk;

pub use bytes::{open_bytes, seal_bytes};
pub use error::{During, Error, ErrorKind, PluginError, PluginProblem, WalkError};
pub use format::SealedFormat;
pub use haul_age_format::{
    ArmorError, Header, HeaderError, HybridIdentity, HybridRecipient, Identity, KeyFileError, KeyTextError,
    OpenError, Parsed, Passphrase, PluginFault, PluginIdentity, PluginRecipient, Question, Recipient,
    RecipientList, SealError, SshIdentity, SshKeyError, SshRecipient, TaggedRecipient, WORK_FACTOR_DEFAULT,
    WORK_FACTOR_IN_TREES_MAX, WORK_FACTOR_MAX, X25519Identity, X25519Recipient, check_recipients,
    identities_in, protected_file, protected_identities_in, recipients_in, text_of,
};
pub use haul_engine::{
    Config, Engine, Event, Failure, Fallback, Job, Next, ParseEngineError, Report, Settled, Source, run,
};
pub use haul_io::{
    Blocking, Cancel, Durability, Existing, Published, Shortfall, Shortfalls, StreamReader, StreamWriter,
};
pub use hidden::{HiddenName, HiddenNames, NameJournal};
pub use inspect::{Inspection, PostQuantum, inspect, inspect_file, inspect_task};
pub use jobs::{EmptyKey, OpenJob, RekeyJob, Replaceable, Replacing, SealJob, VerifyJob, XorJob, XorMode};
pub use plugin::{KeyRequest, KeySource, PluginLimits, PluginUi, Plugins};
pub use stream::{SealedFile, StreamOptions, Streamed, into_file, open_stream, seal_stream};
pub use task::{FileOptions, Outcome, Refusal, Remarks, SkipReason, Task};
pub use trees::{FailedFile, OpenTree, SealTree, Tree, TreeError, VerifyTree};
pub use walk::{
    BadPattern, Direction, Filter, Mirror, NameError, Placement, Symlinks, TREE_IDENTITY_NAME, Tally, Walk,
};

// What jobs pass to engines and worker processes. Callers have no use for it.
#[doc(hidden)]
pub use jobs::{
    JobSpec, LargeFile, RekeyJobSpec, ReplacingState, ReplacingToken, Token, VerifyState, VerifyToken,
    WriteBegun, XorJobSpec,
};
#[doc(hidden)]
pub use payload::{Payload, WrappedKey};
#[doc(hidden)]
pub use task::{FoundFile, PluginKey};
#[doc(hidden)]
pub use trees::{TreeJob, WritingJob};
