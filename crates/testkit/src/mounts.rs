//! File systems that tests mount, and what is wrong with some of them.
//!
//! Enters: a kind of file system.
//! Leaves: a directory on it, for as long as the fixture lives.
//! Private to this room: loop devices, helper programs, the FUSE session.

pub(crate) mod faulty;
pub(crate) mod mount;
