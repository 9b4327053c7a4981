//! How a run packs.
//!
//! Owns: the names of shards, what a run does about those that exist.
//! Does not own: the grammar of the options ([`crate::args`]), finding shards ([`super::home`]), packing
//! ([`haul_pack`]).

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use haul_engine::Engine;
use haul_io::{Blocking, Cancel, ChunkedFormat, Durability, run_ready};
use haul_pack::{Earlier, PackOptions, Packer, Place};
use haul_seal::{Error, Identity};
use haul_store::Store;

use super::home::Home;
use super::names::{PREFIX, is_shard, number_of};
use super::slices::SliceShards;
use crate::args::PackArgs;
use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::stores::objects::is_object;

/// What is packed where.
#[derive(Clone, Debug)]
pub(crate) struct PackPlan {
    /// A directory, or the address of objects.
    directory: PathBuf,
    shard_bytes: u64,
    /// What tells the shards of one machine's part from those of others.
    part: Option<u64>,
    mode: u32,
    cores: NonZeroUsize,
    /// What to do about shards that exist.
    existing_hint: &'static str,
}

/// What a run packs with.
pub(crate) struct Packing<'a> {
    /// `None` for plain shards.
    pub(crate) format: Option<Arc<dyn ChunkedFormat>>,
    pub(crate) durability: Durability,
    pub(crate) cancel: Cancel,
    /// Tasks in flight at most.
    pub(crate) in_flight_max: usize,
    /// Whether what shards have is skipped. Needs identities that open them.
    pub(crate) resumes: Option<&'a [Identity]>,
    /// The store of the bucket that shards go to, if they do.
    pub(crate) store: Option<Store>,
    pub(crate) voice: &'a Voice,
}

impl PackPlan {
    /// The plan, if results are to be packed into `directory`, which may be the address of objects.
    ///
    /// # Errors
    /// If the engine that was asked for can't.
    pub(crate) fn resolve(
        args: &PackArgs,
        directory: &Path,
        engine: Option<Engine>,
        environment: &Environment,
    ) -> Result<Option<Self>, Problem> {
        if args.pack.is_none() {
            return Ok(None);
        }
        // Sending to a store blocks the thread of a task, and a ring has one thread for all of its tasks.
        if is_object(directory) && matches!(engine, Some(Engine::Uring { .. })) {
            let problem = Problem::usage("the engine uring can't pack into a bucket");
            return Err(problem.hint("auto, serial and threads=N can"));
        }
        Ok(Some(Self {
            directory: directory.to_owned(),
            shard_bytes: args.pack_size,
            part: None,
            mode: environment.new_file_mode,
            cores: environment.cores,
            existing_hint: "name another directory",
        }))
    }

    /// Names shards after one of several machines' parts.
    pub(crate) fn of_part(self, part: Option<u64>) -> Self {
        Self { part, ..self }
    }

    /// What to do about shards that exist.
    pub(crate) fn hinting(self, existing_hint: &'static str) -> Self {
        Self { existing_hint, ..self }
    }

    fn prefix(&self) -> String {
        match self.part {
            Some(part) => format!("{PREFIX}{part:05}-"),
            None => PREFIX.to_owned(),
        }
    }

    /// The packer of a run that only shows what it would do.
    pub(crate) fn show(&self) -> Result<Packer, Problem> {
        let (place, cancel) = (Place::Directory(self.directory.clone()), Cancel::new()?);
        Ok(Packer::new(self.options(place, cancel), Earlier::default()))
    }

    /// The packer of a run. Clears away what a killed run left.
    ///
    /// # Errors
    /// If the place has shards, and these aren't to be continued or can't be read.
    pub(crate) fn begin(&self, packing: Packing<'_>) -> Result<Packer, Problem> {
        let home = Home::open(&self.directory, packing.store, packing.voice)?;
        let prefix = self.prefix();
        let number = |name: &str| number_of(name, &prefix);
        // Those of every part, as a run may be divided anew.
        let shards = home.names(is_shard)?;
        let mut earlier = Earlier::default();
        match packing.resumes {
            Some(identities) => {
                for name in &shards {
                    let read = home.read_members(name, identities, |member| earlier.add(&member));
                    read.map_err(|error| unreadable(&home.path(name), &error))?;
                }
            }
            None => {
                if let Some(name) = shards.iter().find(|name| name.starts_with(&prefix)) {
                    let path = quoted(&home.path(name));
                    let problem = Problem::usage(format!("there are shards already: {path}"));
                    return Err(problem.hint(self.existing_hint));
                }
            }
        }
        home.sweep(|name| number(name).is_some())?;
        let last = shards.iter().filter_map(|name| number(name)).max();
        let options = PackOptions {
            first_number: last.map_or(0, |last| last.saturating_add(1)),
            format: packing.format,
            open_max: self.cores.get().min(packing.in_flight_max),
            durability: packing.durability,
            ..self.options(home.into_place(), packing.cancel)
        };
        Ok(Packer::new(options, earlier))
    }

    /// The shards of a node of a fleet, one for each slice. Other nodes may write shards there, too.
    ///
    /// # Errors
    /// If the store can't be used.
    pub(crate) fn begin_slices(&self, packing: Packing<'_>) -> Result<SliceShards, Problem> {
        let home = Home::open(&self.directory, packing.store, packing.voice)?;
        // Uploads may be those of other nodes.
        home.sweep_files()?;
        let options = PackOptions {
            format: packing.format,
            // A power cut must leave no name without a whole shard: another node would go by the name.
            durability: Durability::Synced,
            ..self.options(home.clone().into_place(), packing.cancel)
        };
        Ok(SliceShards { packer: Packer::new(options, Earlier::default()), home })
    }

    fn options(&self, place: Place, cancel: Cancel) -> PackOptions {
        PackOptions {
            place,
            first_number: 0,
            prefix: self.prefix(),
            format: None,
            shard_bytes: self.shard_bytes,
            open_max: 1,
            mode: self.mode,
            owner: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
            durability: Durability::Eventual,
            cancel,
        }
    }
}

/// Ends a run that packed: directories that no shard took are packed.
///
/// # Errors
/// If they can't be packed.
pub(crate) fn finish(packer: &Packer) -> Result<(), Problem> {
    let finished = Cancel::new().and_then(|cancel| run_ready(packer.finish(&Blocking::new(cancel))));
    finished.map_err(|error| {
        Problem::unwritten(format!("cannot pack directories: {}", haul_io::reason(&error)), &error)
    })
}

fn unreadable(path: &Path, error: &Error) -> Problem {
    let problem = Problem::usage(format!("cannot read the index of {}: {error}", quoted(path)));
    if error.kind() == haul_seal::ErrorKind::NoMatch {
        return problem.hint("--identity names the file with the key that opens the shards");
    }
    problem
}
