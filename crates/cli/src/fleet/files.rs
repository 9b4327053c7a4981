//! The files that a node seals: each line of its slices names one.
//!
//! Owns: which lines name files, the names of their results, what the end of a task means for its line.
//! Does not own: slices and leases ([`super::lines`]), sealing ([`haul_seal`]).

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Failure, Next, Settled, Source};
use haul_io::{Blocking, Cancel, Io, Location, run_ready};
use haul_pack::Packer;
use haul_seal::{Error, Outcome, PackJob, PackTask, SkipReason, Task};
use haul_store::Object;

use super::address::NodePlan;
use super::durable::FleetSink;
use super::limits::FleetLimits;
use super::lines::{FleetLine, FleetNode};
use super::slices::LineEnd;
use crate::packs::slices::SliceShards;
use crate::report::describe::Reportable;
use crate::report::exit::{Exit, Problem};
use crate::report::reporter::message;
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::stores::objects::{address, is_object};

/// The member of a run that says what its lines name; without it, URLs.
pub(crate) const NAMED: &str = "named";

/// What the lines of a run name. They are of one kind: lines of two could have one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// Files, from the directory in which a node works.
    Relative,
    /// Files, from the root.
    Absolute,
    /// Objects.
    Objects,
}

/// Where the results of a node go.
pub(crate) struct Results {
    /// A directory, or the prefix of a bucket.
    pub(crate) output: PathBuf,
    pub(crate) suffix: OsString,
    /// Files that are never sealed: they hold keys.
    pub(crate) secrets: Vec<PathBuf>,
}

/// The files of a node's lines. Clones are the same.
#[derive(Clone)]
pub(crate) struct FleetFiles(Arc<Shared>);

struct Shared {
    node: FleetNode,
    named: Named,
    results: Results,
    /// Whether results become members of shards.
    packs: bool,
    /// Device and inode of each of the secrets.
    secrets: Vec<(u64, u64)>,
    io: Mutex<Blocking>,
    /// What the lines are known by whose tasks haven't ended, by their sources.
    begun: Mutex<HashMap<PathBuf, Vec<Box<str>>>>,
}

impl Named {
    /// What `line` names.
    ///
    /// # Errors
    /// Why it can't be sealed.
    pub(super) fn of(line: &[u8]) -> Result<Self, String> {
        let line = str::from_utf8(line).map_err(|_| "the name isn't UTF-8")?;
        if line.contains('\0') {
            return Err("a name has no zero byte".to_owned());
        }
        let path = Path::new(line);
        let kind = Self::kind(line.as_bytes());
        if kind == Self::Objects {
            let object = address::<Object>(path).map_err(|error| error.to_string())?;
            let is_name = |part: &str| !matches!(part, "" | "." | "..");
            return if object.key().split('/').all(is_name) {
                Ok(kind)
            } else {
                Err("its key is no name for a file in a directory".to_owned())
            };
        }
        if line.ends_with('/') || path.file_name().is_none() {
            return Err("it names a directory, not a file".to_owned());
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return Err("a name with .. could have the result of another".to_owned());
        }
        Ok(kind)
    }

    /// What `line` names, whether or not it can be sealed.
    pub(super) fn kind(line: &[u8]) -> Self {
        match line {
            [b's', b'3', b':', b'/', b'/', ..] => Self::Objects,
            [b'/', ..] => Self::Absolute,
            _ => Self::Relative,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Relative, Self::Absolute, Self::Objects].into_iter().find(|named| named.to_string() == text)
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relative => "files",
            Self::Absolute => "files from the root",
            Self::Objects => "objects",
        })
    }
}

