//! What the three jobs on trees have in common, and what sets them apart.
//!
//! Owns: making each job from its keys, the tasks of each.
//! Does not own: running them ([`super::run`]).

use haul_age_format::{Identity, Recipient};
use haul_engine::{Job, Source};
use haul_io::Blocking;

use super::error::TreeError;
use crate::error::Error;
use crate::jobs::{OpenJob, SealJob, VerifyJob};
use crate::plugin::KeyRequest;
use crate::task::{FileOptions, Outcome, Task};
use crate::walk::{Direction, Walk};

/// A job on trees: [`SealJob`], [`OpenJob`] or [`VerifyJob`].
pub trait TreeJob: Job<Task = Task, Output = Outcome, Error = Error> + Sized {
    /// What it seals to, or opens with.
    type Key;
    /// How it names results.
    const DIRECTION: Direction;
    /// Whether a run without files is an error.
    const NEEDS_FILES: bool = false;

    /// Makes the job.
    ///
    /// # Errors
    /// If the keys can't be combined.
    fn make(keys: Vec<Self::Key>, options: &FileOptions, armored: bool) -> Result<Self, TreeError>;

    /// What plugins are asked for.
    fn plugin_request(&self, random: &mut dyn FnMut(&mut [u8])) -> KeyRequest;

    /// The tasks of `walk`, with results. `io` makes directories and removes leftovers.
    ///
    /// # Errors
    /// If the names of results don't fit the inputs.
    fn tasks(
        walk: Walk,
        options: &FileOptions,
        io: impl Fn() -> Blocking,
    ) -> Result<impl Source<Task> + 'static, TreeError> {
        Ok(walk.publishing(options.existing)?.sweeping(io()).mirroring(io(), options))
    }
}

/// A [`TreeJob`] with results.
pub trait WritingJob: TreeJob {}

impl WritingJob for SealJob {}
impl WritingJob for OpenJob {}

impl TreeJob for SealJob {
    type Key = Recipient;
    const DIRECTION: Direction = Direction::Seal;

    fn make(keys: Vec<Recipient>, options: &FileOptions, armored: bool) -> Result<Self, TreeError> {
        Ok(Self::new(keys, *options).map_err(TreeError::Recipients)?.armored(armored))
    }

    fn plugin_request(&self, random: &mut dyn FnMut(&mut [u8])) -> KeyRequest {
        self.key_request(random)
    }
}

impl TreeJob for OpenJob {
    type Key = Identity;
    const DIRECTION: Direction = Direction::Open;

    fn make(keys: Vec<Identity>, options: &FileOptions, _: bool) -> Result<Self, TreeError> {
        Ok(Self::new(keys, *options))
    }

    fn plugin_request(&self, random: &mut dyn FnMut(&mut [u8])) -> KeyRequest {
        self.key_request(random)
    }
}

impl TreeJob for VerifyJob {
    type Key = Identity;
    const DIRECTION: Direction = Direction::Open;
    const NEEDS_FILES: bool = true;

    fn make(keys: Vec<Identity>, _: &FileOptions, _: bool) -> Result<Self, TreeError> {
        Ok(Self::new(keys))
    }

    fn plugin_request(&self, random: &mut dyn FnMut(&mut [u8])) -> KeyRequest {
        self.key_request(random)
    }

    fn tasks(
        walk: Walk,
        _: &FileOptions,
        _: impl Fn() -> Blocking,
    ) -> Result<impl Source<Task> + 'static, TreeError> {
        Ok(walk.to_check())
    }
}
