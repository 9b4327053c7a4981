//! Reads lists during the run.
//!
//! Owns: opening them, the thread that reads pipes ahead.
//! Does not own: their grammar ([`super::list`]).

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Next, Source, SourceWaker};
use haul_io::reason;

use super::digest::{Digested, ListDigest};
use super::list::{Line, Lines};
use crate::report::exit::Problem;
use crate::report::text::quoted;

/// Lines in a batch: handing one over costs more than reading a line.
const BATCH_LINES_MAX: usize = 64;
/// Batches that may wait for the consumer.
const BATCHES_AHEAD: usize = 4;

/// The lines of a list.
pub(crate) enum List {
    /// A regular file, which is read on demand.
    File(Lines<Digested<File>>),
    /// A pipe or a terminal, where the system refuses a thread to wait for its lines.
    Waiting(Lines<Box<dyn Read + Send>>),
    /// A pipe or a terminal, whose lines may arrive slowly: a thread waits for them.
    Stream { batches: Receiver<Vec<Line>>, batch: std::vec::IntoIter<Line>, waker: SourceWaker },
}

impl List {
    /// The name of the list at `path` in messages.
    pub(crate) fn name(path: &Path) -> String {
        if path == Path::new("-") { "stdin".to_owned() } else { path.to_string_lossy().into_owned() }
    }

    /// Opens the list; `-` is stdin. What is read of a regular file goes into `digest`, if there is one.
    pub(crate) fn open(path: &Path, digest: Option<ListDigest>) -> Result<Self, Problem> {
        let unreadable = |error: std::io::Error| {
            Problem::usage(format!("cannot open list {}: {}", quoted(path), reason(&error)))
        };
        if path == Path::new("-") {
            return Self::stream(std::io::stdin());
        }
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
        }
        if metadata.is_file() {
            return Ok(Self::File(Lines::new(Digested { reader: file, digest })));
        }
        Self::stream(file)
    }

    fn stream(reader: impl Read + Send + 'static) -> Result<Self, Problem> {
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        let waker = SourceWaker::default();
        let sender = Sender { batches: Some(sender), waker: waker.clone() };
        // The thread isn't joined: the program must be able to end while stdin stays open.
        let source: Arc<Mutex<Option<Box<dyn Read + Send>>>> = Arc::new(Mutex::new(Some(Box::new(reader))));
        let taken = source.clone();
        let send = move || {
            if let Some(reader) = take(&taken) {
                send_lines(reader, &sender);
            }
        };
        match std::thread::Builder::new().name("list".to_owned()).spawn(send) {
            Ok(_) => Ok(Self::Stream { batches, batch: Vec::new().into_iter(), waker }),
            // Without a thread, the run waits for each line.
            Err(error) => take(&source).map(|reader| Self::Waiting(Lines::new(reader))).ok_or(error.into()),
        }
    }
}

fn take<T>(source: &Mutex<Option<T>>) -> Option<T> {
    source.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Sends batches to the consumer and wakes it for each, and for the end.
struct Sender {
    /// `None` once it is dropped.
    batches: Option<SyncSender<Vec<Line>>>,
    waker: SourceWaker,
}

impl Sender {
    /// Whether the consumer still wants lines.
    fn send(&self, batch: Vec<Line>) -> bool {
        let is_wanted = self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok());
        self.waker.wake();
        is_wanted
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        drop(self.batches.take());
        self.waker.wake();
    }
}

/// Sends the lines of `reader` in batches. A line that has arrived never waits for one that hasn't.
fn send_lines(reader: impl Read, sender: &Sender) {
    let mut lines = Lines::new(reader);
    let mut batch = Vec::new();
    while let Some(line) = lines.step() {
        batch.extend(line);
        let is_due = batch.len() == BATCH_LINES_MAX || !lines.has_buffered_line();
        if is_due && !batch.is_empty() && !sender.send(std::mem::take(&mut batch)) {
            return;
        }
    }
}

impl Source<Line> for List {
    fn next(&mut self) -> Next<Line> {
        let (batches, batch) = match self {
            Self::File(lines) => return Source::next(lines),
            Self::Waiting(lines) => return Source::next(lines),
            Self::Stream { batches, batch, .. } => (batches, batch),
        };
        loop {
            if let Some(line) = Iterator::next(batch) {
                return Next::Task(line);
            }
            match batches.try_recv() {
                Ok(next) => *batch = next.into_iter(),
                Err(TryRecvError::Empty) => return Next::Later,
                Err(TryRecvError::Disconnected) => return Next::End,
            }
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        if let Some(of_thread) = self.waker() {
            of_thread.set(waker);
        }
    }

    fn ask_again_in(&mut self) -> Duration {
        self.waker().map_or(Duration::MAX, SourceWaker::ask_again_in)
    }
}

impl List {
    fn waker(&self) -> Option<&SourceWaker> {
        match self {
            Self::Stream { waker, .. } => Some(waker),
            // They never answer that a line comes later.
            Self::File(_) | Self::Waiting(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use haul_engine::thread_waker;

    use super::*;
    use crate::lists::list::Item;

    #[test]
    fn lines_are_passed_on_as_they_arrive() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut list = List::stream(reader).unwrap_or_else(|_| panic!("a thread for the list"));
        list.set_waker(thread_waker());
        assert_eq!(list.ask_again_in(), Duration::MAX);
        let mut next = || loop {
            match Source::next(&mut list) {
                Next::Later => std::thread::park(),
                Next::Task(line) => break Some(line),
                _ => break None,
            }
        };
        let url = |text: &str| Some(Ok(Item::of_url(text.to_owned())));
        writer.write_all(b"http://a/\nhttp://b/\nhttp://c").unwrap();
        assert_eq!((next(), next()), (url("http://a/"), url("http://b/")));
        writer.write_all(b"/\n# a comment\n\n").unwrap();
        assert_eq!(next(), url("http://c/"));
        let many: String = (0..1_000).map(|number| format!("http://d/{number}\n")).collect();
        writer.write_all(many.as_bytes()).unwrap();
        (0..1_000).for_each(|number| assert_eq!(next(), url(&format!("http://d/{number}"))));
        writer.write_all(b"http://e/").unwrap();
        drop(writer);
        assert_eq!((next(), next()), (url("http://e/"), None));
    }
}
