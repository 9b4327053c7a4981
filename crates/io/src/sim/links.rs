//! Symbolic links and moved directories in the simulated file system.
//!
//! Owns: resolving names, moving the content of a directory along with it.
//! Does not own: operations on what a name leads to.

use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::files::{Files, Node, normal};
use crate::{Directory, FileKind};

/// The number of links after which a name counts as a loop: path_resolution(7).
const LINKS_MAX: usize = 40;

impl Files {
    /// Makes a symbolic link. `target` is relative to its directory, or to the root if it begins with a slash.
    pub fn put_link(&mut self, path: impl AsRef<Path>, target: impl AsRef<Path>) {
        let path = normal(path.as_ref());
        self.add(Node::Symlink(target.as_ref().to_owned()), Some(&path));
        self.sync_names();
    }

    /// Renames a file or directory, with all that is in it. Open handles stay valid.
    ///
    /// # Panics
    /// If there is no such name.
    pub fn shift(&mut self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let (from, to) = (normal(from.as_ref()), normal(to.as_ref()));
        assert!(self.names.contains_key(&from), "no such name: {from:?}");
        let moved = |path: PathBuf| match path.strip_prefix(&from) {
            Ok(rest) if rest.as_os_str().is_empty() => to.clone(),
            Ok(rest) => to.join(rest),
            Err(_) => path,
        };
        self.names =
            std::mem::take(&mut self.names).into_iter().map(|(path, node)| (moved(path), node)).collect();
        for node in self.nodes.values_mut() {
            if let Node::Directory(path) = node {
                *path = moved(std::mem::take(path));
            }
        }
        self.sync_names();
    }

    /// Resolves `path` from `dir`. `follow` applies to a link in the last component.
    pub(super) fn resolve(&self, dir: Option<Directory>, path: &Path, follow: bool) -> io::Result<PathBuf> {
        let mut resolved = match dir.map(|dir| &self.nodes[&dir.file().0.simulated()]) {
            Some(Node::Directory(base)) if !path.is_absolute() => base.clone(),
            Some(Node::Directory(_)) | None => PathBuf::new(),
            Some(_) => panic!("a handle that is no directory was given as one"),
        };
        let mut rest: Vec<Component<'_>> = path.components().rev().collect();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            match part {
                Component::ParentDir => drop(resolved.pop()),
                Component::Normal(name) => resolved.push(name),
                Component::RootDir => resolved.clear(),
                _ => {}
            }
            match self.names.get(&resolved).map(|node| &self.nodes[node]) {
                Some(Node::Symlink(target)) if follow || !rest.is_empty() => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(Errno::LOOP.into());
                    }
                    resolved.pop();
                    rest.extend(target.components().rev());
                }
                Some(Node::Regular(_)) if !rest.is_empty() => return Err(ErrorKind::NotADirectory.into()),
                _ => {}
            }
        }
        Ok(resolved)
    }

    /// The type of a node.
    pub(super) fn kind(&self, node: u64) -> FileKind {
        match &self.nodes[&node] {
            Node::Directory(_) => FileKind::Directory,
            Node::Symlink(_) => FileKind::Symlink,
            Node::Regular(_) => FileKind::Regular,
        }
    }
}
