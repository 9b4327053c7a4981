//! Tasks with the file keys that plugins wrap or unwrap for them, many files in one session.
//!
//! A thread of its own takes tasks, asks plugins for a batch of them, and hands them on, so that the run goes on with one batch
//! while a plugin deals with the next, or waits for a person. Memory: three batches.
//!
//! Owns: batches, that thread.
//! Does not own: sessions ([`Plugins`]), what jobs do with the keys.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use haul_age_format::{FileKey, Header, Identity, NONCE_BYTES, OpenError, Recipient, RunKey, open_header};
use haul_engine::{Next, Source};
use haul_io::{Blocking, Cancel, Io};
use rustix::fs::OFlags;

use super::Plugins;
use crate::Task;
use crate::stream::{read_header, unarmored};
use crate::task::{Keyed, Refusal};

/// Files in one session: few sessions where each may ask for a PIN, and a bound on what is held.
pub(super) const BATCH_FILES_MAX: usize = 4096;
/// Headers in one session, in bytes of their bodies and arguments.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// How long a source that has nothing yet is left alone, unless a task ends meanwhile.
const NAP: Duration = Duration::from_millis(10);

/// What a job needs plugins for.
#[derive(Clone)]
pub struct Keying(pub(crate) Need);

#[derive(Clone)]
pub(crate) enum Need {
    Nothing,
    Wrapping(Vec<Recipient>, RunKey),
    Unwrapping(Vec<Identity>, RunKey),
}

impl Keying {
    /// For jobs without keys.
    pub const NOTHING: Self = Self(Need::Nothing);

    pub(crate) fn to_seal(recipients: &[Recipient], run_key: impl FnOnce() -> RunKey) -> Self {
        Self(match recipients.iter().any(|recipient| recipient.plugin().is_some()) {
            true => Need::Wrapping(recipients.to_vec(), run_key()),
            false => Need::Nothing,
        })
    }

    pub(crate) fn to_open(identities: &[Identity], run_key: impl FnOnce() -> RunKey) -> Self {
        let is_plugin = |identity: &Identity| matches!(identity, Identity::Plugin(_));
        Self(match identities.iter().any(is_plugin) {
            true => Need::Unwrapping(identities.to_vec(), run_key()),
            false => Need::Nothing,
        })
    }
}

/// The tasks of another source, with keys where plugins are needed. Without plugins it passes them through.
pub struct KeySource<S>(Way<S>);

enum Way<S> {
    Through(S),
    Asking(Asking<S>),
}

struct Asking<S> {
    /// Where tasks come from. The thread takes them; ends are told to it here.
    source: Arc<Mutex<S>>,
    /// Lets the thread begin, when the first task is asked for: by then the run heeds signals.
    go: Option<SyncSender<()>>,
    /// `None` when this is dropped.
    tasks: Option<Receiver<Task>>,
    /// `None` once it was joined.
    thread: Option<JoinHandle<()>>,
    stop: Cancel,
}

impl<S: Source<Task> + 'static> KeySource<S> {
    /// Asks `plugins` for what `keying` says about `tasks`.
    ///
    /// # Errors
    /// When the process is out of descriptors or threads.
    pub fn new(tasks: S, keying: Keying, plugins: Arc<Plugins>) -> std::io::Result<Self> {
        if matches!(keying.0, Need::Nothing) {
            return Ok(Self(Way::Through(tasks)));
        }
        let stop = Cancel::new()?;
        let (sender, receiver) = sync_channel(BATCH_FILES_MAX);
        let mut batch = Batch {
            need: keying.0,
            plugins,
            stop: stop.clone(),
            out: sender,
            tasks: Vec::new(),
            headers: Vec::new(),
            bytes: 0,
        };
        let (go, begin) = sync_channel(0);
        let source = Arc::new(Mutex::new(tasks));
        let tasks = source.clone();
        let serve = move || {
            if begin.recv().is_ok() {
                // The end of the run shows as a task that nobody takes.
                let _ = batch.serve(&tasks);
            }
        };
        let thread = std::thread::Builder::new().name("plugins".to_owned()).spawn(serve)?;
        let (go, tasks, thread) = (Some(go), Some(receiver), Some(thread));
        Ok(Self(Way::Asking(Asking { source, go, tasks, thread, stop })))
    }
}

impl<S: Source<Task>> Source<Task> for KeySource<S> {
    fn next(&mut self) -> Next<Task> {
        match &mut self.0 {
            Way::Through(tasks) => tasks.next(),
            Way::Asking(asking) => asking.next(),
        }
    }

    fn ended(&mut self, task: &Task) {
        match &mut self.0 {
            Way::Through(tasks) => tasks.ended(task),
            Way::Asking(asking) => {
                lock(&asking.source).ended(task);
                asking.thread.iter().for_each(|thread| thread.thread().unpark());
            }
        }
    }
}

/// A source that panicked shows by the end of its thread.
fn lock<S>(source: &Mutex<S>) -> MutexGuard<'_, S> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Asking<S> {
    fn next(&mut self) -> Next<Task> {
        if let Some(go) = self.go.take() {
            // It fails where the thread is gone, which shows below.
            let _ = go.send(());
        }
        match self.tasks.as_ref().map(Receiver::try_recv) {
            Some(Ok(task)) => Next::Task(task),
            Some(Err(TryRecvError::Empty)) => Next::Later,
            Some(Err(TryRecvError::Disconnected)) | None => {
                // Tasks that a panic took along must not look like the end.
                match self.thread.take().map(JoinHandle::join) {
                    Some(Err(panic)) => std::panic::resume_unwind(panic),
                    _ => Next::End,
                }
            }
        }
    }
}

