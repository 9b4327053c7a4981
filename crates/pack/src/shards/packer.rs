//! The shards of a run.
//!
//! A task that has a member takes a shard that no other task writes, appends, and gives it back. There are as many
//! shards as tasks append at the same time, at most [`PackOptions::open_max`]: beyond that, tasks wait.
//!
//! Owns: which shard a member goes to, when a shard ends.
//! Does not own: where shards begin and their names ([`super::outlet`]), writing one ([`super::shard`]), which tasks
//! wait for its end ([`super::source`]).

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use haul_io::{Io, Shortfalls, cancelled};

use super::content::{Content, Spill};
use super::earlier::{Earlier, EarlierMember};
use super::gate::{PartGate, PartShard};
use super::options::PackOptions;
use super::outlet::Outlet;
use super::part::Part;
use super::shard::{Appended, Shard};
use super::ticket::{ShardEnd, Ticket};
use crate::layout::entry::Entry;

/// Members of one shard at most: their tasks are held until it is published.
const MEMBERS_MAX: u64 = 65_536;
/// Directories that are remembered for the last shard at most.
const DIRECTORIES_MAX: usize = 65_536;
/// How often a task waits for an open shard before it opens another one: small runs make one shard.
const PATIENCE: u32 = 2;
/// How long a task waits before it looks for a shard again.
const WAIT: Duration = Duration::from_micros(500);

/// The shards of a run; clones are the same.
#[derive(Clone)]
pub struct Packer(Arc<Inner>);

struct Inner {
    outlet: Outlet,
    earlier: Earlier,
    /// What the packer has in common with those of its parts.
    run: Arc<Run>,
    /// Set if it packs one part of the run only.
    part: Option<Part>,
    state: Mutex<State>,
}

#[derive(Default)]
struct Run {
    next_id: AtomicU64,
    /// Shards that ended since the source asked last.
    settled: Mutex<Vec<u64>>,
}

#[derive(Default)]
struct State {
    /// Shards that no task writes.
    idle: Vec<Shard>,
    /// All that are open.
    open_count: usize,
    /// For the last shard, which is unpacked last: files are unpacked into a directory before it is closed to writers.
    directories: Vec<Entry>,
    /// No member comes any more.
    is_ending: bool,
}

/// A shard in the hands of a task. If it is dropped before it is given back or published, its members have failed.
struct Held<'a> {
    packer: &'a Packer,
    end: Arc<ShardEnd>,
    shard: Option<Shard>,
    is_over: bool,
}

impl Packer {
    /// A packer for one run. Nothing is created before the first member.
    pub fn new(options: PackOptions, earlier: Earlier) -> Self {
        Self::of(Outlet::new(options), earlier, Arc::default(), None)
    }

    /// A packer for one part of the run, whose members become one shard, called `stem` and what follows in the names of
    /// all shards. `gate` decides when it ends, and whether it is published.
    #[must_use]
    pub fn part(&self, stem: &str, gate: Arc<dyn PartGate>) -> Self {
        let outlet = &self.0.outlet;
        let outlet = Outlet::of_one(outlet.options.clone(), outlet.name(stem));
        Self::of(outlet, Earlier::default(), self.0.run.clone(), Some(Part::new(gate)))
    }

    fn of(outlet: Outlet, earlier: Earlier, run: Arc<Run>, part: Option<Part>) -> Self {
        Self(Arc::new(Inner { outlet, earlier, run, part, state: Mutex::default() }))
    }

    /// What an earlier run packed under `name`.
    pub fn earlier(&self, name: &[u8]) -> Option<EarlierMember> {
        self.0.earlier.get(name)
    }

