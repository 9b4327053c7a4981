//! A FUSE file system in memory that refuses or ignores what many real ones do.
//!
//! Owns: names, contents and metadata; the faults.
//! Does not own: mounting (see [`super::mount`]).

mod operations;

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{Errno, FileAttr, FileType, FopenFlags, INodeNo, Request};

/// What the file system does wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Hard links are refused.
    pub no_links: bool,
    /// `RENAME_NOREPLACE` is refused.
    pub no_noreplace: bool,
    /// Changes of permission bits and owners are refused.
    pub no_modes: bool,
    /// Changes of times are refused.
    pub no_times: bool,
    /// Every look at a file shows another inode number.
    pub changing_inodes: bool,
    /// Names that differ in case only are the same.
    pub ignores_case: bool,
    /// Files seem to be empty.
    pub no_lengths: bool,
    /// Closing a file that was written reports a full disk.
    pub full_at_close: bool,
}

/// The file system.
#[derive(Debug)]
pub(super) struct FaultyFiles {
    faults: Faults,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    nodes: HashMap<u64, Node>,
    /// The number of nodes made, and of looks at files.
    made: u64,
    looks: u64,
    /// The entries of open directories, as they were when they were opened.
    listings: HashMap<u64, Vec<(OsString, u64)>>,
}

#[derive(Debug)]
struct Node {
    content: Content,
    mode: u32,
    owner: (u32, u32),
    links: u32,
    modified: SystemTime,
    changed: SystemTime,
    /// Whether its content was written.
    is_written: bool,
}

#[derive(Debug)]
enum Content {
    Directory(BTreeMap<OsString, u64>),
    File(Vec<u8>),
}

/// Nothing is cached, so that each look reaches the file system.
const TTL: Duration = Duration::ZERO;
/// Apart from all node numbers.
const FIRST_LOOK: u64 = 1 << 32;

impl FaultyFiles {
    pub(super) fn new(faults: Faults) -> Self {
        let (nodes, listings) = (HashMap::new(), HashMap::new());
        let mut state = State { nodes, made: 0, looks: FIRST_LOOK, listings };
        let root = state.make(Content::Directory(BTreeMap::new()), 0o755, 0, 0);
        assert_eq!(INodeNo(root), INodeNo::ROOT);
        Self { faults, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, name: &OsStr) -> OsString {
        if self.faults.ignores_case { name.to_ascii_lowercase() } else { name.to_owned() }
    }

    /// The metadata as a lookup needs it, with the number of the node.
    fn entry(&self, state: &State, id: u64) -> FileAttr {
        let node = &state.nodes[&id];
        let (kind, size) = match &node.content {
            Content::Directory(_) => (FileType::Directory, 0),
            Content::File(_) if self.faults.no_lengths => (FileType::RegularFile, 0),
            Content::File(bytes) => (FileType::RegularFile, bytes.len() as u64),
        };
        FileAttr {
            ino: INodeNo(id),
            size,
            blocks: size.div_ceil(512),
            atime: node.modified,
            mtime: node.modified,
            ctime: node.changed,
            crtime: node.changed,
            kind,
            perm: node.mode as u16,
            nlink: node.links,
            uid: node.owner.0,
            gid: node.owner.1,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    /// The metadata as stat(2) shows it.
    fn shown(&self, state: &mut State, id: u64) -> FileAttr {
        let mut shown = self.entry(state, id);
        if self.faults.changing_inodes && shown.kind == FileType::RegularFile {
            state.looks += 1;
            shown.ino = INodeNo(state.looks);
        }
        shown
    }

    fn flags(&self) -> FopenFlags {
        // Otherwise the kernel reads nothing from a file that seems to be empty.
        if self.faults.no_lengths { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() }
    }
}

impl State {
    fn make(&mut self, content: Content, mode: u32, user: u32, group: u32) -> u64 {
        self.made += 1;
        let now = SystemTime::now();
        let (mode, is_written) = (mode & 0o7777, false);
        let owner = (user, group);
        let node = Node { content, mode, owner, links: 1, modified: now, changed: now, is_written };
        self.nodes.insert(self.made, node);
        self.made
    }

    fn names(&mut self, directory: u64) -> Result<&mut BTreeMap<OsString, u64>, Errno> {
        match self.nodes.get_mut(&directory).map(|node| &mut node.content) {
            Some(Content::Directory(names)) => Ok(names),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn bytes(&mut self, id: u64) -> Result<&mut Vec<u8>, Errno> {
        match self.nodes.get_mut(&id).map(|node| &mut node.content) {
            Some(Content::File(bytes)) => Ok(bytes),
            _ => Err(Errno::EISDIR),
        }
    }

    fn find(&mut self, directory: u64, key: &OsStr) -> Result<u64, Errno> {
        self.names(directory)?.get(key).copied().ok_or(Errno::ENOENT)
    }

    fn add(
        &mut self,
        directory: u64,
        key: OsString,
        content: Content,
        mode: u32,
        request: &Request,
    ) -> Result<u64, Errno> {
        if self.find(directory, &key).is_ok() {
            return Err(Errno::EEXIST);
        }
        let id = self.make(content, mode, request.uid(), request.gid());
        self.names(directory)?.insert(key, id);
        Ok(id)
    }

    fn remove(&mut self, directory: u64, key: &OsStr) -> Result<(), Errno> {
        let id = self.names(directory)?.remove(key).ok_or(Errno::ENOENT)?;
        let node = self.nodes.get_mut(&id).ok_or(Errno::ENOENT)?;
        node.links = node.links.saturating_sub(1);
        node.changed = SystemTime::now();
        Ok(())
    }
}
