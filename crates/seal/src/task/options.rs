//! How the results of file jobs are written.
//!
//! Owns: the options, turning them into a [`Publish`], refusing an existing result early.
//! Does not own: publishing ([`haul_io::Staged`]).

use haul_io::{Access, Durability, Existing, Io, Location, Preserve, Publish, Stat, access_list};
use serde::{Deserialize, Serialize};

use super::pair::stat_at;
use super::source_file::SourceFile;
use crate::error::{During, Error};

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOptions {
    /// What to do if the result exists. Defaults to refusing.
    pub existing: Existing,
    /// Whether each result is flushed to stable storage before its task ends. Defaults to not.
    pub durability: Durability,
    /// Keep the source's permission bits, modification time, access control list and, as far as the user may give files
    /// away, owner and group. Defaults to true.
    pub preserve: bool,
    /// Keep the source's `user.` extended attributes, unencrypted. Defaults to false.
    pub xattrs: bool,
    /// Permission bits of results if the source's aren't kept. Defaults to 0600.
    pub mode: u32,
    /// Permission bits that results don't get from their sources. Defaults to none.
    pub umask: u32,
    /// Leave holes in results for blocks of zeros. Defaults to false.
    pub sparse: bool,
    /// Seal only sources that have no result or changed since it was made, as their modification times and lengths say.
    /// Results that are out of date are replaced, if `existing` allows that. Defaults to false.
    pub update: bool,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            existing: Existing::Refuse,
            durability: Durability::Eventual,
            preserve: true,
            xattrs: false,
            mode: 0o600,
            umask: 0,
            sparse: false,
            update: false,
        }
    }
}

impl FileOptions {
    /// Returns how to publish the result of `source` as `target`.
    pub(crate) async fn publish(
        &self,
        io: &impl Io,
        target: Location<'_>,
        source: &SourceFile,
    ) -> Result<Publish, Error> {
        let mut publish = self.publish_new(target);
        if self.preserve {
            publish.preserve.mode = Some(source.stat.mode & 0o777 & !self.umask);
            publish.preserve.access = Some(access(io, source).await?);
            publish.preserve.modified = Some(source.stat.modified);
        }
        if self.xattrs {
            let attributes = io.attributes(&source.file).await;
            publish.preserve.attributes = attributes.map_err(Error::at(During::Read))?;
        }
        Ok(publish)
    }

    /// Returns how to publish a result that has no source file.
    pub(crate) fn publish_new(&self, target: Location<'_>) -> Publish {
        let preserve = Preserve { mode: Some(self.mode), ..Preserve::default() };
        let FileOptions { existing, durability, sparse, .. } = *self;
        let root_bytes = Some(target.root_bytes());
        Publish { path: target.path().to_owned(), root_bytes, existing, durability, preserve, sparse }
    }

    /// Fails before any work is done if publishing would be refused.
    pub(crate) async fn check_target(&self, io: &impl Io, target: Location<'_>) -> Result<(), Error> {
        if self.existing == Existing::Replace {
            return Ok(());
        }
        match stat_at(io, target).await {
            Ok(_) => Err(Error::Exists),
            Err(error) if haul_io::is_link_in_the_way(&error) => Err(Error::at(During::Create)(error)),
            Err(_) => Ok(()),
        }
    }
}

/// The owner, group and access control list of `source`.
async fn access(io: &impl Io, source: &SourceFile) -> Result<Access, Error> {
    let Stat { owner, group, mode, .. } = source.stat;
    // The group bits are the list's mask: without them, no entry of a list allows anything.
    let list = match mode & 0o070 {
        0 => None,
        _ => access_list(io, &source.file).await.map_err(Error::at(During::Read))?,
    };
    Ok(Access { owner, group, list })
}
