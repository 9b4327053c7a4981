//! Where the shards of a run are: in a directory, or below the prefix of a bucket.
//!
//! Owns: finding and reading shards that exist, removing what killed runs left.
//! Does not own: their names ([`super::plan`]), objects ([`super::bucket`]).

use std::fs;
use std::io::{self, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use haul_io::{Blocking, Cancel, Location, run_ready};
use haul_pack::{Member, Place, ShardStore};
use haul_seal::{Error, Identity, SealedFile};
use haul_store::Store;

use super::bucket::ShardBucket;
use super::index::{for_each_member, is_age_file, read_error};
use super::names::PREFIX;
use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::own_file::open_own;

/// A published shard, to be read.
pub(super) trait ShardReader: Read + Seek {}

impl<T: Read + Seek> ShardReader for T {}

#[derive(Clone)]
pub(super) enum Home {
    Directory(PathBuf),
    Bucket(ShardBucket),
}

impl Home {
    /// The directory, or, if there is a store, the bucket that it is the address of.
    ///
    /// # Errors
    /// If the store can't be used.
    pub(super) fn open(directory: &Path, store: Option<Store>, voice: &Voice) -> Result<Self, Problem> {
        match store {
            Some(store) => Ok(Self::Bucket(ShardBucket::open(store, directory, voice)?)),
            None => Ok(Self::Directory(directory.to_owned())),
        }
    }

    /// What messages call the shard `name`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Directory(directory) => directory.join(name),
            Self::Bucket(bucket) => bucket.path(name),
        }
    }

    /// The names of the shards that exist, in their order. `is_shard` tells by a name.
    ///
    /// # Errors
    /// If they can't be listed.
    pub(super) fn names(&self, is_shard: impl Fn(&str) -> bool) -> Result<Vec<String>, Problem> {
        let mut names = match self {
            Self::Directory(directory) => names_in(directory, is_shard).map_err(|error| {
                let reason = haul_io::reason(&error);
                Problem::usage(format!("cannot read the directory {}: {reason}", quoted(directory)))
            })?,
            Self::Bucket(bucket) => bucket.names(is_shard)?,
        };
        names.sort();
        Ok(names)
    }

    /// Calls `each` for the members of the shard `name`.
    ///
    /// # Errors
    /// If its index can't be read, or another user may have written it.
    pub(super) fn read_members(
        &self,
        name: &str,
        identities: &[Identity],
        each: impl FnMut(Member),
    ) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => {
                read_members(open_own(&directory.join(name)).map_err(read_error)?, identities, each)
            }
            Self::Bucket(bucket) => read_members(bucket.read(name)?, identities, each),
        }
    }

    /// What is called `name`; `None` if there is nothing.
    ///
    /// # Errors
    /// If it can't be opened, or another user may have written it.
    pub(super) fn open_shard(&self, name: &str) -> io::Result<Option<Box<dyn ShardReader>>> {
        match self {
            Self::Directory(directory) => match open_own(&directory.join(name)) {
                Ok(file) => Ok(Some(Box::new(file))),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
            Self::Bucket(bucket) => {
                Ok(bucket.find(name)?.map(|object| Box::new(object) as Box<dyn ShardReader>))
            }
        }
    }

    /// Removes what killed runs left of shards. `is_ours` tells by a name.
    ///
    /// # Errors
    /// If the store can't be used.
    pub(super) fn sweep(&self, is_ours: impl Fn(&str) -> bool) -> Result<(), Problem> {
        self.sweep_files()?;
        self.sweep_uploads(is_ours)
    }

    /// Removes what killed runs left in a directory.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) fn sweep_files(&self) -> Result<(), Problem> {
        // A file in the making isn't called after its shard.
        if let Self::Directory(directory) = self {
            let beside = directory.join(PREFIX);
            run_ready(haul_io::sweep(&Blocking::new(Cancel::new()?), Location::named(&beside)));
        }
        Ok(())
    }

    /// Removes what killed runs left in a bucket of the shards that `is_ours` knows by their names.
    ///
    /// # Errors
    /// If the store can't be used.
    pub(super) fn sweep_uploads(&self, is_ours: impl Fn(&str) -> bool) -> Result<(), Problem> {
        match self {
            Self::Directory(_) => Ok(()),
            Self::Bucket(bucket) => bucket.sweep(is_ours),
        }
    }

    pub(super) fn into_place(self) -> Place {
        match self {
            Self::Directory(directory) => Place::Directory(directory),
            Self::Bucket(bucket) => {
                Place::Store { store: Arc::new(bucket), spill_directory: std::env::temp_dir() }
            }
        }
    }
}

fn names_in(directory: &Path, is_shard: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok().filter(|name| is_shard(name)));
    }
    Ok(names)
}

fn read_members(
    mut shard: impl Read + Seek + Send,
    identities: &[Identity],
    each: impl FnMut(Member),
) -> Result<(), Error> {
    if is_age_file(&mut shard)? {
        for_each_member(&mut SealedFile::open(shard, identities)?, each)
    } else {
        for_each_member(&mut shard, each)
    }
}
