//! The machinery of a run: the process's environment, the engine, signals, worker processes.
//!
//! In: resolved options, a job and its source. Out: an exit code. The environment (variables, terminals, umask, core
//! count) is read here and nowhere else, and reaches the plans as an [`environment::Environment`].

pub(crate) mod arguments;
pub(crate) mod descriptors;
pub(crate) mod device;
pub(crate) mod engine_choice;
pub(crate) mod environment;
pub(crate) mod options;
pub(crate) mod own_file;
pub(crate) mod plan;
pub(crate) mod probe;
pub(crate) mod random;
pub(crate) mod reporting;
pub(crate) mod short_file;
pub(crate) mod signals;
mod sync_cost;
pub(crate) mod workers;
