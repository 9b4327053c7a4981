//! The bell of loom's models: a word in memory instead of a descriptor.
//!
//! Owns: what an eventfd does for threads that sleep until it is readable.
//! Does not own: the real one (`bell.rs`).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::PoisonError;

use loom::sync::{Condvar, Mutex, MutexGuard};

pub(crate) struct Bell {
    is_readable: Mutex<bool>,
    rung: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Waits,
    Fails,
}

impl Bell {
    pub(crate) fn new(_: Reading) -> io::Result<Self> {
        Ok(Self { is_readable: Mutex::new(false), rung: Condvar::new() })
    }

    pub(crate) fn ring(&self) {
        *self.lock() = true;
        self.rung.notify_all();
    }

    pub(crate) fn let_reading_fail(&self) {}

    pub(crate) fn silence(&self) {
        *self.lock() = false;
    }

    /// Sleeps until it is readable, as `poll` does.
    pub(crate) fn wait(&self) {
        let mut is_readable = self.lock();
        while !*is_readable {
            is_readable = self.rung.wait(is_readable).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sleeps until it is readable and takes that away, as a read does.
    pub(crate) fn read(&self) {
        self.wait();
        self.silence();
    }

    pub(crate) fn is_readable(&self) -> bool {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_readable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        unreachable!("the models have no descriptors")
    }
}
