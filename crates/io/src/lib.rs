//! Everything haul asks of the operating system, as one closed type of operations.
//!
//! A job is an `async fn` over [`Io`]. The same body runs on [`Blocking`] (each operation is a system call that is
//! done before it returns), on [`Uring`] (one thread, one ring, many jobs in flight) and on [`sim::Sim`] (a seeded
//! simulation of files, peers and time).
//!
//! Owns: [`Op`] and its executions, the owned buffers that travel through it, handles, cancellation, staging and
//! publishing of files.
//! Does not own: what is read or sent (protocols, formats), threads, retries, reports.

#[cfg(not(target_os = "linux"))]
compile_error!("haul-io works on Linux only");

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod blocking;
mod chunked;
mod connect;
mod files;
mod io;
mod names;
mod op;
pub mod sim;
mod stream;
mod system;
mod uring;
mod values;

pub use blocking::{Blocking, run_ready};
pub use chunked::{Armor, ChunkedFile, ChunkedFormat, Damaged, suffixed};
pub use files::{
    Copying, Leftovers, Staged, StagedIdentity, access_list, copy_range, drop_cached, find_features, folded,
    is_temporary, move_arrived, probe_aliases, probe_name, remove_if_left, remove_leftover, set_metadata,
    spare_cache, sweep, sync_directory_of, write_file, write_sparse,
};
pub use io::Io;
pub use names::{Names, NamesLimits, is_try_again};
pub use op::{BufResult, Completion, Offset, Op, OpenMode, Value};
pub use stream::{StreamReader, StreamWriter};
pub use system::{
    Cancel, Ext4, HUGE_BYTES, Patience, Patient, Room, cancelled, check_stdout, flush, interface_index,
    is_cancelled, is_link_in_the_way, is_shortage, limit_heaps, reason,
};
pub use uring::{
    Feed, LocalJob, Placement, PlacementCounts, Refusal, RingParams, RingRefused, TaskIo, Unparker, Uring,
    UringConfig,
};
pub use values::{
    Access, AccessList, Attributes, Buf, Directory, DirectoryCache, Durability, Existing, Features, File,
    FileKind, Location, Meter, Pipe, Preserve, Publish, Published, Shortfall, Shortfalls, Socket, Stat,
};
