//! The uploads room: results that go to another place than this machine's files, such as an object store.
//!
//! A job must not block its thread, which may be that of a ring with many jobs, and an [`Uploader`] does. So threads of
//! this room call it ([`offload`]), and the job waits for a signal.
//!
//! Enters: the bytes of a result, in order or in parts.
//! Leaves: a result that appears whole, or nothing.
//! Not to be touched from outside: the threads, the permits for parts.

pub(crate) mod checked;
pub(crate) mod offload;
pub(crate) mod part;
mod permits;
mod running;
mod signal;
pub(crate) mod sink;
pub(crate) mod tools;
pub(crate) mod uploader;
