//! A run over trees, described step by step and then carried out.
//!
//! Owns: the settings and their defaults, the first failure.
//! Does not own: what sets the jobs apart ([`super::kind`]).

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use haul_age_format::{Identity, Question, Recipient};
use haul_engine::{Config, Engine, Event, Report, run};
use haul_io::{Blocking, Cancel, Io};

use super::error::{FailedFile, TreeError};
use super::kind::{TreeJob, WritingJob};
use crate::jobs::{OpenJob, SealJob, VerifyJob};
use crate::plugin::{KeySource, PluginLimits, PluginUi, Plugins};
use crate::task::FileOptions;
use crate::walk::{Filter, Placement, Walk};

/// Seals trees and files.
///
/// ```
/// use haul_seal::{Cancel, Event, OpenTree, SealTree, VerifyTree, X25519Identity};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let [tree, out, back] = ["tree", "out", "back"].map(|name| directory.path().join(name));
/// # std::fs::create_dir_all(tree.join("letters"))?;
/// # std::fs::write(tree.join("letters/ada"), "Dear Ada")?;
/// let (ada, cancel) = (X25519Identity::generate(), Cancel::new()?);
/// let failed = |event: &Event<_>| matches!(event, Event::Settled(settled) if settled.outcome.is_err());
/// SealTree::new([ada.to_recipient().into()]).from(&tree).to(&out).threads(4).cancel(&cancel).on_event(|event| {
///     if failed(event) { /* tell the user */ }
/// }).run()?;
/// VerifyTree::new([ada.clone().into()]).from(&out).run()?;
/// OpenTree::new([ada.into()]).from(&out).to(&back).run()?;
/// # assert_eq!(std::fs::read(back.join("letters/ada"))?, b"Dear Ada");
/// # Ok(())
/// # }
/// ```
pub type SealTree<'a> = Tree<'a, SealJob>;

/// Opens trees and files. See [`SealTree`] for an example.
pub type OpenTree<'a> = Tree<'a, OpenJob>;

/// Authenticates every chunk of trees and files. See [`SealTree`] for an example.
pub type VerifyTree<'a> = Tree<'a, VerifyJob>;

/// A run of `J` over trees: a [`SealTree`], an [`OpenTree`] or a [`VerifyTree`].
#[must_use = "nothing happens until it is run"]
pub struct Tree<'a, J: TreeJob> {
    keys: Vec<J::Key>,
    inputs: Vec<PathBuf>,
    output: Option<PathBuf>,
    suffix: OsString,
    filter: Filter,
    options: FileOptions,
    armored: bool,
    engine: Option<Engine>,
    plugins: Option<Arc<Plugins>>,
    cancel: Option<Cancel>,
    on_event: OnEvent<'a, J>,
}

/// What is called for each event of a run.
type OnEvent<'a, J> = Box<dyn FnMut(&Event<J>) + 'a>;

impl Tree<'_, SealJob> {
    /// Seals to `recipients`.
    pub fn new(recipients: impl IntoIterator<Item = Recipient>) -> Self {
        Self::with_keys(recipients)
    }

    /// Sets whether results are armored. Defaults to false.
    pub fn armored(self, armored: bool) -> Self {
        Self { armored, ..self }
    }
}

impl Tree<'_, OpenJob> {
    /// Opens with the first of `identities` that fits a file.
    pub fn new(identities: impl IntoIterator<Item = Identity>) -> Self {
        Self::with_keys(identities)
    }
}

impl Tree<'_, VerifyJob> {
    /// Verifies with the first of `identities` that fits a file.
    pub fn new(identities: impl IntoIterator<Item = Identity>) -> Self {
        Self::with_keys(identities)
    }
}

impl<J: WritingJob> Tree<'_, J> {
    /// Writes results into the directory `output`, which mirrors the tree; of a single file, the result is `output`
    /// itself unless that is a directory. Defaults to results beside their sources.
    pub fn to(self, output: impl Into<PathBuf>) -> Self {
        Self { output: Some(output.into()), ..self }
    }

    /// Sets how results are written.
    pub fn options(self, options: FileOptions) -> Self {
        Self { options, ..self }
    }
}

