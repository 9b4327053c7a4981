//! Bodies that are stored in a format of chunks: one whose chunks are short, and that remembers what it encoded.

mod age;
pub(crate) mod format;
mod kept;
mod large;
mod parts;
mod retries;
mod whole;
