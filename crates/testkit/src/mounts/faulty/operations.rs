//! The operations of the file system with faults, as FUSE calls them.
//!
//! Owns: what each operation does, and which fault it meets.
//! Does not own: the files, the faults ([`super`]).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::SystemTime;

use fuser::{
    Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite,
    Request, TimeOrNow, WriteFlags,
};

use super::{Content, FaultyFiles, TTL};

/// Replies with the metadata of the node, or with the error.
macro_rules! answer {
    ($reply:ident, $result:expr, $value:ident => $sent:expr) => {
        match $result {
            Ok($value) => $sent,
            Err(error) => $reply.error(error),
        }
    };
}

impl Filesystem for FaultyFiles {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut state = self.state();
        let found = state.find(parent.0, &self.key(name));
        answer!(reply, found, id => reply.entry(&TTL, &self.entry(&state, id), Generation(0)));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let mut state = self.state();
        reply.attr(&TTL, &self.shown(&mut state, ino.0));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let refused = self.faults.no_modes && (mode.is_some() || uid.is_some() || gid.is_some())
            || self.faults.no_times && mtime.is_some() && size.is_none();
        if refused {
            return reply.error(Errno::EPERM);
        }
        let mut state = self.state();
        if let Some(size) = size {
            match state.bytes(ino.0) {
                Ok(bytes) => bytes.resize(size as usize, 0),
                Err(error) => return reply.error(error),
            }
        }
        let node = state.nodes.get_mut(&ino.0).expect("the kernel knows this node");
        node.mode = mode.map_or(node.mode, |mode| mode & 0o7777);
        node.owner = (uid.unwrap_or(node.owner.0), gid.unwrap_or(node.owner.1));
        node.changed = SystemTime::now();
        match mtime {
            Some(TimeOrNow::SpecificTime(time)) => node.modified = time,
            Some(TimeOrNow::Now) => node.modified = node.changed,
            None => {}
        }
        reply.attr(&TTL, &self.shown(&mut state, ino.0));
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let mut state = self.state();
        let content = Content::Directory(BTreeMap::new());
        let made = state.add(parent.0, self.key(name), content, mode & !umask, request);
        answer!(reply, made, id => reply.entry(&TTL, &self.entry(&state, id), Generation(0)));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let mut state = self.state();
        let made = state.add(parent.0, self.key(name), Content::File(Vec::new()), mode & !umask, request);
        answer!(reply, made, id => {
            reply.created(&TTL, &self.entry(&state, id), Generation(0), FileHandle(0), self.flags());
        });
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), self.flags());
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = self.state().remove(parent.0, &self.key(name));
        answer!(reply, removed, _done => reply.ok());
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = self.state().remove(parent.0, &self.key(name));
        answer!(reply, removed, _done => reply.ok());
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if self.faults.no_noreplace && !flags.is_empty() {
            return reply.error(Errno::EINVAL);
        }
        let (from, to) = (self.key(name), self.key(newname));
        let mut state = self.state();
        let id = match state.find(parent.0, &from) {
            Ok(id) => id,
            Err(error) => return reply.error(error),
        };
        if state.find(newparent.0, &to).is_ok() {
            if !flags.is_empty() {
                return reply.error(Errno::EEXIST);
            }
            let _ = state.remove(newparent.0, &to);
        }
        let moved = state.names(newparent.0).map(|names| names.insert(to, id));
        let moved = moved.and_then(|_| Ok(state.names(parent.0)?.remove(&from)));
        answer!(reply, moved, _moved => reply.ok());
    }

    fn link(&self, _: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        if self.faults.no_links {
            return reply.error(Errno::EPERM);
        }
        let mut state = self.state();
        let key = self.key(newname);
        if state.find(newparent.0, &key).is_ok() {
            return reply.error(Errno::EEXIST);
        }
        let linked = state.names(newparent.0).map(|names| names.insert(key, ino.0));
        if let Some(node) = state.nodes.get_mut(&ino.0) {
            node.links += 1;
            node.changed = SystemTime::now();
        }
        answer!(reply, linked, _linked => reply.entry(&TTL, &self.entry(&state, ino.0), Generation(0)));
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut state = self.state();
        answer!(reply, state.bytes(ino.0), bytes => {
            let rest = bytes.get(offset as usize..).unwrap_or_default();
            reply.data(&rest[..rest.len().min(size as usize)]);
        });
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = self.state();
        let end = offset as usize + data.len();
        let written = state.bytes(ino.0).map(|bytes| {
            bytes.resize(bytes.len().max(end), 0);
            bytes[offset as usize..end].copy_from_slice(data);
        });
        if let Some(node) = state.nodes.get_mut(&ino.0) {
            (node.is_written, node.modified) = (true, SystemTime::now());
            node.changed = node.modified;
        }
        answer!(reply, written, _done => reply.written(data.len() as u32));
    }

    fn flush(&self, _: &Request, ino: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        let state = self.state();
        if self.faults.full_at_close && state.nodes.get(&ino.0).is_some_and(|node| node.is_written) {
            return reply.error(Errno::ENOSPC);
        }
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let mut state = self.state();
        let listed =
            state.names(ino.0).map(|names| names.iter().map(|(name, id)| (name.clone(), *id)).collect());
        answer!(reply, listed, listing => {
            state.looks += 1;
            let handle = state.looks;
            state.listings.insert(handle, listing);
            reply.opened(FileHandle(handle), FopenFlags::empty());
        });
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.state().listings.remove(&handle.0);
        reply.ok();
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let state = self.state();
        let listing = state.listings.get(&handle.0).map(Vec::as_slice).unwrap_or_default();
        for (index, (name, id)) in listing.iter().enumerate().skip(offset as usize) {
            let kind = self.entry(&state, *id).kind;
            if reply.add(INodeNo(*id), index as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
