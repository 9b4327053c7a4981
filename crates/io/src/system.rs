//! Leaves that every execution needs: cancellation, deadlines, errors, randomness, the allocator's limit.
//!
//! Enters: timeouts and descriptors.
//! Leaves: the switch that cancels a run, waiting that it interrupts, the wording of errors.
//! Private: the flag and the descriptor behind [`Cancel`]. Nothing here knows an operation.

mod cancel;
pub(crate) mod deadline;
mod error;
mod heaps;
mod interface;
pub(crate) mod random;

pub use cancel::Cancel;
pub use error::{cancelled, is_cancelled, is_link_in_the_way, reason};
pub use heaps::limit_heaps;
pub use interface::interface_index;
