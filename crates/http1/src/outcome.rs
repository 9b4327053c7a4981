//! The meaning of a response, or of its absence, for the connection, the request and the requested range.
//!
//! Enters: heads, bodies and counts of an exchange that has ended or failed.
//! Leaves: yes or no with a reason: may the connection be reused, may the request be replayed, is this the requested
//! range.
//! Not for use from outside: nothing; every function here is pure.

mod range;
mod replay;
mod reuse;

pub use range::{ContentRange, RangeAnswer, RangeError, RequestedRange, content_range};
pub use replay::{Replay, RetryAfter, retry_after};
pub use reuse::{AfterResponse, CloseReason, check_idle};
