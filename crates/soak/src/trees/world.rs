//! The tree of a step and its known state.
//!
//! Owns: making both.
//! Does not own: runs on the tree (see `runs`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::choice::Choice;
use crate::fault::Checked;
use crate::tally::Tally;
use crate::world::disk::{Disk, Kind};
use crate::world::model::{Content, State};
use crate::world::setup::{self, Originals, Setup};

/// The tree of a step.
pub(crate) struct TreeWorld<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) disk: Disk,
    pub(crate) root: PathBuf,
    pub(crate) originals: Originals,
    pub(crate) states: BTreeMap<PathBuf, State>,
}

impl<'a> TreeWorld<'a> {
    /// Makes the file system and the tree.
    pub(crate) fn make(setup: &'a Setup, choice: &mut Choice, tally: &mut Tally) -> Checked<Self> {
        let disk = Disk::make(Kind::choose(choice), &setup.dir)?;
        tally.one(format!("file systems: {:?}", disk.kind));
        let root = disk.root.join("work");
        let originals = setup::originals(choice);
        tally.many("files made", originals.len() as u64);
        setup::write(&originals, &root)?;
        let plain = State { plain: Some(Content::Plain), sealed: None };
        let states = originals.keys().map(|name| (name.clone(), plain)).collect();
        Ok(Self { setup, disk, root, originals, states })
    }
}
