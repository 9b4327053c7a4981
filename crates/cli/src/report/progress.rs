//! The progress of a run, on stderr.
//!
//! In: events of a run ([`Progress::tell`]) and its count of bytes. Out: a line on a terminal, or a few with `-v`; a
//! plain line every few seconds where no cursor can be moved. The [`state`] is a fold over events and needs no clock of
//! its own; the [`view`] makes text of it for a width; only the [`screen`] touches a terminal. Nobody outside draws.
//!
//! Not `indicatif`: several lines, rates over a moving window, totals that grow and a clock of the tests' own would all
//! be written beside it, and only its cursor movements would be left to it.

mod rate;
mod screen;
mod source;
mod state;
mod view;

pub(crate) use self::screen::{Progress, ProgressForm, Screen};
pub(crate) use self::source::Counted;
pub(crate) use self::state::{ProgressEvent, Wait};
