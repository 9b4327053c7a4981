//! The account of a task's operations.
//!
//! Owns: the sums.
//! Does not own: measuring.

use std::time::Duration;

/// The cost of a task's operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Time between submission and completion, summed over the operations.
    pub device: Duration,
    /// Time between completion and the job's resumption, summed over the operations.
    pub executor: Duration,
    /// Number of operations.
    pub ops: u64,
    /// Payload bytes processed, as the job reported them.
    pub bytes: u64,
}
