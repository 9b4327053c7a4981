//! What the checker found: one broken invariant, in words.
//!
//! Owns: the type, and the macro that states an invariant.
//! Does not own: the invariants.

use std::fmt;

/// A broken invariant, or a world that couldn't be set up.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) String);

/// The result of a check.
pub(crate) type Checked<T = ()> = Result<T, Fault>;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self(format!("the soak itself: {error}"))
    }
}

impl From<rustix::io::Errno> for Fault {
    fn from(error: rustix::io::Errno) -> Self {
        std::io::Error::from(error).into()
    }
}

/// Returns a fault with the message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::fault::Fault(format!($($message)+)));
        }
    };
}

pub(crate) use ensure;