impl<S> Drop for Asking<S> {
    fn drop(&mut self) {
        self.stop.trigger();
        self.go = None;
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // Its panic would have been told of, had the run gone on.
            let _ = thread.join();
        }
    }
}

/// The tasks that are asked for together.
struct Batch {
    need: Need,
    plugins: Arc<Plugins>,
    stop: Cancel,
    out: SyncSender<Task>,
    tasks: Vec<Task>,
    /// Of the tasks, where files are opened.
    headers: Vec<Header>,
    /// Length of the headers.
    bytes: usize,
}

/// Nobody takes tasks any more.
struct Over;

impl Batch {
    fn serve(&mut self, tasks: &Mutex<impl Source<Task>>) -> Result<(), Over> {
        loop {
            if self.stop.is_triggered() {
                return Err(Over);
            }
            let next = lock(tasks).next();
            let task = match next {
                Next::Task(task) => task,
                Next::Later | Next::Again(_) => {
                    // What it waits for may be the end of what is held here.
                    self.ask()?;
                    std::thread::park_timeout(NAP);
                    continue;
                }
                Next::End => return self.ask(),
            };
            match self.header_to_ask_for(&task) {
                None => self.hand_on(task)?,
                Some(header) => {
                    self.tasks.push(task);
                    self.bytes += header.as_ref().map_or(0, length_of);
                    self.headers.extend(header);
                }
            }
            if self.tasks.len() == BATCH_FILES_MAX || self.bytes >= BATCH_BYTES_MAX {
                self.ask()?;
            }
        }
    }

    fn hand_on(&self, task: Task) -> Result<(), Over> {
        self.out.send(task).map_err(|_| Over)
    }

    /// `None`: no plugin is needed for the task. Else the header, where one is to be opened.
    fn header_to_ask_for(&self, task: &Task) -> Option<Option<Header>> {
        let Task::File { source, .. } = task else { return None };
        match &self.need {
            Need::Nothing => None,
            Need::Wrapping(..) => Some(None),
            Need::Unwrapping(identities, _) => {
                // What is wrong with a file is told by the job, which sees it again.
                let header = header_of(source)?;
                // The nonce makes no difference to whether an identity fits.
                match open_header(&header, &[0; NONCE_BYTES], identities) {
                    Err(OpenError::NoMatch) => Some(Some(header)),
                    _ => None,
                }
            }
        }
    }

    fn ask(&mut self) -> Result<(), Over> {
        let (tasks, headers) = (std::mem::take(&mut self.tasks), std::mem::take(&mut self.headers));
        self.bytes = 0;
        if tasks.is_empty() {
            return Ok(());
        }
        let tasks = match &self.need {
            Need::Nothing => tasks,
            Need::Wrapping(recipients, run_key) => self.wrapped(recipients, run_key, tasks),
            Need::Unwrapping(identities, run_key) => self.unwrapped(identities, run_key, &headers, tasks),
        };
        tasks.into_iter().try_for_each(|task| self.hand_on(task))
    }

    fn wrapped(&self, recipients: &[Recipient], run_key: &RunKey, tasks: Vec<Task>) -> Vec<Task> {
        let io = Blocking::new(self.stop.clone());
        let mut random = |out: &mut [u8]| io.random(out);
        let file_keys: Vec<_> = tasks.iter().map(|_| FileKey::generate_with(&mut random)).collect();
        match self.plugins.wrap(recipients, &file_keys, &self.stop) {
            Ok(stanzas) => {
                let keys = file_keys.iter().zip(stanzas);
                let mut keyed = |(file_key, stanzas)| Keyed::new(file_key, stanzas, run_key, &mut random);
                tasks.into_iter().zip(keys).map(|(task, key)| task.keyed(keyed(key))).collect()
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
        let io = Blocking::new(self.stop.clone());
        let mut random = |out: &mut [u8]| io.random(out);
        let answers = self.plugins.unwrap(identities, headers, &self.stop);
        let keyed = |(task, answer): (Task, _)| match answer {
            Ok(Some(file_key)) => task.keyed(Keyed::new(&file_key, Vec::new(), run_key, &mut random)),
            // The job says that nothing fits.
            Ok(None) => task,
            Err(error) => task.refused(Refusal::Plugin(error)),
        };
        tasks.into_iter().zip(answers).map(keyed).collect()
    }
}

/// The header of a regular file; `None` if it has none that could be opened.
fn header_of(path: &Path) -> Option<Header> {
    // A pipe that took the file's place must not be waited for.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options().read(true).custom_flags(i32::try_from(flags.bits()).ok()?).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let (header, _, _) = read_header(&mut unarmored(file).ok()?).ok()?;
    Some(header)
}

fn length_of(header: &Header) -> usize {
    let length = |stanza: &haul_age_format::Stanza| {
        stanza.body.len() + stanza.arguments.iter().map(String::len).sum::<usize>()
    };
    header.stanzas().iter().map(length).sum()
}
