//! The closed list of operations and their results.
//!
//! Enters: the values of [`crate::values`].
//! Leaves: [`Op`], which an execution carries out, and [`Completion`], which it returns.
//! Private: which operations a cancelled run refuses; each execution asks the operation.

pub(crate) mod completion;
pub(crate) mod mode;
pub(crate) mod operation;

pub use completion::{BufResult, Completion, Value};
pub use mode::{Offset, OpenMode};
pub use operation::Op;
