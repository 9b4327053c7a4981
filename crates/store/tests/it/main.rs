//! The crate by its public interface, against a fake store with scripted faults and against SeaweedFS.
//!
//! Owns: the rooms: the fake and its faults, the real store.
//! Does not own: tests of single files, which lie beside them.

mod assembly;
mod credentials;
mod fake;
mod faults;
mod reading;
mod seaweed;
mod writing;
