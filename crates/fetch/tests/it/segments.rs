//! Files that are fetched in segments.

mod answers;
mod files;
mod setting;
mod stalls;
