//! The simulated file system.
//!
//! Owns: names, contents, and which of them survive a power cut.
//! Does not own: time, injected faults.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::random::Random;
use crate::values::handle::Descriptor;
use crate::{Attributes, Buf, Completion, Features, File, FileKind, Offset, Op, OpenMode, Stat, Value};

/// The features of every directory in a simulation.
const SIMULATED: Features = Features { inherits_list: false, reports_at_close: false, steady_inodes: true };

/// A file system of regular files, directories and symbolic links. Names are relative to its root.
#[derive(Clone, Default)]
pub struct Files {
    pub(super) nodes: BTreeMap<u64, Node>,
    /// Every name except the root's, which is the empty path.
    pub(super) names: BTreeMap<PathBuf, u64>,
    /// The names as of the last sync of their directory.
    synced_names: BTreeMap<PathBuf, u64>,
    next_node: u64,
    /// The file system is full when its contents would exceed this.
    pub capacity_bytes: Option<u64>,
    /// Whether making files without a name (`O_TMPFILE`) fails.
    pub refuse_unnamed: bool,
    /// Whether setting extended attributes fails.
    pub refuse_attributes: bool,
    /// Whether sharing blocks fails.
    pub refuse_clones: bool,
}

#[derive(Clone)]
pub(super) enum Node {
    /// Its current name.
    Directory(PathBuf),
    Symlink(PathBuf),
    Regular(Regular),
}

#[derive(Clone, Default)]
pub(super) struct Regular {
    content: Vec<u8>,
    /// The content as of the last sync.
    synced: Option<Vec<u8>>,
    mode: u32,
    modified: (i64, u32),
    change_count: u32,
    attributes: BTreeMap<OsString, Vec<u8>>,
}

impl Files {
    /// Makes a file with `content`, and its directories, all of it synced.
    pub fn put(&mut self, path: impl AsRef<Path>, content: &[u8]) {
        let path = normal(path.as_ref());
        let directories: Vec<_> = path.ancestors().skip(1).filter(|dir| !is_root(dir)).collect();
        for directory in directories.into_iter().rev() {
            if !self.names.contains_key(directory) {
                self.add(Node::Directory(directory.to_owned()), Some(directory));
            }
        }
        let synced = Some(content.to_vec());
        self.add(
            Node::Regular(Regular { content: content.to_vec(), synced, ..Regular::default() }),
            Some(&path),
        );
        self.sync_names();
    }

    /// Makes the names as they are now survive a power cut.
    pub(super) fn sync_names(&mut self) {
        self.synced_names = self.names.clone();
    }

    /// The content of a file, if there is one of that name.
    pub fn get(&self, path: impl AsRef<Path>) -> Option<&[u8]> {
        match &self.nodes[self.names.get(&normal(path.as_ref()))?] {
            Node::Regular(regular) => Some(&regular.content),
            _ => None,
        }
    }

    /// Replaces the content of a file, if there is one of that name, for open handles too.
    pub fn rewrite(&mut self, path: impl AsRef<Path>, content: &[u8]) {
        if let Some(node) = self.names.get(&normal(path.as_ref()))
            && let Some(Node::Regular(regular)) = self.nodes.get_mut(node)
        {
            regular.content = content.to_vec();
            regular.change_count += 1;
        }
    }

    /// Sets an extended attribute of a file, if there is one of that name.
    pub fn put_attribute(&mut self, path: impl AsRef<Path>, name: &str, value: &[u8]) {
        if let Some(node) = self.names.get(&normal(path.as_ref()))
            && let Some(Node::Regular(regular)) = self.nodes.get_mut(node)
        {
            regular.attributes.insert(name.into(), value.to_vec());
        }
    }

    /// An extended attribute of a file.
    pub fn attribute(&self, path: impl AsRef<Path>, name: &str) -> Option<&[u8]> {
        match &self.nodes[self.names.get(&normal(path.as_ref()))?] {
            Node::Regular(regular) => regular.attributes.get(OsStr::new(name)).map(Vec::as_slice),
            _ => None,
        }
    }

    /// Every name, directories too, in order.
    pub fn names(&self) -> Vec<&Path> {
        self.names.keys().map(PathBuf::as_path).collect()
    }

    pub(super) fn after_power_cut(&self, random: &mut Random) -> Files {
        let mut left = self.clone();
        left.names = self.synced_names.clone();
        for path in self.names.keys().chain(self.synced_names.keys()) {
            if self.names.get(path) != self.synced_names.get(path) && random.below(2) == 0 {
                match self.names.get(path) {
                    Some(node) => left.names.insert(path.clone(), *node),
                    None => left.names.remove(path),
                };
            }
        }
        for node in left.nodes.values_mut() {
            if let Node::Regular(regular) = node
                && regular.synced.as_ref() != Some(&regular.content)
                && random.below(2) == 0
            {
                let torn = random.below(regular.content.len() as u64 + 1) as usize;
                regular.content.truncate(torn);
                if let Some(synced) = &regular.synced {
                    regular.content = synced.clone();
                }
            }
        }
        left.synced_names = left.names.clone();
        left
    }

