//! The voice of the program: messages, JSON lines, progress, statistics and the exit code.
//!
//! In: what happened, as events, counts and descriptions. Out: lines on stdout and stderr, and an [`exit::Exit`].
//! Nothing outside this room writes to stdout or stderr, except the bytes of data streams.

pub(crate) mod describe;
pub(crate) mod dry_run;
pub(crate) mod ending;
pub(crate) mod exit;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod redaction;
pub(crate) mod reporter;
pub(crate) mod shortfalls;
pub(crate) mod stats;
pub(crate) mod text;
pub(crate) mod text_only;
pub(crate) mod trace;
pub(crate) mod usage;
pub(crate) mod voice;
