//! The trait that jobs are written against.
//!
//! Owns: a typed method for each [`Op`], and the sequences that jobs share (full reads, whole writes, directories).
//! Does not own: how an operation completes.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use crate::{
    Attributes, Buf, BufResult, Completion, Directory, DirectoryCache, File, FileKind, Location, Names,
    Offset, Op, OpenMode, Publish, Published, Socket, Stat, Value,
};

/// The mode of new directories, before the umask.
const DIRECTORY_MODE: u32 = 0o777;

/// Operations whose completion a job awaits.
///
/// An implementation provides [`submit`](Io::submit), a clock, randomness and [`write_file`](Io::write_file); the
/// typed methods build on them. Futures are dispatched statically. They need not be `Send`; those of an implementation
/// that is `Sync` and has no directory cache are. A job never races two operations: a timeout is an argument of the
/// operation.
pub trait Io: Sized {
    /// Carries out `op`.
    fn submit(&self, op: Op) -> impl Future<Output = Completion>;

    /// Time since some fixed moment; never goes back. An implementation may read the clock only where operations start
    /// and end, so the time that a job has computed since then may be missing.
    fn now(&self) -> Duration;

    /// Fills `out` with bytes fit for keys.
    fn random(&self, out: &mut [u8]);

    /// Adds `bytes` of payload to the progress of the run.
    fn progress(&self, bytes: u64);

    /// Whether staged files must have a name so that other processes can open them: if the parts of a split task run
    /// in several processes.
    fn stages_by_name(&self) -> bool {
        false
    }

    /// An empty buffer of exactly `capacity` bytes; one that was given back, if there is one of that size.
    fn take_buf(&self, capacity: usize) -> Buf {
        Buf::with_capacity(capacity)
    }

    /// Gives a buffer back for a later [`take_buf`](Io::take_buf).
    fn give_buf(&self, buf: Buf) {
        drop(buf);
    }

    /// The directories that stay open from one task to the next; `None` if none do.
    fn directory_cache(&self) -> Option<&RefCell<DirectoryCache>> {
        None
    }

    /// Lets other jobs of the same worker run. Jobs await it between pieces of at most 256 KiB of computing.
    fn yield_now(&self) -> impl Future<Output = ()> {
        async {}
    }

    /// Writes a whole small file and publishes it. The usual implementation is [`crate::write_file`]; an execution
    /// that pays for each single operation may carry out the sequence as one piece of work instead.
    fn write_file(&self, publish: Publish, content: Buf) -> impl Future<Output = BufResult<Published>>;

    /// [`Op::Open`].
    fn open(
        &self,
        dir: Option<&Directory>,
        path: &Path,
        mode: OpenMode,
    ) -> impl Future<Output = io::Result<File>> {
        let op = Op::Open { dir: dir.cloned(), path: path.to_owned(), mode };
        async move {
            match self.submit(op).await.result? {
                Value::File(file) => Ok(file),
                other => panic!("expected a file, got {other:?}"),
            }
        }
    }

    /// [`Op::Stat`].
    fn stat(&self, file: &File) -> impl Future<Output = io::Result<Stat>> {
        let op = Op::Stat { file: file.clone() };
        async move { self.submit(op).await.stat() }
    }

    /// [`Op::StatAt`].
    fn stat_at(&self, dir: Option<&Directory>, path: &Path) -> impl Future<Output = io::Result<Stat>> {
        let op = Op::StatAt { dir: dir.cloned(), path: path.to_owned() };
        async move { self.submit(op).await.stat() }
    }

    /// Appends up to `bytes_max` bytes to `buf`, reading again after a short read. A smaller count means that the file
    /// ended.
    ///
    /// # Panics
    /// If `buf` has no room for `bytes_max`.
    fn read_full(
        &self,
        file: &File,
        mut buf: Buf,
        bytes_max: usize,
        offset: Offset,
    ) -> impl Future<Output = BufResult<usize>> {
        async move {
            assert!(buf.spare_mut().len() >= bytes_max, "no room for a read of {bytes_max} bytes");
            let mut done = 0;
            while done < bytes_max {
                let offset = offset.plus(done);
                let op = Op::ReadAt { file: file.clone(), buf, bytes_max: bytes_max - done, offset };
                let (result, back) = self.submit(op).await.into_counted();
                buf = back;
                match result {
                    Ok(0) => break,
                    Ok(count) => done += count,
                    Err(error) => return (Err(error), buf),
                }
            }
            moved(self, file, offset, done).await;
            (Ok(done), buf)
        }
    }