    pub(super) fn perform(&mut self, op: Op, random: &mut Random) -> Completion {
        match op {
            Op::ReadAt { file, mut buf, bytes_max, offset } => {
                let result = self.read(&file, &mut buf, bytes_max, offset, random);
                Completion::counted(result, buf)
            }
            Op::WriteAt { file, buf, offset } => {
                let result = self.write(&file, buf.filled(), offset, random);
                Completion::counted(result, buf)
            }
            op => Completion::new(self.perform_unbuffered(op)),
        }
    }

    fn perform_unbuffered(&mut self, op: Op) -> io::Result<Value> {
        match op {
            Op::Open { dir, path, mode } => {
                self.open(&self.resolve(dir, &path, follows(mode))?, mode).map(Value::File)
            }
            Op::Stat { file } => Ok(Value::Stat(self.stat(file.0.simulated()))),
            Op::StatAt { dir, path } => {
                let node = self.find(&self.resolve(dir, &path, false)?)?;
                Ok(Value::Stat(self.stat(node)))
            }
            Op::Allocate { file, bytes } | Op::SetLength { file, bytes } => {
                let length = usize::try_from(bytes).map_err(io::Error::other)?;
                self.resize(&file, length)?;
                Ok(Value::Done)
            }
            Op::CloneFile { source, file } => self.clone_file(&source, &file),
            Op::SetMode { file, mode } => self.change(&file, |regular| regular.mode = mode),
            Op::SetModified { file, modified } => self.change(&file, |regular| regular.modified = modified),
            Op::Attributes { file } => {
                let mut found = Attributes::default();
                for (name, value) in &self.regular(&file)?.attributes {
                    found.add(name.as_encoded_bytes(), value);
                }
                Ok(Value::Attributes(found))
            }
            Op::SetAttribute { .. } if self.refuse_attributes => Err(ErrorKind::Unsupported.into()),
            Op::SetAttribute { file, name, value } => {
                self.change(&file, |regular| drop(regular.attributes.insert(name, value)))
            }
            Op::Attribute { file, name } => {
                Ok(Value::Attribute(self.regular(&file)?.attributes.get(&name).cloned()))
            }
            Op::SetOwner { .. } | Op::Flush { .. } | Op::DropBehind { .. } => Ok(Value::Done),
            Op::SpareCache { .. } | Op::StoresLinks { .. } => Ok(Value::Flag(false)),
            Op::Features { .. } => Ok(Value::Features(SIMULATED)),
            Op::Sync { file } => {
                self.sync(file.0.simulated());
                Ok(Value::Done)
            }
            Op::Link { file, dir, path } => {
                let path = self.resolve(dir, &path, false)?;
                self.name(file.0.simulated(), path, false)
            }
            Op::Rename { dir, from, to, replace } => {
                let from = self.resolve(dir.clone(), &from, false)?;
                let to = self.resolve(dir, &to, false)?;
                let node = self.find(&from)?;
                self.name(node, to, replace)?;
                self.names.remove(&from);
                Ok(Value::Done)
            }
            Op::Remove { dir, path } => {
                let path = self.resolve(dir, &path, false)?;
                self.names.remove(&path).map(|_| Value::Done).ok_or_else(|| ErrorKind::NotFound.into())
            }
            Op::MakeDirectory { dir, path, .. } => {
                let path = self.resolve(dir, &path, false)?;
                self.check_free(&path)?;
                self.add(Node::Directory(path.clone()), Some(&path));
                Ok(Value::Done)
            }
            other => unreachable!("not an operation on files: {other:?}"),
        }
    }

