//! Symbolic links, and directories that change their place, in the simulated file system.
//!
//! Owns: where a name leads, moving what lies in a directory along with it.
//! Does not own: what is done there.

use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::files::{Files, Node, normal};
use crate::{Directory, FileKind};

/// A name that takes more links than that is a loop: path_resolution(7).
const LINKS_MAX: usize = 40;

impl Files {
    /// Makes a symbolic link, whose `target` is relative to its directory, or to the root where it begins with a slash.
    pub fn put_link(&mut self, path: impl AsRef<Path>, target: impl AsRef<Path>) {
        let path = normal(path.as_ref());
        self.add(Node::Symlink(target.as_ref().to_owned()), Some(&path));
        self.sync_names();
    }

    /// Gives a file or directory another name, with all that is in it. Whoever holds it open still has it.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn shift(&mut self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let (from, to) = (normal(from.as_ref()), normal(to.as_ref()));
        assert!(self.names.contains_key(&from), "there is no {from:?}");
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

    /// Where `path` leads, as seen from `dir`, with the link in its last component followed or not.
    pub(super) fn resolve(&self, dir: Option<Directory>, path: &Path, follow: bool) -> io::Result<PathBuf> {
        let mut way = match dir.map(|dir| &self.nodes[&dir.file().0.simulated()]) {
            Some(Node::Directory(base)) if !path.is_absolute() => base.clone(),
            Some(Node::Directory(_)) | None => PathBuf::new(),
            Some(_) => panic!("what is no directory was given as one"),
        };
        let mut rest: Vec<Component<'_>> = path.components().rev().collect();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            match part {
                Component::ParentDir => drop(way.pop()),
                Component::Normal(name) => way.push(name),
                Component::RootDir => way.clear(),
                _ => {}
            }
            match self.names.get(&way).map(|node| &self.nodes[node]) {
                Some(Node::Symlink(target)) if follow || !rest.is_empty() => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(Errno::LOOP.into());
                    }
                    way.pop();
                    rest.extend(target.components().rev());
                }
                Some(Node::Regular(_)) if !rest.is_empty() => return Err(ErrorKind::NotADirectory.into()),
                _ => {}
            }
        }
        Ok(way)
    }

    /// The kind of what a node is.
    pub(super) fn kind(&self, node: u64) -> FileKind {
        match &self.nodes[&node] {
            Node::Directory(_) => FileKind::Directory,
            Node::Symlink(_) => FileKind::Symlink,
            Node::Regular(_) => FileKind::Regular,
        }
    }
}
