//! Batches of tasks: one session with each plugin for many files.
//!
//! Owns: which tasks need plugins, the size of a batch, putting keys into tasks.
//! Does not own: sessions ([`super::sessions`]), the thread ([`super::key_source`]).

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haul_age_format::{
    FileKey, Header, Identity, NONCE_BYTES, OpenError, Recipient, RunKey, open_header, unwrap_file_key,
};
use haul_engine::{Next, Source, SourceWaker, thread_waker};
use haul_io::{Blocking, Cancel, Io};
use rustix::fs::OFlags;

use super::key_request::PluginWork;
use super::sessions::Plugins;
use crate::error::PluginError;
use crate::reader::{read_header, unarmored};
use crate::task::{PluginKey, Refusal, Task};

/// The largest number of files in one session. It makes sessions rare, because each may ask for a PIN, and bounds
/// memory.
pub(super) const BATCH_FILES_MAX: usize = 4096;
/// The largest total length of headers in one session: the bytes of their bodies and arguments.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// The tasks that share the next session.
pub(super) struct Batch {
    work: PluginWork,
    plugins: Arc<Plugins>,
    cancel: Cancel,
    out: KeyedTasks,
    tasks: Vec<Task>,
    /// The headers of the tasks' sources, for opening.
    headers: Vec<Header>,
    /// Length of the headers in bytes.
    bytes: usize,
}

/// The run has ended, so no more tasks are taken.
pub(super) struct RunEnded;

/// Takes tasks to the run, and wakes it for each and for the end.
pub(super) struct KeyedTasks {
    /// `None` once it is dropped.
    tasks: Option<SyncSender<Task>>,
    waker: SourceWaker,
}

impl KeyedTasks {
    pub(super) fn new(tasks: SyncSender<Task>, waker: SourceWaker) -> Self {
        Self { tasks: Some(tasks), waker }
    }

    fn send(&self, task: Task) -> Result<(), RunEnded> {
        let sent = self.tasks.as_ref().is_some_and(|tasks| tasks.send(task).is_ok());
        self.waker.wake();
        if sent { Ok(()) } else { Err(RunEnded) }
    }
}

impl Drop for KeyedTasks {
    fn drop(&mut self) {
        drop(self.tasks.take());
        self.waker.wake();
    }
}

/// What plugins must do for one task.
enum TaskShare {
    Nothing,
    Wrap,
    Unwrap(Header),
}

impl Batch {
    pub(super) fn new(work: PluginWork, plugins: Arc<Plugins>, cancel: Cancel, out: KeyedTasks) -> Self {
        Self { work, plugins, cancel, out, tasks: Vec::new(), headers: Vec::new(), bytes: 0 }
    }

    /// Takes tasks from `tasks` and sends them on with their keys until the source ends. While the source has none, the
    /// thread is parked: the end of a task that the source hears of unparks it, and so does the end of the run.
    pub(super) fn serve(&mut self, tasks: &Mutex<impl Source<Task>>) -> Result<(), RunEnded> {
        let cancel = self.cancel.clone();
        let _unparks = cancel.unparks_this_thread();
        lock(tasks).set_waker(thread_waker());
        loop {
            if self.cancel.is_triggered() {
                return Err(RunEnded);
            }
            let next = lock(tasks).next();
            let task = match next {
                Next::Task(task) => task,
                Next::Later | Next::Again(_) => {
                    // The source may wait for the end of the tasks in this batch. Asking and sending may have taken a
                    // wake-up, so the source is asked once more before the thread parks.
                    if !self.tasks.is_empty() {
                        self.ask()?;
                    } else if !self.cancel.is_triggered() {
                        let pause = lock(tasks).ask_again_in();
                        std::thread::park_timeout(pause);
                    }
                    continue;
                }
                Next::End => return self.ask(),
            };
            match self.share_of(&task) {
                TaskShare::Nothing => self.hand_on(task)?,
                TaskShare::Wrap => self.tasks.push(task),
                TaskShare::Unwrap(header) => {
                    self.tasks.push(task);
                    self.bytes += length_of(&header);
                    self.headers.push(header);
                }
            }
            if self.tasks.len() == BATCH_FILES_MAX || self.bytes >= BATCH_BYTES_MAX {
                self.ask()?;
            }
        }
    }

    fn hand_on(&self, task: Task) -> Result<(), RunEnded> {
        self.out.send(task)
    }

    /// Returns what plugins must do for `task`.
    fn share_of(&self, task: &Task) -> TaskShare {
        let Task::File { source, .. } = task else { return TaskShare::Nothing };
        match &self.work {
            PluginWork::Nothing => TaskShare::Nothing,
            PluginWork::Wrap(..) => TaskShare::Wrap,
            PluginWork::Unwrap(identities, _) => {
                // The job reports what is wrong with a file, because it reads the header again.
                let Some(header) = header_of(source) else { return TaskShare::Nothing };
                // Whether an identity fits doesn't depend on the nonce.
                match open_header(&header, &[0; NONCE_BYTES], identities) {
                    Err(OpenError::NoMatch | OpenError::WrongPassphrase) => TaskShare::Unwrap(header),
                    _ => TaskShare::Nothing,
                }
            }
            PluginWork::Rewrap(..) => header_of(source).map_or(TaskShare::Nothing, TaskShare::Unwrap),
        }
    }

