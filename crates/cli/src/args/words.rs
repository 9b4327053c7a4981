//! The words of the command line before they are parsed.
//!
//! In: what the user typed. Out: the words in the order that the grammar wants; hints about words of other programs.

pub(crate) mod foreign;
pub(crate) mod order;
