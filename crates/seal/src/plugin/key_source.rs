//! A source of tasks with the file keys that plugins wrap or unwrap for them.
//!
//! A separate thread takes tasks, asks plugins about a batch of them, and sends them on, so that the run works on one
//! batch while a plugin processes the next or waits for the user. Memory: three batches.
//!
//! Owns: that thread, its start and end.
//! Does not own: batches ([`super::batch`]), sessions ([`Plugins`]), what jobs do with the keys.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Duration;

use haul_engine::{Next, Source, SourceWaker};
use haul_io::Cancel;

use super::batch::{BATCH_FILES_MAX, Batch, KeyedTasks, lock};
use super::key_request::{KeyRequest, PluginWork};
use super::sessions::Plugins;
use crate::task::Task;

/// The tasks of another source, with file keys from plugins. Without plugins it passes the tasks through.
pub struct KeySource<S>(Mode<S>);

enum Mode<S> {
    PassThrough(S),
    Asking(Asking<S>),
}

struct Asking<S> {
    /// The source. The thread takes its tasks; this type reports the ends of tasks to it.
    source: Arc<Mutex<S>>,
    /// Starts the thread when the first task is requested: from then on the run handles signals.
    begin: Option<SyncSender<()>>,
    /// `None` while this is dropped.
    tasks: Option<Receiver<Task>>,
    /// `None` after it was joined.
    thread: Option<JoinHandle<()>>,
    cancel: Cancel,
    /// By which the thread wakes the run.
    waker: SourceWaker,
}

impl<S: Source<Task> + 'static> KeySource<S> {
    /// Asks `plugins` to do what `request` says for each of `tasks`.
    ///
    /// # Errors
    /// If the process has no more descriptors or threads.
    pub fn new(tasks: S, request: KeyRequest, plugins: Arc<Plugins>) -> std::io::Result<Self> {
        if matches!(request.0, PluginWork::Nothing) {
            return Ok(Self(Mode::PassThrough(tasks)));
        }
        let cancel = Cancel::new()?;
        let (sender, receiver) = sync_channel(BATCH_FILES_MAX);
        let waker = SourceWaker::default();
        let out = KeyedTasks::new(sender, waker.clone());
        let mut batch = Batch::new(request.0, plugins, cancel.clone(), out);
        let (begin, begun) = sync_channel(0);
        let source = Arc::new(Mutex::new(tasks));
        let tasks = source.clone();
        let serve = move || {
            if begun.recv().is_ok() {
                // If the run has ended, there is nothing left to do.
                let _ = batch.serve(&tasks);
            }
        };
        let thread = std::thread::Builder::new().name("plugins".to_owned()).spawn(serve)?;
        let (begin, tasks, thread) = (Some(begin), Some(receiver), Some(thread));
        Ok(Self(Mode::Asking(Asking { source, begin, tasks, thread, cancel, waker })))
    }
}

impl<S: Source<Task>> Source<Task> for KeySource<S> {
    fn next(&mut self) -> Next<Task> {
        match &mut self.0 {
            Mode::PassThrough(tasks) => tasks.next(),
            Mode::Asking(asking) => asking.next(),
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        match &mut self.0 {
            Mode::PassThrough(tasks) => tasks.set_waker(waker),
            Mode::Asking(asking) => asking.waker.set(waker),
        }
    }

    fn ask_again_in(&mut self) -> Duration {
        match &mut self.0 {
            Mode::PassThrough(tasks) => tasks.ask_again_in(),
            Mode::Asking(asking) => asking.waker.ask_again_in(),
        }
    }

    fn ended(&mut self, task: &Task) {
        match &mut self.0 {
            Mode::PassThrough(tasks) => tasks.ended(task),
            Mode::Asking(asking) => {
                lock(&asking.source).ended(task);
                asking.thread.iter().for_each(|thread| thread.thread().unpark());
            }
        }
    }
}

impl<S> Asking<S> {
    fn next(&mut self) -> Next<Task> {
        if let Some(begin) = self.begin.take() {
            // This fails if the thread has ended, which is noticed below.
            let _ = begin.send(());
        }
        match self.tasks.as_ref().map(Receiver::try_recv) {
            Some(Ok(task)) => Next::Task(task),
            Some(Err(TryRecvError::Empty)) => Next::Later,
            Some(Err(TryRecvError::Disconnected)) | None => {
                // A panic of the thread loses tasks and must not look like the end of the source.
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
        self.cancel.trigger();
        self.begin = None;
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A panic no longer matters, because the run has ended.
            let _ = thread.join();
        }
    }
}