impl FleetFiles {
    /// Joins the run of `plan`. Results are packed into `shards`, if there are any.
    ///
    /// # Errors
    /// If its lines name no files, or none that can have results there.
    pub(crate) fn join(
        plan: NodePlan,
        results: Results,
        shards: Option<SliceShards>,
        voice: &Voice,
    ) -> Result<Self, Problem> {
        let (server, status) = plan.open()?;
        let named = status.members.get(NAMED).and_then(|text| Named::parse(text));
        let named = named.ok_or_else(|| {
            Problem::usage("the lines of this run are URLs, not files").hint("see haul get --fleet")
        })?;
        if shards.is_some() && named == Named::Objects {
            return Err(Problem::usage("--pack works on files, and the lines of this run are objects"));
        }
        let directory = (!is_object(&results.output)).then(|| results.output.clone());
        match &directory {
            Some(_) if named == Named::Objects => {
                return Err(Problem::usage("the results of objects need a bucket")
                    .hint("name one with -o s3://BUCKET/PREFIX/"));
            }
            Some(directory) => make_directory(directory)?,
            None => {}
        }
        let packs = shards.is_some();
        let sink = FleetSink { directory, shards };
        let node = FleetNode::join(server, &status.settings(), FleetLimits::default(), sink, voice)?;
        let secrets = results.secrets.iter().filter_map(|path| rustix::fs::stat(path).ok());
        let secrets = secrets.map(|stat| (stat.st_dev, stat.st_ino)).collect();
        let (io, begun) = (Mutex::new(Blocking::new(Cancel::new()?)), Mutex::default());
        Ok(Self(Arc::new(Shared { node, named, results, packs, secrets, io, begun })))
    }

    /// Whether sources or results are objects.
    pub(crate) fn has_objects(&self) -> bool {
        self.0.named == Named::Objects || is_object(&self.0.results.output)
    }

    /// Tells the fleet how the line of a task ended.
    pub(crate) fn tell<J>(&self, job: &J, settled: &Settled<J>)
    where
        J: Reportable<Task = Task, Output = Outcome, Error = Error>,
    {
        let message = |failure: &Failure<Error>| message(job, &settled.task, failure);
        self.tell_end(settled.task.source(), &settled.outcome, settled.bytes, message);
    }

    /// As [`FleetFiles::tell`], where results are packed.
    pub(crate) fn tell_packed(&self, job: &PackJob, settled: &Settled<PackJob>) {
        let message = |failure: &Failure<Error>| message(job, &settled.task, failure);
        self.tell_end(settled.task.task().source(), &settled.outcome, settled.bytes, message);
    }

    fn tell_end(
        &self,
        source: &Path,
        outcome: &Result<Outcome, Failure<Error>>,
        bytes: u64,
        message: impl Fn(&Failure<Error>) -> String,
    ) {
        let Some(key) = self.take(source) else { return };
        let end = match outcome {
            Ok(Outcome::Skipped(SkipReason::Secret)) => {
                LineEnd::Failed("it holds a key or passphrase of this run".to_owned())
            }
            Ok(outcome) => LineEnd::Done { bytes, is_skipped: matches!(outcome, Outcome::Skipped(_)) },
            Err(Failure::Cancelled) => LineEnd::Cancelled,
            Err(failure @ Failure::Job(Error::Exists)) => LineEnd::Taken(message(failure)),
            Err(failure) => LineEnd::Failed(message(failure)),
        };
        self.0.node.ended(&key, end);
    }