    /// Holds one session with each plugin for the whole batch, and sends its tasks on.
    fn ask(&mut self) -> Result<(), RunEnded> {
        let (tasks, headers) = (std::mem::take(&mut self.tasks), std::mem::take(&mut self.headers));
        self.bytes = 0;
        if tasks.is_empty() {
            return Ok(());
        }
        let tasks = match &self.work {
            PluginWork::Nothing => tasks,
            PluginWork::Wrap(recipients, run_key) => self.wrapped(recipients, run_key, tasks),
            PluginWork::Unwrap(identities, run_key) => self.unwrapped(identities, run_key, &headers, tasks),
            PluginWork::Rewrap(identities, recipients, run_key) => {
                self.rewrapped(Rewrap { identities, recipients, run_key }, &headers, tasks)
            }
        };
        tasks.into_iter().try_for_each(|task| self.hand_on(task))
    }

    fn wrapped(&self, recipients: &[Recipient], run_key: &RunKey, tasks: Vec<Task>) -> Vec<Task> {
        let io = Blocking::new(self.cancel.clone());
        let mut random = |out: &mut [u8]| io.random(out);
        let file_keys: Vec<_> = tasks.iter().map(|_| FileKey::generate_with(&mut random)).collect();
        match self.plugins.wrap(recipients, &file_keys, &self.cancel) {
            Ok(stanzas) => {
                let keys = file_keys.iter().zip(stanzas);
                let mut with_key = |(task, (file_key, stanzas)): (Task, (&FileKey, _))| {
                    task.with_plugin_key(PluginKey::new(file_key, stanzas, run_key, &mut random))
                };
                tasks.into_iter().zip(keys).map(&mut with_key).collect()
            }
            Err(refusal) => tasks.into_iter().map(|task| task.refused(refusal.clone())).collect(),
        }
    }

    fn unwrapped(
        &self,
        identities: &[Identity],
        run_key: &RunKey,
        headers: &[Header],
        tasks: Vec<Task>,
    ) -> Vec<Task> {
        let io = Blocking::new(self.cancel.clone());
        let mut random = |out: &mut [u8]| io.random(out);
        let answers = self.plugins.unwrap(identities, headers, &self.cancel);
        let with_key = |(task, answer): (Task, _)| match answer {
            Ok(Some(file_key)) => {
                task.with_plugin_key(PluginKey::new(&file_key, Vec::new(), run_key, &mut random))
            }
            // The job reports that no identity fits.
            Ok(None) => task,
            Err(error) => task.refused(Refusal::Plugin(error)),
        };
        tasks.into_iter().zip(answers).map(with_key).collect()
    }
}

/// What rekeying asks plugins for.
#[derive(Clone, Copy)]
struct Rewrap<'a> {
    identities: &'a [Identity],
    recipients: &'a [Recipient],
    run_key: &'a RunKey,
}

impl Batch {
    /// The tasks with the file keys of `headers`, and the stanzas of plugins for the new recipients.
    fn rewrapped(&self, keys: Rewrap<'_>, headers: &[Header], tasks: Vec<Task>) -> Vec<Task> {
        let Rewrap { identities, recipients, run_key } = keys;
        let io = Blocking::new(self.cancel.clone());
        let mut random = |out: &mut [u8]| io.random(out);
        let (mut done, mut rekeyed, mut file_keys) = (Vec::new(), Vec::new(), Vec::new());
        for (task, answer) in tasks.into_iter().zip(self.file_keys(identities, headers)) {
            match answer {
                Ok(Some(file_key)) => {
                    rekeyed.push(task);
                    file_keys.push(file_key);
                }
                // The job reports what is wrong.
                Ok(None) => done.push(task),
                Err(error) => done.push(task.refused(Refusal::Plugin(error))),
            }
        }
        match self.plugins.wrap(recipients, &file_keys, &self.cancel) {
            Ok(stanzas) => {
                let keys = file_keys.iter().zip(stanzas);
                done.extend(rekeyed.into_iter().zip(keys).map(|(task, (file_key, stanzas))| {
                    task.with_plugin_key(PluginKey::new(file_key, stanzas, run_key, &mut random))
                }));
            }
            Err(refusal) => done.extend(rekeyed.into_iter().map(|task| task.refused(refusal.clone()))),
        }
        done
    }

    /// The file keys of `headers`, from identities or, if none of these fits, from plugins.
    fn file_keys(
        &self,
        identities: &[Identity],
        headers: &[Header],
    ) -> Vec<Result<Option<FileKey>, PluginError>> {
        let mut unknown = Vec::new();
        let own =
            headers.iter().enumerate().map(|(index, header)| match unwrap_file_key(header, identities) {
                Ok(file_key) => Ok(Some(file_key)),
                Err(OpenError::NoMatch | OpenError::WrongPassphrase) => {
                    unknown.push(index);
                    Ok(None)
                }
                Err(_) => Ok(None),
            });
        let mut answers: Vec<_> = own.collect();
        let asked: Vec<Header> = unknown.iter().map(|index| headers[*index].clone()).collect();
        let found = self.plugins.unwrap(identities, &asked, &self.cancel);
        unknown.into_iter().zip(found).for_each(|(index, answer)| answers[index] = answer);
        answers
    }
}

/// Reads the header of a regular file; `None` if it has none or can't be read.
fn header_of(path: &Path) -> Option<Header> {
    // Opening must not block if a pipe has replaced the file.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options().read(true).custom_flags(i32::try_from(flags.bits()).ok()?).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    read_header(&mut unarmored(file).ok()?).ok().map(|start| start.header)
}

/// Length in bytes of the bodies and arguments of a header's stanzas.
fn length_of(header: &Header) -> usize {
    let length = |stanza: &haul_age_format::Stanza| {
        stanza.body.len() + stanza.arguments.iter().map(String::len).sum::<usize>()
    };
    header.stanzas().iter().map(length).sum()
}

/// Locks the source. If it panicked, its thread has ended, which [`KeySource`](super::key_source::KeySource) notices.
pub(super) fn lock<S>(source: &Mutex<S>) -> MutexGuard<'_, S> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}
