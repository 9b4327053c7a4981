//! Everything haul asks of the operating system, as one closed type of operations.
//!
//! A job is an `async fn` over [`Io`]. The same body runs on [`Blocking`] (each operation is a system call that is
//! done before it returns), on [`Uring`] (one thread, one ring, many jobs in flight) and on [`sim::Sim`] (a seeded simulation
//! of files, peers and time).
//!
//! Owns: [`Op`] and its executions, the owned buffers that travel through it, handles, cancellation,
//! staging and publishing of files.
//! Does not own: what is read or sent (protocols, formats), threads, retries, reports.

mod attributes;
mod blocking;
mod buf;
mod cancel;
mod connect;
mod directory;
mod error;
mod handle;
mod heaps;
mod io;
mod names;
mod op;
mod perform;
pub mod sim;
mod staged;
mod stream;
mod uring;

pub use attributes::Attributes;
pub use blocking::{Blocking, Meter, run_ready};
pub use buf::Buf;
pub use cancel::Cancel;
pub use directory::{Directory, Kept, Location};
pub use error::{cancelled, is_cancelled, is_link_in_the_way, reason};
pub use handle::{File, FileKind, Socket, Stat};
pub use heaps::limit_heaps;
pub use io::Io;
pub use names::{Names, NamesLimits};
pub use op::{Completion, Found, Offset, Op, OpenMode, Value};
pub use staged::{
    Durability, Existing, Preserve, Publish, Published, Staged, is_temporary, remove_if_left,
    sync_directory_of, write_file,
};
pub use stream::{StreamReader, StreamWriter};
pub use uring::{
    Feed, Granted, LocalJob, Place, Placed, Refusal, RingRefused, TaskIo, Unparker, Uring, UringConfig,
};
