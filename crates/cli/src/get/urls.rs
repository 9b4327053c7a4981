//! The tasks of `haul get`: the URLs of the command line, then those of the list.
//!
//! Owns: their order, printing them.
//! Does not own: reading lists, names of results.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Next, Source, thread_waker};
use haul_fetch::{Destination, FetchJob, FetchTask};

use super::naming::Naming;
use super::share::shard::Shard;
use crate::fleet::lines::{FleetLine, FleetNode};
use crate::lists::list::{Item, Lines};
use crate::lists::reader::List;
use crate::report::describe::Reportable;
use crate::report::dry_run::DryRun;
use crate::report::exit::Exit;
use crate::report::text::quoted;
use crate::report::voice::Voice;

/// A source of fetch tasks.
pub(super) struct Urls {
    pub(super) args: std::vec::IntoIter<String>,
    pub(super) list: Option<List>,
    pub(super) shard: Option<Shard>,
    pub(super) naming: Naming,
    /// How many were taken.
    pub(super) count: Arc<AtomicU64>,
    /// The node whose lines are fetched instead.
    pub(super) fleet: Option<FleetNode>,
}

impl Source<FetchTask> for Urls {
    fn next(&mut self) -> Next<FetchTask> {
        if let Some(fleet) = &self.fleet {
            return match fleet.next() {
                Next::Task(FleetLine { line, key, is_repeated, packer }) => {
                    // Only lines that can be used are in slices.
                    let Some(line) = Iterator::next(&mut Lines::new(line.as_bytes())) else {
                        return Next::Later;
                    };
                    let mut task = self.naming.task_in(line, packer.as_ref());
                    task.context = Some(key);
                    task.is_repeated = is_repeated;
                    Next::Task(task)
                }
                Next::Again(id) => Next::Again(id),
                Next::Later => Next::Later,
                Next::End => Next::End,
            };
        }
        let line = loop {
            let line = match (Iterator::next(&mut self.args), &mut self.list) {
                (Some(url), _) => Next::Task(Ok(Item { is_typed: true, ..Item::of_url(url) })),
                (None, Some(list)) => list.next(),
                (None, None) => Next::End,
            };
            match (&line, &self.shard) {
                (Next::Task(line), Some(shard)) if !shard.has(line) => {}
                _ => break line,
            }
        };
        match line {
            Next::Task(line) => {
                self.count.fetch_add(1, Ordering::Relaxed);
                Next::Task(self.naming.task(line))
            }
            Next::Again(id) => Next::Again(id),
            Next::Later => Next::Later,
            Next::End => Next::End,
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        if let Some(fleet) = &self.fleet {
            return fleet.set_waker(waker);
        }
        if let Some(list) = &mut self.list {
            list.set_waker(waker);
        }
    }

    fn ask_again_in(&mut self) -> Duration {
        if let Some(fleet) = &self.fleet {
            return fleet.ask_again_in();
        }
        self.list.as_mut().map_or(Duration::MAX, Source::ask_again_in)
    }
}

impl Urls {
    /// Prints what would be fetched.
    pub(super) fn print(mut self, json: bool, voice: &Voice) -> Exit {
        let mut dry_run = DryRun::new(FetchJob::VERB, json, voice);
        let (hasher, mut names) = (RandomState::new(), HashSet::new());
        self.set_waker(thread_waker());
        while !dry_run.is_unread() {
            let task = match self.next() {
                Next::Task(task) => task,
                Next::Again(_) | Next::Later => {
                    std::thread::park_timeout(self.ask_again_in());
                    continue;
                }
                Next::End => break,
            };
            let (name, target) = match &task.destination {
                Destination::File(publish) => (quoted(&publish.path), Some(publish.path.as_path())),
                Destination::Upload(to) => (quoted(&to.name), Some(Path::new(&to.name))),
                Destination::Pack(to) => {
                    (format!("{} in a shard", quoted(&to.name)), Some(to.name.as_path()))
                }
                Destination::Named(publish) => {
                    (format!("{}, or as the server names it", quoted(&publish.path)), None)
                }
                _ => ("stdout".to_owned(), None),
            };
            match &task.request {
                Ok(_) if target.is_some_and(|target| !names.insert(hasher.hash_one(target))) => {
                    let name = format!("another URL of this run has the file name {name}");
                    dry_run.fail(OsStr::new(&task.label), &name);
                }
                Ok(_) => dry_run.plan(
                    &format!("{} -> {name}", quoted(&task.label)),
                    OsStr::new(&task.label),
                    target,
                ),
                Err(reason) => dry_run.fail(OsStr::new(&task.label), reason),
            }
        }
        dry_run.end()
    }
}
