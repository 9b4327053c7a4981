//! The program `haul` and other programs, run as processes of their own.
//!
//! Enters: a program, its arguments, its environment and a deadline.
//! Leaves: exit status, both output streams, the comparison with a golden file.
//! Private to this room: processes and pipes; none outlives its test.

pub(crate) mod fresh_project;
pub(crate) mod golden;
pub(crate) mod haul;
pub(crate) mod island;
mod json_lines;
pub(crate) mod limits;
pub(crate) mod peer;
pub(crate) mod plugin;
pub(crate) mod terminal;
pub(crate) mod watched;
