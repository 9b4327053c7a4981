//! Bodies that are stored in a format of chunks, by a format whose chunks are short and which remembers what it encoded.

mod format;
mod kept;
mod parts;
mod retries;
mod whole;