    /// A file of `bytes` bytes with the mode and the owner of this packer. Without a time, it was modified now.
    pub fn entry(&self, name: &[u8], bytes: u64, modified: Option<i64>) -> Entry {
        let PackOptions { mode, owner, group, .. } = self.0.outlet.options;
        let now = || UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs().try_into().unwrap_or(0));
        let modified = (modified.unwrap_or_else(now), 0);
        Entry { name: name.to_vec(), bytes, mode, owner, group, modified }
    }

    /// A file for content that is too long for memory.
    ///
    /// # Errors
    /// The system's error of creating it, or that of the format.
    pub async fn spill(&self, io: &impl Io) -> io::Result<Spill> {
        let (staged, writer) = self.0.outlet.spill(io).await?;
        Ok(Spill::new(staged, writer))
    }

    /// Appends a member to a shard. Its task has succeeded when [`Packer::settle`] says so.
    ///
    /// # Errors
    /// The system's error; nothing of the member is in a shard that is published. If the run was cancelled.
    pub async fn add(&self, io: &impl Io, entry: &Entry, mut content: Content<'_>) -> io::Result<Ticket> {
        // Before a shard is taken from others.
        let hash = match &mut content {
            Content::Memory(bytes) => Some(blake3::hash(bytes)),
            Content::Spill(spill) => {
                spill.finish(io).await?;
                None
            }
        };
        let mut held = self.take(io, entry.bytes).await?;
        let ticket = Ticket(held.end.clone());
        match held.shard().append(io, entry, content, hash).await {
            Appended::Done if self.is_full(held.shard(), 0) => held.publish(io).await,
            Appended::Done => held.give_back(),
            Appended::NoRoom(error) => {
                match (held.shard().member_count(), &self.0.part) {
                    (0, _) => held.discard(io, copy_of(&error)).await,
                    // What it holds is complete.
                    (_, None) => held.publish(io).await,
                    // It is to hold more.
                    (_, Some(_)) => held.give_back(),
                }
                return Err(error);
            }
            Appended::Broken(error) => {
                held.discard(io, copy_of(&error)).await;
                return Err(error);
            }
        }
        Ok(ticket)
    }

    /// Remembers a directory for the last shard.
    pub fn add_directory(&self, entry: Entry) {
        self.state().directories.push(entry);
    }

    /// The path of a member's shard, and what its file system couldn't do. Publishes the shard if it is still open.
    ///
    /// # Errors
    /// Why the shard was not published: the member's task has failed.
    pub async fn settle(&self, io: &impl Io, ticket: &Ticket) -> io::Result<(PathBuf, Shortfalls)> {
        loop {
            if let Some(end) = ticket.end() {
                return end;
            }
            if let Some(held) = self.take_idle(ticket) {
                held.publish(io).await;
            } else if io.sleep(WAIT).await.is_err() {
                // The run was cancelled, and another task still appends.
                io.yield_now().await;
                std::thread::yield_now();
            }
        }
    }

    /// Ends a run whose tasks have ended: packs directories that no shard took.
    ///
    /// # Errors
    /// If they can't be packed.
    pub async fn finish(&self, io: &impl Io) -> io::Result<()> {
        self.set_ending();
        if self.0.outlet.options.cancel.is_triggered() || self.state().directories.is_empty() {
            return Ok(());
        }
        self.state().open_count += 1;
        let held = self.open(io, 0).await?;
        let ticket = Ticket(held.end.clone());
        held.publish(io).await;
        self.settle(io, &ticket).await.map(drop)
    }

    /// The name of a shard: `stem`, and what follows in the names of all shards.
    pub fn shard_name(&self, stem: &str) -> String {
        self.0.outlet.name(stem)
    }

    /// Publishes an empty shard called `name`, so that no other one can get this name. Returns whether that was so: not
    /// if there is something of this name.
    ///
    /// # Errors
    /// If it can't be published.
    pub async fn block(&self, io: &impl Io, name: &str) -> io::Result<bool> {
        let outlet = Outlet::of_one(self.0.outlet.options.clone(), name.to_owned());
        let (origin, writer) = outlet.begin(io, 0).await?;
        let shard = Shard::new(ShardEnd::new(0, None), origin, writer);
        let publish = outlet.publish_as(io, &shard).await;
        match shard.publish(io, &publish).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// No member comes any more.
    pub(super) fn set_ending(&self) {
        self.state().is_ending = true;
    }

    /// The shards that ended since the last call.
    pub(super) fn take_settled(&self) -> Vec<u64> {
        std::mem::take(&mut self.0.run.settled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self, ticket: &Ticket) -> Option<Held<'_>> {
        let mut state = self.state();
        let at = state.idle.iter().position(|shard| Arc::ptr_eq(&shard.end, &ticket.0))?;
        Some(Held::of(self, state.idle.swap_remove(at)))
    }

    /// Whether nothing more fits that has `bytes` bytes.
    fn is_full(&self, shard: &Shard, bytes: u64) -> bool {
        if self.0.part.is_some() {
            return false;
        }
        let is_long = shard.bytes().saturating_add(bytes) >= self.0.outlet.options.shard_bytes;
        shard.member_count() > 0 && (is_long || shard.member_count() >= MEMBERS_MAX)
    }

    /// Takes a shard for a member of `bytes` bytes, for which it has room.
    async fn take(&self, io: &impl Io, bytes: u64) -> io::Result<Held<'_>> {
        let mut waits = 0;
        loop {
            if self.0.outlet.options.cancel.is_triggered() {
                return Err(cancelled());
            }
            if let Some(end) = self.0.part.as_ref().and_then(Part::end) {
                return Err(Ticket(end).end().and_then(Result::err).unwrap_or_else(cancelled));
            }
            let (idle, may_open) = {
                let mut state = self.state();
                let is_alone = self.0.part.is_none() && bytes >= self.0.outlet.options.shard_bytes;
                let is_patient = state.open_count > 0 && waits < PATIENCE && !is_alone;
                let may_open = state.open_count < self.0.outlet.options.open_max && !is_patient;
                // A member that fills a shard alone leaves others as they are.
                let idle = if is_alone && may_open { None } else { state.idle.pop() };
                if idle.is_none() && may_open {
                    state.open_count += 1;
                }
                (idle, may_open)
            };
            match idle {
                Some(shard) if self.is_full(&shard, bytes) => Held::of(self, shard).publish(io).await,
                Some(shard) => return Ok(Held::of(self, shard)),
                None if may_open => return self.open(io, bytes).await,
                None => {
                    waits += 1;
                    io.sleep(WAIT).await?;
                }
            }
        }
    }

    /// Opens a shard that is counted already, for a member of `bytes` bytes.
    async fn open(&self, io: &impl Io, bytes: u64) -> io::Result<Held<'_>> {
        let gate = self.0.part.as_ref().map(|part| part.gate.clone());
        let end = ShardEnd::new(self.0.run.next_id.fetch_add(1, Ordering::Relaxed), gate);
        let mut held = Held { packer: self, end: end.clone(), shard: None, is_over: false };
        match self.0.outlet.begin(io, bytes).await {
            Ok((origin, writer)) => held.shard = Some(Shard::new(end, origin, writer)),
            // No member waits for it: the next one tries again.
            Err(error) => {
                held.is_over = true;
                self.state().open_count -= 1;
                return Err(error);
            }
        }
        Ok(held)
    }

    /// The directories that belong into `shard`, which ends now: it is unpacked after all others so far.
    fn take_directories(&self, shard: &Shard) -> Vec<Entry> {
        let is_last_so_far = self.0.outlet.is_last(shard);
        let mut state = self.state();
        let is_end = state.is_ending && state.open_count == 1;
        let takes = is_last_so_far && (is_end || state.directories.len() > DIRECTORIES_MAX);
        if takes { std::mem::take(&mut state.directories) } else { Vec::new() }
    }

    fn settled(&self, end: &Arc<ShardEnd>, result: io::Result<(PathBuf, Shortfalls)>) {
        end.settle(result);
        if let Some(part) = &self.0.part {
            part.set_end(end.clone());
        }
        self.state().open_count -= 1;
        self.0.run.settled.lock().unwrap_or_else(PoisonError::into_inner).push(end.id);
    }

    /// Waits until `shard` may be published, if it is that of a part.
    ///
    /// # Errors
    /// If it may not.
    async fn permit(&self, io: &impl Io, shard: &Shard) -> io::Result<()> {
        let (Some(part), Some(name)) = (&self.0.part, self.0.outlet.only_name()) else { return Ok(()) };
        let shard = PartShard {
            name: name.to_owned(),
            members: shard.member_count(),
            content_bytes: shard.content_bytes(),
            identity: shard.identity(),
        };
        part.permit(io, &shard).await
    }
}