    /// Leaves the fleet. Returns the exit code of the run, which ended with `exit`.
    pub(crate) fn leave(&self, exit: Exit) -> Exit {
        self.0.node.leave(exit)
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<Box<str>>>> {
        self.0.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a line with this source is known by. Where several lines name one source, each is ended once.
    fn take(&self, source: &Path) -> Option<Box<str>> {
        let mut begun = self.begun();
        let keys = begun.get_mut(source)?;
        let key = keys.pop();
        if keys.is_empty() {
            begun.remove(source);
        }
        key
    }

    /// The task for the next line, and what packs its result, if it is packed.
    fn next_line(&self) -> Next<(Task, Option<Packer>)> {
        match self.0.node.next() {
            Next::Task(FleetLine { line, key, packer, .. }) => {
                let task = self.task(&line);
                self.begun().entry(task.source().to_owned()).or_default().push(key);
                Next::Task((task, packer))
            }
            Next::Again(id) => Next::Again(id),
            Next::Later => Next::Later,
            Next::End => Next::End,
        }
    }

    /// The task for a line.
    fn task(&self, line: &str) -> Task {
        let source = PathBuf::from(line);
        let checked = Named::of(line.as_bytes()).map_err(io::Error::other);
        let task = checked.and_then(|named| {
            if named == self.0.named {
                self.task_of(source.clone())
            } else {
                Err(io::Error::other("the run has lines of another kind"))
            }
        });
        task.unwrap_or_else(|error| Task::Bad { source, error: Some(error.into()) })
    }

    fn task_of(&self, source: PathBuf) -> io::Result<Task> {
        let Results { output, suffix, .. } = &self.0.results;
        let mut target = output.join(result_name(&source)).into_os_string();
        target.push(suffix);
        let target = PathBuf::from(target);
        if self.0.named == Named::Objects {
            return Ok(Task::file(source, target));
        }
        let stat = rustix::fs::stat(&source)?;
        if self.0.secrets.contains(&(stat.st_dev, stat.st_ino)) {
            return Ok(Task::Skip { source, reason: SkipReason::Secret });
        }
        let root_bytes = output.as_os_str().len();
        if !is_object(output) && !self.0.packs {
            let io = self.0.io.lock().unwrap_or_else(PoisonError::into_inner);
            run_ready(io.make_directory(Location::beneath(&target, root_bytes)))?;
        }
        Task::file_beneath(source, target, root_bytes)
    }
}

/// The name of the result of `source` in its directory or bucket, without the suffix.
fn result_name(source: &Path) -> PathBuf {
    let below = source.to_str().and_then(|text| text.strip_prefix("s3://")).map_or(source, Path::new);
    below.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

fn make_directory(directory: &Path) -> Result<(), Problem> {
    std::fs::create_dir_all(directory).map_err(|error| Problem {
        message: format!("cannot create {}: {}", quoted(directory), haul_io::reason(&error)),
        hint: None,
        exit: Exit::Failed,
    })
}

/// The files of a node's lines, as members of the shards of their slices.
pub(crate) struct PackedFiles(pub(crate) FleetFiles);

impl Source<PackTask> for PackedFiles {
    fn next(&mut self) -> Next<PackTask> {
        match self.0.next_line() {
            Next::Task((task, packer)) => {
                let name = result_name(task.source()).into_os_string().into_vec();
                Next::Task(PackTask::new(task, name).packed_by(packer))
            }
            Next::Again(id) => Next::Again(id),
            Next::Later => Next::Later,
            Next::End => Next::End,
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.0.set_waker(waker);
    }

    fn ask_again_in(&mut self) -> Duration {
        self.0.ask_again_in()
    }
}

impl Source<Task> for FleetFiles {
    fn next(&mut self) -> Next<Task> {
        match self.next_line() {
            Next::Task((task, _)) => Next::Task(task),
            Next::Again(id) => Next::Again(id),
            Next::Later => Next::Later,
            Next::End => Next::End,
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.0.node.set_waker(waker);
    }

    fn ask_again_in(&mut self) -> Duration {
        self.0.node.ask_again_in()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_files_or_objects() {
        for (line, expected) in [
            (&b"a"[..], Some(Named::Relative)),
            (b"photos/a b", Some(Named::Relative)),
            (b"./a", Some(Named::Relative)),
            (b"/srv/a", Some(Named::Absolute)),
            (b"s3://bucket/a/b", Some(Named::Objects)),
            (b"s3://bucket/", None),
            (b"s3://bucket/a/../b", None),
            (b"s3://bucket/a//b", None),
            (b"a/../b", None),
            (b"..", None),
            (b"a/", None),
            (b"/", None),
            (b"a\0b", None),
            (b"a\xff", None),
        ] {
            assert_eq!(Named::of(line).ok(), expected, "{:?}", String::from_utf8_lossy(line));
        }
        for named in [Named::Relative, Named::Absolute, Named::Objects] {
            assert_eq!(Named::parse(&named.to_string()), Some(named));
        }
    }

    #[test]
    fn results_are_named_after_whole_lines() {
        for (line, expected) in
            [("a", "a"), ("./d//a", "d/a"), ("/srv/a b", "srv/a b"), ("s3://bucket/d/a", "bucket/d/a")]
        {
            assert_eq!(result_name(Path::new(line)), Path::new(expected), "{line}");
        }
    }
}
