//! How the results of a walk are kept apart from each other and from its sources.
//!
//! Owns: the checks of inputs before anything starts, which results are remembered.
//! Does not own: comparing names ([`super::claims`]), names of results ([`super::placement`]).

use std::path::PathBuf;

use haul_io::Existing;

use super::claims::{self, Claims};
use super::placement::NameError;
use super::walker::Walk;

/// The source and the result of an input that is a file.
type Named = (PathBuf, PathBuf);

impl Walk {
    /// Keeps results apart from each other and from sources, if results are published as `existing` says. If they
    /// replace files, memory: about 20 bytes for each result in a tree.
    ///
    /// # Errors
    /// The names of the inputs show that two sources have the same result, or that a result would take the place of a
    /// source.
    pub fn publishing(mut self, existing: Existing) -> Result<Self, NameError> {
        if self.naming.direction().keeps_names() {
            return Ok(self);
        }
        let replaces = existing == Existing::Replace;
        let (directories, pairs) = self.named();
        let mirrors = directories.iter().filter(|_| replaces && self.naming.output().is_some());
        let mirrors: Vec<_> = mirrors.map(|root| self.naming.mirrored(root, root)).collect();
        claims::check_inputs(&pairs, &mirrors)?;
        if replaces {
            self.roots = directories.iter().filter_map(|root| root.canonicalize().ok()).collect();
            self.check_nested(&pairs)?;
            self.claims = Some(Claims::default());
        }
        Ok(self)
    }

    /// Fails if an input lies in another one and results lie beside their sources.
    fn check_nested(&self, pairs: &[(PathBuf, PathBuf)]) -> Result<(), NameError> {
        if self.naming.output().is_some() {
            return Ok(());
        }
        let files = pairs.iter().filter_map(|(source, _)| source.canonicalize().ok());
        let inputs: Vec<PathBuf> = files.chain(self.roots.iter().cloned()).collect();
        let lies_in_another = |(index, input): &(usize, &PathBuf)| {
            let first_root = inputs.len() - self.roots.len();
            self.roots
                .iter()
                .enumerate()
                .any(|(at, root)| first_root + at != *index && input.starts_with(root))
        };
        match inputs.iter().enumerate().find(lies_in_another) {
            Some((_, input)) => Err(NameError::Nested(input.clone())),
            None => Ok(()),
        }
    }

    /// As [`publishing`](Self::publishing), for results that aren't files: names that differ at all are different, and
    /// no result takes the place of a source. Memory: about 20 bytes for each result in a tree.
    ///
    /// # Errors
    /// The names of the inputs show that two sources have the same result.
    pub fn publishing_elsewhere(mut self) -> Result<Self, NameError> {
        let mut claims = Claims::exact();
        if let Some((_, target)) = self.named().1.into_iter().find(|(_, target)| !claims.claim(target)) {
            return Err(NameError::SameResult(target));
        }
        self.claims = Some(Claims::exact());
        Ok(self)
    }

    /// The inputs that are directories, and those that are files.
    fn named(&self) -> (Vec<PathBuf>, Vec<Named>) {
        let (directories, files): (Vec<_>, Vec<_>) =
            self.inputs.as_slice().iter().cloned().partition(|input| input.is_dir());
        let named = files.into_iter().filter_map(|source| {
            let target = self.naming.target_of_file(&source)?;
            Some((source, target))
        });
        (directories, named.collect())
    }
}