impl<'a> Held<'a> {
    fn of(packer: &'a Packer, shard: Shard) -> Self {
        Self { packer, end: shard.end.clone(), shard: Some(shard), is_over: false }
    }

    fn shard(&mut self) -> &mut Shard {
        self.shard.as_mut().expect("it is held until it is over")
    }

    fn give_back(mut self) {
        self.is_over = true;
        let shard = self.shard.take();
        self.packer.state().idle.extend(shard);
    }

    /// Publishes the shard, and tells its members.
    async fn publish(mut self, io: &impl Io) {
        let packer = self.packer;
        if let Err(error) = packer.permit(io, self.shard()).await {
            return self.discard(io, error).await;
        }
        for entry in packer.take_directories(self.shard()) {
            match self.shard().append(io, &entry, Content::Memory(&[]), None).await {
                Appended::Done => {}
                Appended::NoRoom(error) | Appended::Broken(error) => return self.discard(io, error).await,
            }
        }
        let outlet = &self.packer.0.outlet;
        let publish = outlet.publish_as(io, self.shard()).await;
        let shard = self.shard.take().expect("it is held until it is over");
        let published = shard.publish(io, &publish).await;
        self.is_over = true;
        let published = match (published, &packer.0.part) {
            // Another program has the part, or has had it meanwhile.
            (Err(error), Some(part)) if error.kind() == io::ErrorKind::AlreadyExists => {
                part.gate.is_taken();
                Err(cancelled())
            }
            (published, _) => published,
        };
        packer.settled(&self.end, published.map(|shortfalls| (publish.path, shortfalls)));
    }

    /// Drops the shard, whose members have failed.
    async fn discard(mut self, io: &impl Io, error: io::Error) {
        if let Some(shard) = self.shard.take() {
            shard.discard(io).await;
        }
        self.is_over = true;
        self.packer.settled(&self.end, Err(error));
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let dropped = io::Error::other("the task that wrote it ended early");
            self.packer.settled(&self.end, Err(dropped));
        }
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("place", &self.0.outlet.options.place).finish_non_exhaustive()
    }
}

/// The same error for another task.
fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None if haul_io::is_cancelled(error) => cancelled(),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
