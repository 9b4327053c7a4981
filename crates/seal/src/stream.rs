//! Sealing and opening streams: data of unknown length from any reader to any writer, on several cores.
//!
//! What enters: a reader, a writer, recipients or identities, [`StreamOptions`]. What leaves: the transformed bytes in
//! the writer and their lengths. Several threads read pieces of the source in turn, transform them in parallel, and
//! write them in turn. Nobody outside takes part in these turns. Memory: two buffers of 256 KiB for each worker, and
//! the header (at most 1 MiB).
//!
//! A [`SealedFile`] opens any range of a file, through the same turns if it is long. [`SealWriter`] and [`OpenReader`]
//! work on the thread of their caller.
//!
//! Owns: the entry points, their options, dividing the source, the order of reads and writes.
//! Does not own: chunks and authentication ([`crate::payload`]), reading headers and armor ([`crate::reader`]).

mod accept;
mod armor;
mod file;
mod open;
mod options;
mod pieces;
mod reader;
mod rekey;
mod seal;
mod sealed_file;
mod turns;
mod writer;

pub(crate) use self::accept::{Accepted, accept};
pub use self::file::{into_file, into_file_at};
pub use self::open::open_stream;
pub use self::options::{StreamOptions, Streamed};
pub use self::reader::OpenReader;
pub use self::rekey::rekey_stream;
pub use self::seal::seal_stream;
pub use self::sealed_file::SealedFile;
pub use self::writer::SealWriter;
