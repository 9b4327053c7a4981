//! Lists that are read while the run goes on.
//!
//! Owns: opening them, the thread that reads ahead.
//! Does not own: their grammar ([`crate::list`]).

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use haul_engine::{Next, Source};
use haul_io::reason;

use crate::exit::Problem;
use crate::list::{Line, Lines};
use crate::voice::quoted;

/// Lines that are read ahead.
const LINES_AHEAD: usize = 256;

/// The lines of a list, read by a thread of their own: a list that comes slowly holds nothing up.
pub(crate) struct List {
    lines: Receiver<Line>,
}

impl List {
    /// Opens the list; `-` is stdin.
    pub(crate) fn open(path: &Path) -> Result<Self, Problem> {
        let unreadable = |error: std::io::Error| {
            Problem::usage(format!("cannot open list {}: {}", quoted(path), reason(&error)))
        };
        let reader: Box<dyn Read + Send> = match path == Path::new("-") {
            true => Box::new(std::io::stdin()),
            false => {
                let file = File::open(path).map_err(unreadable)?;
                if file.metadata().map_err(unreadable)?.is_dir() {
                    return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
                }
                Box::new(file)
            }
        };
        let (sender, lines) = sync_channel(LINES_AHEAD);
        // The thread is not joined: one that waits for a stdin that never ends must not hold the program.
        std::thread::Builder::new().name("list".to_owned()).spawn(move || {
            for line in Lines::new(reader) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { lines })
    }
}

impl Source<Line> for List {
    fn next(&mut self) -> Next<Line> {
        match self.lines.try_recv() {
            Ok(line) => Next::Task(line),
            Err(TryRecvError::Empty) => Next::Later,
            Err(TryRecvError::Disconnected) => Next::End,
        }
    }
}
