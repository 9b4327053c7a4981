//! Lists: what to fetch, what each file must hash to, what failed.
//!
//! In: files that options name, and lines as they arrive on a pipe. Out: items, checksums, and the file of failures.
//! `list` needs nothing else of the program: property tests and fuzz targets include its file as their own module.

pub(crate) mod digest;
pub(crate) mod failures;
pub(crate) mod length;
pub(crate) mod list;
pub(crate) mod reader;
