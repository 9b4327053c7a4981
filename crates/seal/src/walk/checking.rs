//! Walks for jobs that read sealed files and write no results.
//!
//! Owns: which tasks such a job gets.
//! Does not own: the walk ([`super::walker`]).

use std::path::PathBuf;

use super::walker::Walk;
use crate::task::Task;

impl Walk {
    /// The tasks for a job that reads sealed files and writes no results: each input that is a file, whatever its name,
    /// and each file of a tree that has the suffix. The walk must go in the direction of opening.
    pub fn to_check(self) -> impl Iterator<Item = Task> + use<> {
        self.without_results().map(|task| match task {
            // Without the suffix, a name yields no name for a result; none is needed.
            Task::Bad { source, error: None } => Task::check(source),
            Task::File { source, found, plugin_key, .. } => {
                Task::File { source, target: PathBuf::new(), found, plugin_key }
            }
            other => other,
        })
    }
}
