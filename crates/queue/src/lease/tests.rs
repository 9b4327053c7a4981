//! Models of the lease table: its rules under every interleaving, its atomic steps under loom.
//!
//! Enters: the table's own `word.rs`, `slots.rs` and `event_count.rs`.
//! Leaves: nothing; this room is compiled for tests only.

#[cfg(not(loom))]
mod exhaustive;
#[cfg(loom)]
mod modelled;
