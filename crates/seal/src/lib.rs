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
//! | trees and files | [`SealTree`], [`OpenTree`], [`VerifyTree`] |
//! | parts of a file, at any position | [`SealedFile`] |
//! | a reader and a writer, on several threads | [`seal_stream`], [`open_stream`] |
//! | what is written or read, on the caller's thread | [`SealWriter`], [`OpenReader`] |
//! | what `haul-fetch` downloads | [`SealedFormat`] |
//! | trees, into few sealed shards | [`PackJob`], [`Walk::packing`] |
//! | files from a source of one's own, or on worker processes | [`SealJob`], [`OpenJob`], [`VerifyJob`], [`RekeyJob`] |
//!
//! Keys are those of age: X25519 and post-quantum keys, passphrases, SSH keys, keys of plugins. [`recipients_in`] and
//! [`identities_in`] read files of them; `parse` reads single ones. What this crate seals, age and rage open.
//!
//! # Programs
//!
//! A tree, sealed on four threads, checked, and opened again. A result appears under its name when it is complete and,
//! for opening, authenticated to its last chunk; an existing one is never replaced unless that is asked for:
//!
//! ```
//! use haul_seal::{Cancel, OpenTree, SealTree, VerifyTree, X25519Identity};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let [tree, out, back] = ["tree", "out", "back"].map(|name| directory.path().join(name));
//! # std::fs::create_dir_all(tree.join("letters"))?;
//! # std::fs::write(tree.join("letters/ada"), "Dear Ada")?;
//! let (ada, cancel) = (X25519Identity::generate(), Cancel::new()?);
//! SealTree::new([ada.to_recipient().into()]).from(&tree).to(&out).threads(4).cancel(&cancel).run()?;
//! VerifyTree::new([ada.clone().into()]).from(&out).run()?;
//! OpenTree::new([ada.into()]).from(&out).to(&back).run()?;
//! # assert_eq!(std::fs::read(back.join("letters/ada"))?, b"Dear Ada");
//! # Ok(())
//! # }
//! ```
//!
//! The end of a large file, without opening the rest. The last chunk is authenticated first, so that the length is
//! true:
//!
//! ```
//! use std::io::{Read, Seek, SeekFrom};
//!
//! use haul_seal::{SealedFile, X25519Identity, seal_bytes};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let ada = X25519Identity::generate();
//! # let log = seal_bytes(b"one\ntwo\nlast", &[ada.to_recipient().into()])?;
//! # let (file, identities) = (std::io::Cursor::new(log), [ada.into()]);
//! let mut file = SealedFile::open(file, &identities)?;
//! file.seek(SeekFrom::End(-4))?;
//! let mut last = String::new();
//! file.read_to_string(&mut last)?;
//! assert_eq!(last, "last");
//! # Ok(())
//! # }
//! ```
//!
//! A stream of any length, in bounded memory:
//!
//! ```
//! use haul_seal::{StreamOptions, X25519Identity, open_stream, seal_stream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (plain, mut sealed, ada) = (&b"Dear Ada"[..], Vec::new(), X25519Identity::generate());
//! seal_stream(plain, &mut sealed, &[ada.to_recipient().into()], &StreamOptions::default())?;
//! open_stream(&sealed[..], std::io::sink(), &[ada.into()], &StreamOptions::default())?;
//! # Ok(())
//! # }
//! ```
//!
//! A receiver for code that writes, such as a download by `haul-fetch`: `client.fetch_into(request, &mut receiver)?`.
//! Nothing but [`SealWriter::finish`] makes a file that opens to its end:
//!
//! ```
//! use std::io::Write;
//!
//! use haul_seal::{SealWriter, X25519Identity};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let ada = X25519Identity::generate();
//! let mut receiver = SealWriter::new(Vec::new(), &[ada.to_recipient().into()])?;
//! receiver.write_all(b"Dear Ada")?;
//! let sealed = receiver.finish()?;
//! # assert_eq!(haul_seal::open_bytes(&sealed, &[ada.into()])?, b"Dear Ada");
//! # Ok(())
//! # }
//! ```
//!
//! A job takes a source of [`Task`]s, for instance a [`Walk`], and an engine. Files of up to 1 MiB are transformed as a
//! whole; larger files are split into segments that workers process in any order:
//!
//! ```
//! use haul_seal::{Cancel, Config, Engine, FileOptions, SealJob, Task, X25519Identity, run};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let [letter, sealed] = ["letter", "letter.age"].map(|name| dir.path().join(name));
//! std::fs::write(&letter, "Dear Ada")?;
//! let ada = X25519Identity::generate().to_recipient();
//! let seal = SealJob::new(vec![ada.into()], FileOptions::default())?;
//! let tasks = [Task::file(&letter, &sealed)].into_iter();
//! let report = run(&seal, tasks, &Config::new(Engine::Serial, Cancel::new()?), |_event| {});
//! assert_eq!(report.succeeded, 1);
//! # Ok(())
//! # }
//! ```
//!
//! The folder `examples` has these as whole programs.
//!
//! # Threads, panics, features
//!
//! Every type is `Send` and `Sync`, except writers and readers around ones that aren't. Calls block until their work is
//! done; those with several threads have joined them when they return. No function panics for data or keys; making keys
//! and files panics if the system provides no randomness, and a panic of a caller's reader, writer or function goes on
//! in the caller after the work has been stopped.
//!
//! Features, all additive: `plugins` (keys that plugins serve) and `ssh` (SSH keys) are on by default, `openssl`
//! (chunks by OpenSSL) isn't.
//!
//! Owns: the jobs, segments, walks, where results go, streams, sessions with plugins.
//! Does not own: the format ([`haul_age_format`]), engines, the user interface.
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("haul-seal works on Linux only");

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

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
pub use format::{SealedFormat, sealed_path};
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
pub use haul_pack::BadIndex;
pub use hidden::{HiddenName, HiddenNames, NameJournal};
pub use inspect::{Inspection, PostQuantum, inspect, inspect_file, inspect_task};
pub use jobs::{
    EmptyKey, OpenJob, PackJob, PackTask, RekeyJob, Replaceable, Replacing, SealJob, VerifyJob, XorJob,
    XorMode,
};

pub use plugin::{KeyRequest, KeySource, PluginLimits, PluginUi, Plugins};
pub use stream::{
    OpenReader, SealWriter, SealedFile, StreamOptions, Streamed, into_file, into_file_at, open_stream,
    rekey_stream, seal_stream,
};
pub use task::{FileOptions, Outcome, Refusal, Remarks, SkipReason, Task};
pub use trees::{FailedFile, OpenTree, SealTree, Tree, TreeError, VerifyTree};
pub use walk::{
    BadPattern, Direction, Filter, Mirror, NameError, PackWalk, Placement, Symlinks, TREE_IDENTITY_NAME,
    Tally, Walk, is_identity_name,
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
