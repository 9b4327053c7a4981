//! The checker: what lies on the disk and what the run said, judged without haul's own code.
//!
//! Trees, exit codes and JSON lines enter; `Fault`s leave. It reads sealed files with the crate `age` and hashes with
//! `sha2`; nothing here may import a crate of this workspace.

pub(crate) mod report;
pub(crate) mod sealed;
pub(crate) mod tree;