    /// Writes all filled bytes of `buf`, which comes back empty on success.
    fn write_all(&self, file: &File, mut buf: Buf, offset: Offset) -> impl Future<Output = BufResult<()>> {
        async move {
            let mut done = 0;
            while !buf.filled().is_empty() {
                let op = Op::WriteAt { file: file.clone(), buf, offset: offset.plus(done) };
                let (result, back) = self.submit(op).await.into_counted();
                buf = back;
                match result {
                    Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buf),
                    Ok(count) => {
                        buf.consume(count);
                        done += count;
                    }
                    Err(error) => return (Err(error), buf),
                }
            }
            moved(self, file, offset, done).await;
            (Ok(()), buf)
        }
    }

    /// [`Op::Allocate`].
    fn allocate(&self, file: &File, bytes: u64) -> impl Future<Output = io::Result<()>> {
        self.done(Op::Allocate { file: file.clone(), bytes })
    }

    /// [`Op::Attributes`].
    fn attributes(&self, file: &File) -> impl Future<Output = io::Result<Attributes>> {
        let op = Op::Attributes { file: file.clone() };
        async move {
            match self.submit(op).await.result? {
                Value::Attributes(attributes) => Ok(attributes),
                other => panic!("expected attributes, got {other:?}"),
            }
        }
    }

    /// Submits [`Op::SetAttribute`] for each of `attributes`. Returns the names of those that couldn't be set, or
    /// couldn't be read before.
    fn set_attributes(&self, file: &File, attributes: &Attributes) -> impl Future<Output = Vec<OsString>> {
        async move {
            let mut lost = attributes.unread.clone();
            for (name, value) in &attributes.values {
                let (file, name, value) = (file.clone(), name.clone(), value.clone());
                if self.done(Op::SetAttribute { file, name: name.clone(), value }).await.is_err() {
                    lost.push(name);
                }
            }
            lost
        }
    }

    /// [`Op::Sync`].
    fn sync(&self, file: &File) -> impl Future<Output = io::Result<()>> {
        self.done(Op::Sync { file: file.clone() })
    }

    /// [`Op::Remove`].
    fn remove(&self, dir: Option<&Directory>, path: &Path) -> impl Future<Output = io::Result<()>> {
        self.done(Op::Remove { dir: dir.cloned(), path: path.to_owned() })
    }

    /// Opens the directory of `location`. Symbolic links are followed in the root; one beneath the root is an error
    /// ([`crate::is_link_in_the_way`]). The result comes from the directory cache, or is added to it.
    fn directory(&self, location: Location<'_>) -> impl Future<Output = io::Result<Directory>> {
        reach(self, location, false)
    }

    /// As [`directory`](Io::directory), and makes missing directories.
    fn make_directory(&self, location: Location<'_>) -> impl Future<Output = io::Result<Directory>> {
        async move {
            match reach(self, location, true).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make_directories(location.root()).await?;
                    reach(self, location, true).await
                }
                result => result,
            }
        }
    }

    /// [`Op::MakeDirectory`].
    fn make_one_directory(
        &self,
        dir: Option<&Directory>,
        path: &Path,
        mode: u32,
    ) -> impl Future<Output = io::Result<()>> {
        self.done(Op::MakeDirectory { dir: dir.cloned(), path: path.to_owned(), mode })
    }

    /// Syncs `directory`, so that the names in it survive a power cut.
    fn sync_directory(&self, directory: &Directory) -> impl Future<Output = io::Result<()>> {
        async move {
            let readable = self.readable_directory(directory).await?;
            self.sync(&readable).await
        }
    }

    /// Opens `directory` for [`sync_directory`](Io::sync_directory), which then needs no further descriptor.
    fn readable_directory(&self, directory: &Directory) -> impl Future<Output = io::Result<File>> {
        async move {
            if let Some(readable) = directory.readable() {
                return Ok(readable.clone());
            }
            let readable = self.open(Some(directory), Path::new("."), OpenMode::Directory).await?;
            Ok(directory.keep_readable(readable))
        }
    }

    /// Makes `path` and its missing parents; existing directories are fine.
    fn make_directories(&self, path: &Path) -> impl Future<Output = io::Result<()>> {
        async move {
            let mut missing = Vec::new();
            for ancestor in path.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty()) {
                match self.make_one_directory(None, ancestor, DIRECTORY_MODE).await {
                    Ok(()) => break,
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => break,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(ancestor),
                    Err(error) => return Err(error),
                }
            }
            for ancestor in missing.into_iter().rev() {
                match self.make_one_directory(None, ancestor, DIRECTORY_MODE).await {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
            }
            Ok(())
        }
    }

    /// [`Op::Resolve`].
    fn resolve(
        &self,
        names: &Names,
        host: &str,
        port: u16,
        timeout: Duration,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> {
        let op = Op::Resolve { names: names.clone(), host: host.to_owned(), port, timeout };
        async move {
            match self.submit(op).await.result? {
                Value::Addresses(addresses) => Ok(addresses),
                other => panic!("expected addresses, got {other:?}"),
            }
        }
    }

    /// [`Op::Connect`].
    fn connect(
        &self,
        addresses: Vec<SocketAddr>,
        timeout: Duration,
    ) -> impl Future<Output = io::Result<Socket>> {
        async move {
            match self.submit(Op::Connect { addresses, timeout }).await.result? {
                Value::Socket(socket) => Ok(socket),
                other => panic!("expected a socket, got {other:?}"),
            }
        }
    }

    /// [`Op::ConnectLocal`].
    fn connect_local(&self, path: &Path) -> impl Future<Output = io::Result<Socket>> {
        let op = Op::ConnectLocal { path: path.to_owned() };
        async move {
            match self.submit(op).await.result? {
                Value::Socket(socket) => Ok(socket),
                other => panic!("expected a socket, got {other:?}"),
            }
        }
    }

    /// [`Op::Recv`].
    fn recv(&self, socket: &Socket, buf: Buf, timeout: Duration) -> impl Future<Output = BufResult<usize>> {
        let op = Op::Recv { socket: socket.clone(), buf, timeout };
        async move { self.submit(op).await.into_counted() }
    }

    /// [`Op::Send`].
    fn send(&self, socket: &Socket, buf: Buf, timeout: Duration) -> impl Future<Output = BufResult<usize>> {
        let op = Op::Send { socket: socket.clone(), buf, timeout };
        async move { self.submit(op).await.into_counted() }
    }

    /// Sends all filled bytes of `buf`, which comes back empty on success. `timeout` applies to each step of progress.
    fn send_all(
        &self,
        socket: &Socket,
        mut buf: Buf,
        timeout: Duration,
    ) -> impl Future<Output = BufResult<()>> {
        async move {
            while !buf.filled().is_empty() {
                let (result, back) = self.send(socket, buf, timeout).await;
                buf = back;
                match result {
                    Ok(count) => buf.consume(count),
                    Err(error) => return (Err(error), buf),
                }
            }
            (Ok(()), buf)
        }
    }

    /// [`Op::Sleep`].
    fn sleep(&self, duration: Duration) -> impl Future<Output = io::Result<()>> {
        self.done(Op::Sleep { duration })
    }

    /// Submits an operation whose value is [`Value::Done`].
    fn done(&self, op: Op) -> impl Future<Output = io::Result<()>> {
        async move {
            match self.submit(op).await.result? {
                Value::Done => Ok(()),
                other => panic!("expected no value, got {other:?}"),
            }
        }
    }
}

