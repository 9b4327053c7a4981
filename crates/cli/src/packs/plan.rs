//! How a run packs.
//!
//! Owns: the names of shards, which shards exist, what a run does about these.
//! Does not own: the grammar of the options ([`crate::args`]), packing ([`haul_pack`]).

use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use haul_io::{Blocking, Cancel, ChunkedFormat, Durability, Location, run_ready};
use haul_pack::{Earlier, PackOptions, Packer};
use haul_seal::{Error, Identity, SealedFile};

use super::index::{for_each_member, is_age_file, read_error};
use crate::args::PackArgs;
use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::run::own_file::open_own;
use crate::stores::objects::is_object;

/// The start of the names of shards.
const PREFIX: &str = "shard-";

/// What is packed where.
#[derive(Clone, Debug)]
pub(crate) struct PackPlan {
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
}

impl PackPlan {
    /// The plan, if results are to be packed into `directory`, with these permission bits.
    ///
    /// # Errors
    /// If the directory is a bucket.
    pub(crate) fn resolve(
        args: &PackArgs,
        directory: &Path,
        mode: u32,
        cores: NonZeroUsize,
    ) -> Result<Option<Self>, Problem> {
        if args.pack.is_none() {
            return Ok(None);
        }
        if is_object(directory) {
            let problem = Problem::usage("--pack writes to a directory, not to a bucket");
            return Err(problem.hint("pack into a directory, and copy the shards"));
        }
        let (directory, shard_bytes) = (directory.to_owned(), args.pack_size);
        let existing_hint = "name another directory";
        Ok(Some(Self { directory, shard_bytes, part: None, mode, cores, existing_hint }))
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
        let (format, durability, cancel) = (None, Durability::Eventual, Cancel::new()?);
        let packing = Packing { format, durability, cancel, in_flight_max: 1, resumes: None };
        Ok(self.packer(packing, Earlier::default()))
    }

    /// The packer of a run. Clears away what a killed run left.
    ///
    /// # Errors
    /// If the directory has shards, and these aren't to be continued or can't be read.
    pub(crate) fn begin(&self, packing: Packing<'_>) -> Result<Packer, Problem> {
        let mut earlier = Earlier::default();
        let shards = self.shards()?;
        match packing.resumes {
            Some(identities) => {
                for path in shards {
                    let read = read(&path, identities, &mut earlier);
                    read.map_err(|error| unreadable(&path, &error))?;
                }
            }
            None => {
                let prefix = self.prefix();
                let is_ours = |path: &&PathBuf| {
                    path.file_name()
                        .is_some_and(|name| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
                };
                if let Some(path) = shards.iter().find(is_ours) {
                    let problem = Problem::usage(format!("there are shards already: {}", quoted(path)));
                    return Err(problem.hint(self.existing_hint));
                }
            }
        }
        Ok(self.packer(packing, earlier))
    }

    fn packer(&self, packing: Packing<'_>, earlier: Earlier) -> Packer {
        let Packing { format, durability, cancel, in_flight_max, .. } = packing;
        let options = PackOptions {
            directory: self.directory.clone(),
            prefix: self.prefix(),
            format,
            shard_bytes: self.shard_bytes,
            open_max: self.cores.get().min(in_flight_max),
            mode: self.mode,
            owner: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
            durability,
            cancel,
        };
        Packer::new(options, earlier)
    }

    /// The shards in the directory, in the order of their names: of every part, as a run may be divided anew.
    fn shards(&self) -> Result<Vec<PathBuf>, Problem> {
        let problem = |error: std::io::Error| {
            let reason = haul_io::reason(&error);
            Problem::usage(format!("cannot read the directory {}: {reason}", quoted(&self.directory)))
        };
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(problem)?,
        };
        self.sweep();
        let mut shards = Vec::new();
        for entry in entries {
            let name = entry.map_err(problem)?.file_name();
            if is_shard(&name) {
                shards.push(self.directory.join(name));
            }
        }
        shards.sort();
        Ok(shards)
    }

    /// Removes what killed runs left in the directory.
    fn sweep(&self) {
        if let Ok(cancel) = Cancel::new() {
            let inside = self.directory.join(PREFIX);
            run_ready(haul_io::sweep(&Blocking::new(cancel), Location::named(&inside)));
        }
    }
}

/// Ends a run that packed: directories that no shard took are packed.
///
/// # Errors
/// The message, if they can't be packed.
pub(crate) fn finish(packer: &Packer) -> Result<(), String> {
    let finished = Cancel::new().and_then(|cancel| run_ready(packer.finish(&Blocking::new(cancel))));
    finished.map_err(|error| format!("cannot pack directories: {}", haul_io::reason(&error)))
}

/// Whether a file of this name is a shard.
fn is_shard(name: &OsStr) -> bool {
    let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { return false };
    let number = name.strip_suffix(".age").unwrap_or(name).strip_suffix(".tar");
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

fn read(path: &Path, identities: &[Identity], earlier: &mut Earlier) -> Result<(), Error> {
    let mut file = open_own(path).map_err(read_error)?;
    let add = |member| earlier.add(&member);
    if is_age_file(&mut file)? {
        for_each_member(&mut SealedFile::open(file, identities)?, add)
    } else {
        for_each_member(&mut file, add)
    }
}

fn unreadable(path: &Path, error: &Error) -> Problem {
    let problem = Problem::usage(format!("cannot read the index of {}: {error}", quoted(path)));
    if error.kind() == haul_seal::ErrorKind::NoMatch {
        return problem.hint("--identity names the file with the key that opens the shards");
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_known_by_their_names() {
        for (name, is) in [
            ("shard-000000.tar", true),
            ("shard-000012.tar.age", true),
            ("shard-00003-000012.tar", true),
            ("shard-1.tar.age.age", false),
            ("shard-x.tar", false),
            ("shard-000000.tar.gz", false),
            ("a.tar", false),
        ] {
            assert_eq!(is_shard(OsStr::new(name)), is, "{name}");
        }
    }
}