    fn open(&mut self, path: &Path, mode: OpenMode) -> io::Result<File> {
        let private = || Node::Regular(Regular { mode: 0o600, ..Regular::default() });
        let node = match mode {
            OpenMode::Read { .. } | OpenMode::ReadWrite { .. } | OpenMode::Locked | OpenMode::Staged => {
                match self.find(path)? {
                    node if self.kind(node) == FileKind::Symlink => return Err(Errno::LOOP.into()),
                    node => node,
                }
            }
            OpenMode::Directory | OpenMode::Anchor { .. } if is_root(path) => {
                self.add(Node::Directory(PathBuf::new()), None)
            }
            OpenMode::Directory | OpenMode::Anchor { .. } => match self.find(path)? {
                node if matches!(self.nodes[&node], Node::Directory(_)) => node,
                _ => return Err(ErrorKind::NotADirectory.into()),
            },
            OpenMode::Unnamed if self.refuse_unnamed => {
                return Err(Errno::OPNOTSUPP.into());
            }
            OpenMode::Unnamed if !is_root(path) && !self.names.contains_key(path) => {
                return Err(ErrorKind::NotFound.into());
            }
            OpenMode::Unnamed => self.add(private(), None),
            OpenMode::CreateNew => {
                self.check_free(path)?;
                self.add(private(), Some(path))
            }
        };
        Ok(File(Descriptor::Simulated(node).into()))
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Checks that `path` is free and that its directory exists.
    fn check_free(&self, path: &Path) -> io::Result<()> {
        if self.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        match path.parent() {
            Some(parent) if !is_root(parent) => self.find(parent).map(|_| ()),
            _ => Ok(()),
        }
    }

    pub(super) fn add(&mut self, node: Node, path: Option<&Path>) -> u64 {
        self.next_node += 1;
        self.nodes.insert(self.next_node, node);
        if let Some(path) = path {
            self.names.insert(path.to_owned(), self.next_node);
        }
        self.next_node
    }

    fn name(&mut self, node: u64, path: PathBuf, replace: bool) -> io::Result<Value> {
        if !(replace && self.names.contains_key(&path)) {
            self.check_free(&path)?;
        }
        self.names.insert(path, node);
        Ok(Value::Done)
    }

    fn regular(&mut self, file: &File) -> io::Result<&mut Regular> {
        match self.nodes.get_mut(&file.0.simulated()) {
            Some(Node::Regular(regular)) => Ok(regular),
            _ => Err(ErrorKind::IsADirectory.into()),
        }
    }

    fn change(&mut self, file: &File, change: impl FnOnce(&mut Regular)) -> io::Result<Value> {
        let regular = self.regular(file)?;
        change(regular);
        regular.change_count += 1;
        Ok(Value::Done)
    }

    fn read(
        &mut self,
        file: &File,
        buf: &mut Buf,
        bytes_max: usize,
        offset: Offset,
        random: &mut Random,
    ) -> io::Result<usize> {
        let from = offset_of(offset)?;
        let content = &self.regular(file)?.content;
        let rest = content.get(from..).unwrap_or_default();
        let count = random.short(rest.len().min(bytes_max));
        buf.append(&rest[..count]);
        Ok(count)
    }

    fn write(&mut self, file: &File, bytes: &[u8], offset: Offset, random: &mut Random) -> io::Result<usize> {
        let from = offset_of(offset)?;
        let count = random.short(bytes.len());
        let end = from + count;
        if end > self.regular(file)?.content.len() {
            self.resize(file, end)?;
        }
        self.change(file, |regular| regular.content[from..end].copy_from_slice(&bytes[..count]))?;
        Ok(count)
    }

    /// Writes all of `bytes`.
    pub(super) fn write_whole(
        &mut self,
        file: &File,
        mut bytes: &[u8],
        mut offset: u64,
        random: &mut Random,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.write(file, bytes, Offset::At(offset), random)?;
            bytes = &bytes[count..];
            offset += count as u64;
        }
        Ok(())
    }

    fn clone_file(&mut self, source: &File, file: &File) -> io::Result<Value> {
        if self.refuse_clones {
            return Err(Errno::OPNOTSUPP.into());
        }
        let content = self.regular(source)?.content.clone();
        self.resize(file, content.len())?;
        self.change(file, |regular| regular.content = content)
    }

    fn resize(&mut self, file: &File, length: usize) -> io::Result<()> {
        let others: usize = self.names.values().map(|node| self.length(*node)).sum();
        let own = self.length(file.0.simulated());
        if self.capacity_bytes.is_some_and(|capacity| (others + length.saturating_sub(own)) as u64 > capacity)
        {
            return Err(ErrorKind::StorageFull.into());
        }
        self.regular(file)?.content.resize(length, 0);
        Ok(())
    }

    fn length(&self, node: u64) -> usize {
        match &self.nodes[&node] {
            Node::Regular(regular) => regular.content.len(),
            _ => 0,
        }
    }

    fn sync(&mut self, node: u64) {
        match self.nodes.get_mut(&node).expect("nodes are never removed") {
            Node::Regular(regular) => regular.synced = Some(regular.content.clone()),
            Node::Symlink(_) => {}
            Node::Directory(directory) => {
                let inside = |path: &Path| path.parent() == Some(directory.as_path());
                self.synced_names.retain(|path, _| !inside(path));
                let now = self.names.iter().filter(|(path, _)| inside(path));
                self.synced_names.extend(now.map(|(path, node)| (path.clone(), *node)));
            }
        }
    }

    fn stat(&self, node: u64) -> Stat {
        let regular = match &self.nodes[&node] {
            Node::Regular(regular) => regular.clone(),
            _ => Regular::default(),
        };
        Stat {
            kind: self.kind(node),
            bytes: regular.content.len() as u64,
            mode: regular.mode,
            modified: regular.modified,
            changed: (0, regular.change_count),
            device: 1,
            inode: node,
            links: self.names.values().filter(|named| **named == node).count() as u64,
            owner: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        }
    }
}

fn offset_of(offset: Offset) -> io::Result<usize> {
    match offset {
        Offset::At(offset) => usize::try_from(offset).map_err(io::Error::other),
        Offset::Stream => Err(io::Error::new(ErrorKind::Unsupported, "the simulation has no streams")),
    }
}

/// `path` without its root and `.` components.
pub(super) fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir)).collect()
}

fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty()
}
/// Whether a link at the end of the name is followed.
fn follows(mode: OpenMode) -> bool {
    let (read, anchor) = (OpenMode::Read { follow: true }, OpenMode::Anchor { follow: true });
    [read, anchor, OpenMode::Directory, OpenMode::Unnamed].contains(&mode)
}