/// Drops pages of `file` after `bytes` bytes at `offset` were read or written, if it is time for that.
pub(crate) async fn moved(io: &impl Io, file: &File, offset: Offset, bytes: usize) {
    if let Offset::At(offset) = offset
        && file.0.has_moved(bytes)
    {
        let _ = io.submit(Op::DropBehind { file: file.clone(), offset: Some(offset) }).await;
    }
}

/// Opens the directory of `location`, starting at the nearest cached directory above it, or at its root.
async fn reach(io: &impl Io, location: Location<'_>, make: bool) -> io::Result<Directory> {
    let root_bytes = location.root_bytes();
    let mut directory = match nearest(io, location) {
        Some(directory) => directory,
        None => {
            let file = io.open(None, location.root(), OpenMode::Anchor { follow: true }).await?;
            keep(io, Directory::new(file, location.root_path(), root_bytes))
        }
    };
    for (name, path) in location.steps_from(directory.path()) {
        let file = match step(io, &directory, name).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => {
                match io.make_one_directory(Some(&directory), name, DIRECTORY_MODE).await {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => step(io, &directory, name).await?,
                }
            }
            result => result?,
        };
        directory = keep(io, Directory::new(file, path, root_bytes));
    }
    Ok(directory)
}

/// The nearest cached directory above `location`. A function of its own, so that the cache isn't borrowed across an
/// `await`.
fn nearest(io: &impl Io, location: Location<'_>) -> Option<Directory> {
    let mut cache = io.directory_cache()?.borrow_mut();
    location.ancestors().find_map(|ancestor| cache.find(ancestor, location.root_bytes()))
}

fn keep(io: &impl Io, directory: Directory) -> Directory {
    if let Some(cache) = io.directory_cache() {
        cache.borrow_mut().keep(directory.clone());
    }
    directory
}

/// Opens the directory `name` in `directory`; a symbolic link is an error.
async fn step(io: &impl Io, directory: &Directory, name: &Path) -> io::Result<File> {
    if name == Path::new("..") {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name leads out of its root"));
    }
    match io.open(Some(directory), name, OpenMode::Anchor { follow: false }).await {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            match io.stat_at(Some(directory), name).await {
                Ok(stat) if stat.kind == FileKind::Symlink => Err(Errno::LOOP.into()),
                _ => Err(error),
            }
        }
        result => result,
    }
}
