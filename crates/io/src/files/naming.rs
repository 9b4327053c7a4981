//! Giving a staged file its name: by a link from its descriptor, else by a rename, whatever the file system has.
//!
//! | the file system has | a free name is taken by | an existing file is replaced by |
//! |---|---|---|
//! | hard links | a link | a temporary name, then a rename |
//! | no links, `RENAME_NOREPLACE` | that rename | a rename |
//! | neither | a new empty file, which a rename replaces | a rename |
//!
//! Owns: the choice, checking that a name leads to the staged file.
//! Does not own: the order of publishing ([`super::staged`]).
//!
//! Source: linkat(2), renameat2(2).

use std::io;
use std::path::{Path, PathBuf};

use super::identity::StagedIdentity;
use super::metadata::find_features;
use super::staged::Staged;
use super::temporary::temporary_name;
use crate::{Existing, Io, Op, OpenMode, Shortfall, Shortfalls, Stat};

impl Staged {
    /// Gives the file its name. Returns true if that changed its number of links.
    pub(super) async fn publish_as(
        &mut self,
        io: &impl Io,
        path: &Path,
        existing: Existing,
        shortfalls: &mut Shortfalls,
    ) -> io::Result<bool> {
        self.check_name(io, self.temporary.as_deref(), shortfalls).await?;
        let is_unnamed = self.temporary.is_none();
        if !is_unnamed && existing == Existing::Refuse && self.link_named(io, path).await? {
            return Ok(true);
        }
        if is_unnamed {
            match io.done(self.link(path)).await {
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && existing == Existing::Replace => {}
                result => return result.map(|()| true),
            }
            // Only a rename replaces a file, so this one needs a temporary name first.
            let temporary = temporary_name(io, path);
            io.done(self.link(&temporary)).await?;
            self.temporary = Some(temporary);
            self.identity = Some(StagedIdentity::from(&io.stat(&self.file).await?));
        }
        match io.done(self.rename_to(path, existing == Existing::Replace)).await {
            Err(error) if error.kind() == io::ErrorKind::Unsupported && existing == Existing::Refuse => {
                self.rename_over_claim(io, path).await?;
                shortfalls.add(Shortfall::Refusal);
            }
            result => result?,
        }
        self.temporary = None;
        self.check_renamed(io, path, shortfalls).await?;
        Ok(is_unnamed)
    }

    /// Claims the name by a new empty file, which refuses an existing name, and replaces that file.
    async fn rename_over_claim(&self, io: &impl Io, path: &Path) -> io::Result<()> {
        let (directory, name) = (self.directory.as_ref(), self.relative(path));
        drop(io.open(directory, &name, OpenMode::CreateNew).await?);
        let renamed = io.done(self.rename_to(path, true)).await;
        if renamed.is_err() {
            // A second failure leaves an empty file.
            let _ = io.remove(directory, &name).await;
        }
        renamed
    }

    fn rename_to(&self, path: &Path, replace: bool) -> Op {
        let from = self.relative(self.temporary.as_deref().expect("only a name can be renamed"));
        Op::Rename { dir: self.directory.clone(), from, to: self.relative(path), replace }
    }

    /// Names the open file itself, whatever its temporary name leads to now. Returns false if the file system has no
    /// hard links.
    async fn link_named(&mut self, io: &impl Io, path: &Path) -> io::Result<bool> {
        match io.done(self.link(path)).await {
            Ok(()) => {}
            Err(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        // If this fails, the complete file has one name more than it should.
        self.remove_temporary(io).await;
        Ok(true)
    }

    /// The identity of a file that was just made under its temporary name.
    pub(super) async fn identify(&self, io: &impl Io) -> io::Result<StagedIdentity> {
        let identity = StagedIdentity::from(&io.stat(&self.file).await?);
        let named = self.stat_name(io, self.temporary.as_deref().unwrap_or(Path::new(""))).await?;
        if identity.is_of(&named) || !self.may_lack_inode(io).await? {
            return Ok(identity);
        }
        // Nobody else can have exchanged it.
        Ok(identity.unsteady())
    }

    /// Fails if a rename has given the name `path` to another file than this one.
    async fn check_renamed(&self, io: &impl Io, path: &Path, shortfalls: &mut Shortfalls) -> io::Result<()> {
        let Some(identity) = self.identity else { return Ok(()) };
        if identity.is_of_renamed(&self.stat_name(io, path).await?) {
            return Ok(());
        }
        self.check_name(io, Some(path), shortfalls).await
    }

    /// Fails if `path`, which lies in the file's directory, leads to another file than this one.
    async fn check_name(
        &self,
        io: &impl Io,
        path: Option<&Path>,
        shortfalls: &mut Shortfalls,
    ) -> io::Result<()> {
        let (Some(identity), Some(path)) = (self.identity, path) else { return Ok(()) };
        let found = self.stat_name(io, path).await?;
        if identity.is_of(&found) {
            return Ok(());
        }
        // A file that this worker has just completed is recognised without its inode number, where it can't have been
        // exchanged by others.
        let own = io.stat(&self.file).await?;
        if !(own.same_version(&found) && self.may_lack_inode(io).await?) {
            return Err(StagedIdentity::exchanged());
        }
        shortfalls.add(Shortfall::Identity);
        Ok(())
    }

    /// Fails unless `found`, which another process staged, has this `identity`.
    pub(super) async fn check_joined(
        &self,
        io: &impl Io,
        identity: StagedIdentity,
        found: &Stat,
    ) -> io::Result<()> {
        if identity.is_of(found) || identity.may_be_of(found) && self.may_lack_inode(io).await? {
            return Ok(());
        }
        Err(StagedIdentity::exchanged())
    }

    async fn stat_name(&self, io: &impl Io, path: &Path) -> io::Result<Stat> {
        io.stat_at(self.directory.as_ref(), &self.relative(path)).await
    }

    /// Whether the file may be recognised without its inode number: the file system may show other numbers from one
    /// look to the next, and nobody else can exchange names in the directory.
    async fn may_lack_inode(&self, io: &impl Io) -> io::Result<bool> {
        if find_features(io, &self.file).await.steady_inodes {
            return Ok(false);
        }
        let directory = match (&self.directory, &self.temporary) {
            (Some(directory), _) => io.stat(directory.file()).await?,
            (None, Some(temporary)) => io.stat_at(None, &parent(temporary)).await?,
            (None, None) => return Ok(false),
        };
        Ok(directory.is_private_directory())
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}
