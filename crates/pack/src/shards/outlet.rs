//! Where the shards of a run begin, and the names they get.
//!
//! Owns: their numbers, files that have no name yet, waiting for descriptors.
//! Does not own: what is in a shard ([`super::shard`]), which ones are open ([`super::packer`]).

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul_io::{ChunkedFile, Existing, Io, Preserve, Publish, Staged, is_shortage};

use super::options::PackOptions;
use super::place::Place;
use super::shard::{Origin, Shard};
use super::writer::{Target, Writer};

/// How long a task waits if descriptors are short, and how often.
const SHORTAGE_WAIT: Duration = Duration::from_millis(20);
const SHORTAGE_WAITS_MAX: u32 = 3_000;
/// Permission bits that no shard has: what its index says is believed.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The most bytes of the head of a member that is alone and of what ends its shard, where that is told in advance.
const ENDS_BYTES_MAX: u64 = 1 << 20;
/// The name that shards in the making would get, whose own one is chosen when they are published.
const UNNAMED: &str = "shard";
/// The name that the file of spilled content would get.
const SPILL_NAME: &str = "haul-spill";

pub(super) struct Outlet {
    pub(super) options: PackOptions,
    names: Names,
}

/// The names of shards.
enum Names {
    /// Numbers after the prefix of the run, of which so many were given.
    Numbered(AtomicU32),
    /// That of the only shard.
    Only(String),
}

impl Outlet {
    pub(super) fn new(options: PackOptions) -> Self {
        Self { options, names: Names::Numbered(AtomicU32::new(0)) }
    }

    /// The outlet of one shard called `name`.
    pub(super) fn of_one(options: PackOptions, name: String) -> Self {
        Self { options: PackOptions { open_max: 1, ..options }, names: Names::Only(name) }
    }

    /// Whether all members come into one shard.
    pub(super) fn has_one(&self) -> bool {
        matches!(self.names, Names::Only(_))
    }

    /// Begins a shard for a member of `bytes` bytes.
    pub(super) async fn begin(&self, io: &impl Io, bytes: u64) -> io::Result<(Origin, Writer)> {
        let encoded = self.encoded(io)?;
        let (origin, target) = match &self.options.place {
            Place::Directory(directory) => {
                let staged = create(io, &self.unnamed_in(directory)).await?;
                let file = staged.file().clone();
                (Origin::File(staged), Target::File(file))
            }
            Place::Store { store, .. } => {
                let (number, name) = self.next_name();
                let bytes_max = self.options.shard_bytes.max(bytes).saturating_add(ENDS_BYTES_MAX);
                let bytes_max = encoded.as_ref().map_or(bytes_max, |file| file.stored_bytes(bytes_max));
                let upload = store.begin(&name, (!self.has_one()).then_some(bytes_max))?;
                (Origin::Stored(number, store.path(&name)), Target::Upload(Mutex::new(upload)))
            }
        };
        Ok((origin, Writer::new(target, encoded)))
    }

    /// A file for content that is too long for memory.
    pub(super) async fn spill(&self, io: &impl Io) -> io::Result<(Staged, Writer)> {
        let publish = match &self.options.place {
            Place::Directory(directory) => self.unnamed_in(directory),
            Place::Store { spill_directory, .. } => Publish::new(spill_directory.join(SPILL_NAME)),
        };
        let staged = create(io, &publish).await?;
        let writer = Writer::new(Target::File(staged.file().clone()), self.encoded(io)?);
        Ok((staged, writer))
    }

    /// Whether no shard has a greater number than `shard`, or will have one if it is published now.
    pub(super) fn is_last(&self, shard: &Shard) -> bool {
        let Names::Numbered(given) = &self.names else { return true };
        let next = self.options.first_number.wrapping_add(given.load(Ordering::Relaxed));
        shard.number().is_none_or(|number| number.wrapping_add(1) == next)
    }

    /// How `shard` is published: in a directory, under its only name, or the first one that is free.
    pub(super) async fn publish_as(&self, io: &impl Io, shard: &Shard) -> Publish {
        let directory = match (&self.options.place, shard.path()) {
            (Place::Directory(directory), None) => directory,
            (_, path) => return Publish::new(path.unwrap_or(Path::new("")).to_owned()),
        };
        loop {
            let publish = self.in_directory(directory, &self.next_name().1);
            if self.has_one() || !shard.has_beside(io, &publish.path).await {
                return publish;
            }
        }
    }

    /// The name of the only shard.
    pub(super) fn only_name(&self) -> Option<&str> {
        match &self.names {
            Names::Numbered(_) => None,
            Names::Only(name) => Some(name),
        }
    }

    fn unnamed_in(&self, directory: &Path) -> Publish {
        self.in_directory(directory, UNNAMED)
    }

    fn in_directory(&self, directory: &Path, name: &str) -> Publish {
        let PackOptions { mode, durability, .. } = self.options;
        Publish {
            root_bytes: Some(directory.as_os_str().len()),
            existing: Existing::Refuse,
            durability,
            preserve: Preserve { mode: Some(mode & !WRITABLE_BY_OTHERS), ..Preserve::default() },
            ..Publish::new(directory.join(name))
        }
    }

    /// The name of a shard: `stem`, and what follows in the names of all shards.
    pub(super) fn name(&self, stem: &str) -> String {
        let suffix = self.options.format.as_ref().map_or("", |format| format.suffix());
        format!("{stem}.tar{suffix}")
    }

    /// The next name, and its number; 0 for the only one.
    fn next_name(&self) -> (u32, String) {
        match &self.names {
            Names::Only(name) => (0, name.clone()),
            Names::Numbered(given) => {
                // Another program may have made a shard of the greatest number.
                let number = self.options.first_number.wrapping_add(given.fetch_add(1, Ordering::Relaxed));
                (number, self.name(&format!("{}{number:06}", self.options.prefix)))
            }
        }
    }

    /// A file in the format of the shards, if they have one.
    fn encoded(&self, io: &impl Io) -> io::Result<Option<Arc<dyn ChunkedFile>>> {
        let format = self.options.format.as_ref();
        format.map(|format| format.begin(&mut |out| io.random(out))).transpose()
    }
}

async fn create(io: &impl Io, publish: &Publish) -> io::Result<Staged> {
    let mut waits = 0;
    loop {
        match Staged::create(io, publish).await {
            Err(error) if is_shortage(&error) && waits < SHORTAGE_WAITS_MAX => {
                waits += 1;
                io.sleep(SHORTAGE_WAIT).await?;
            }
            staged => return staged,
        }
    }
}
