//! Host names and their addresses.
//!
//! Enters: a name and a port; a resolver and a clock, once.
//! Leaves: addresses, or the error of the lookup, by return or by a callback.
//! Private: the table of answers and of lookups in progress, the threads of lookups.

pub(crate) mod answer;
mod lookups;
mod resolver;
mod waiter;

pub use resolver::{Names, NamesLimits, is_try_again};