impl<'a, J: TreeJob> Tree<'a, J> {
    fn with_keys(keys: impl IntoIterator<Item = J::Key>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            inputs: Vec::new(),
            output: None,
            suffix: ".age".into(),
            filter: Filter::default(),
            options: FileOptions::default(),
            armored: false,
            engine: None,
            plugins: None,
            cancel: None,
            on_event: Box::new(|_| {}),
        }
    }

    /// Adds a tree or a file.
    pub fn from(mut self, input: impl Into<PathBuf>) -> Self {
        self.inputs.push(input.into());
        self
    }

    /// Sets the number of threads; 0 counts as 1. Defaults to the number of cores.
    pub fn threads(self, count: usize) -> Self {
        self.engine(Engine::Threads(NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)))
    }

    /// Sets the engine. Those of processes are replaced by threads.
    pub fn engine(self, engine: Engine) -> Self {
        Self { engine: Some(engine), ..self }
    }

    /// Ends the run early when `cancel` is triggered.
    pub fn cancel(self, cancel: &Cancel) -> Self {
        Self { cancel: Some(cancel.clone()), ..self }
    }

    /// Calls `on_event` for each event, on the thread that calls [`run`](Self::run): once for each file, among others.
    pub fn on_event(self, on_event: impl FnMut(&Event<J>) + 'a) -> Self {
        Self { on_event: Box::new(on_event), ..self }
    }

    /// Sets which entries of trees are taken. Defaults to all, and to skipping symbolic links.
    pub fn filter(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// Sets the suffix of sealed files. Defaults to `.age`.
    pub fn suffix(self, suffix: impl Into<OsString>) -> Self {
        Self { suffix: suffix.into(), ..self }
    }

    /// Sets the plugins that are asked if keys need them. Defaults to none.
    pub fn plugins(self, plugins: Arc<Plugins>) -> Self {
        Self { plugins: Some(plugins), ..self }
    }

    /// Works on all files and returns when the last has ended. Memory doesn't depend on their number.
    ///
    /// # Errors
    /// If anything was not done: see [`TreeError`]. Each failed file was an event.
    ///
    /// # Panics
    /// If `on_event` panics, after the tasks that were begun have ended; or if the system provides no randomness.
    pub fn run(self) -> Result<Report, TreeError> {
        if self.inputs.is_empty() {
            return Err(TreeError::NoFiles);
        }
        let cancel = match &self.cancel {
            // A run that ends early doesn't end what else the caller does.
            Some(cancel) => cancel.child()?,
            None => Cancel::new()?,
        };
        let io = || Blocking::new(cancel.clone());
        let job = J::make(self.keys, &self.options, self.armored)?;
        let placement = Placement { direction: J::DIRECTION, suffix: self.suffix, output: self.output };
        let walk = Walk::new(self.inputs, placement)?.filtered(self.filter);
        let tasks = J::tasks(walk, &self.options, io)?;
        let plugins = self
            .plugins
            .unwrap_or_else(|| Arc::new(Plugins::new(OsString::new(), Silent, PluginLimits::default())));
        let request = job.plugin_request(&mut |out| io().random(out));
        let source = KeySource::new(tasks, request, plugins)?;
        let engine = self.engine.unwrap_or_else(|| {
            Engine::Threads(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
        });
        let config = Config::new(engine, cancel.clone());
        let (mut on_event, mut first) = (self.on_event, None);
        let report = run(&job, source, &config, |event| {
            if let Event::Settled(settled) = event
                && let (Err(failure), None) = (&settled.outcome, &first)
            {
                first = Some(FailedFile::new(settled.task.source().to_owned(), failure));
            }
            on_event(event);
        });
        match first {
            _ if report.cancelled => Err(TreeError::Cancelled(Box::new(report))),
            Some(first) => Err(TreeError::Failed { report: Box::new(report), first }),
            None if J::NEEDS_FILES && report.succeeded == 0 => Err(TreeError::NoFiles),
            None => Ok(report),
        }
    }
}

/// The user interface of a run without plugins.
struct Silent;

impl PluginUi for Silent {
    fn answer(&self, _: &str, _: &Question, _: &Cancel) -> Option<zeroize::Zeroizing<String>> {
        None
    }
}
