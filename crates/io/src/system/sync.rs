//! The façade over what the protocols of waking are made of: the real primitives, or those of loom (`--cfg loom`).
//!
//! Owns: choosing between them.
//! Does not own: any protocol ([`super::cancel`], `uring/ring/park.rs`).

#[cfg(loom)]
pub(crate) use loom::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32},
    },
    thread::{Thread, ThreadId, current},
};
#[cfg(not(loom))]
pub(crate) use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32},
    },
    thread::{Thread, ThreadId, current},
};

pub(crate) use std::sync::atomic::Ordering;
