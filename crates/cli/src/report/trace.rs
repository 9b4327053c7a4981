//! `--trace`: when each worker did what, as Trace Event JSON, which Perfetto and `chrome://tracing` open.
//!
//! Each piece of work is a complete event in the row of its worker; its phases are complete events in it. Phases are
//! sums over many operations: they are drawn one after the other, each as long as its sum, and don't say when
//! within the piece an operation ran. The time in the queue is an argument, as it overlaps earlier pieces of the
//! worker.
//!
//! Events are written as they come, in the array form, which stays readable if the program is killed. Memory: a number
//! for each row. The file names no file and no URL: `task` is the number that `--json` gives with the name.
//!
//! Owns: the form of the file, rows and their names.
//! Does not own: measuring (the engine does).
//!
//! Source: "Trace Event Format" (Google), JSON Array Format, complete and metadata events.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use haul_engine::{Piece, PieceKind, Trace, TraceRow};
use serde_json::{Value, json};

use super::exit::{Exit, Problem};
use super::text::quoted;

/// A trace that is being written.
pub(crate) struct TraceFile {
    path: PathBuf,
    started: Instant,
    writer: Arc<Mutex<Writer>>,
}

impl TraceFile {
    /// Creates or replaces the file.
    pub(crate) fn create(path: &Path) -> Result<Self, Problem> {
        let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
        let writer = Writer::new(Box::new(file));
        Ok(Self { path: path.to_owned(), started: Instant::now(), writer: Arc::new(Mutex::new(writer)) })
    }

    /// An observer for a run that starts now. The names of its rows begin with `run`, if that isn't empty; runs of the
    /// same name share their rows.
    pub(crate) fn observer(&self, run: &str) -> Trace {
        let (writer, offset, run) = (self.writer.clone(), self.started.elapsed(), run.to_owned());
        Trace::new(move |piece| lock(&writer).piece(&run, offset, piece))
    }

    /// Adds what lasted from `began` until now, in the row `row` of the program itself.
    pub(crate) fn add_span(&self, row: &str, name: &str, began: Instant) {
        let (from, took) = (began.saturating_duration_since(self.started), began.elapsed());
        let mut writer = lock(&self.writer);
        let ids = writer.row("haul", 0, row, 1);
        writer.span(&Span { name, category: "run", ids, from, took, details: json!({}) });
    }

    /// Completes the file.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        lock(&self.writer).finish().map_err(|error| cannot_write(&self.path, &error))
    }
}

fn lock(writer: &Mutex<Writer>) -> std::sync::MutexGuard<'_, Writer> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cannot_write(path: &Path, error: &io::Error) -> Problem {
    let message = format!("cannot write the trace {}: {}", quoted(path), haul_io::reason(error));
    Problem { message, hint: None, exit: Exit::Failed }
}

/// The numbers of a row: that of its group, which viewers call a process, and its own, which they call a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RowIds {
    group: usize,
    row: usize,
}

/// A complete event.
struct Span<'a> {
    name: &'a str,
    category: &'a str,
    ids: RowIds,
    from: Duration,
    took: Duration,
    details: Value,
}

struct Writer {
    out: BufWriter<Box<dyn Write + Send>>,
    is_empty: bool,
    /// The first error; nothing is written after it.
    error: Option<io::Error>,
    /// The groups by their names, each with its number.
    groups: HashMap<String, usize>,
    /// The rows that have a name.
    named: HashSet<RowIds>,
}

impl Writer {
    fn new(out: Box<dyn Write + Send>) -> Self {
        let out = BufWriter::with_capacity(1 << 16, out);
        Self { out, is_empty: true, error: None, groups: HashMap::new(), named: HashSet::new() }
    }

    fn piece(&mut self, run: &str, offset: Duration, piece: &Piece) {
        let (group, order, row, number) = names(piece.row);
        let group = match (run, group.as_str()) {
            ("", "") => "haul".to_owned(),
            (run, "") => run.to_owned(),
            ("", group) => group.to_owned(),
            (run, group) => format!("{run}, {group}"),
        };
        let ids = self.row(&group, order, &row, number);
        let (name, part) = match piece.kind {
            PieceKind::Start => ("start", Value::Null),
            PieceKind::Part(index) => ("part", index.into()),
            PieceKind::Finish => ("finish", Value::Null),
        };
        let phases = &piece.phases;
        let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
        let details = json!({
            "task": piece.id.0, "attempt": piece.attempt, "part": part, "bytes": piece.bytes,
            "queue_us": micros(phases.queue), "device_us": micros(phases.device),
            "executor_us": micros(phases.executor), "compute_us": micros(phases.compute),
        });
        let (mut from, mut left) = (offset + piece.began, piece.took);
        self.span(&Span { name, category: "piece", ids, from, took: left, details });
        for (name, time) in
            [("device", phases.device), ("executor", phases.executor), ("compute", phases.compute)]
        {
            // Operations of one piece may overlap, so that their sum is longer than the piece.
            let took = time.min(left);
            if !took.is_zero() {
                self.span(&Span { name, category: "phase", ids, from, took, details: Value::Null });
            }
            (from, left) = (from + took, left - took);
        }
    }

    /// The row `row` with this number in the group `group`. It is named when it is first used.
    fn row(&mut self, group: &str, order: usize, row: &str, number: usize) -> RowIds {
        let next = self.groups.len() + 1;
        let id = *self.groups.entry(group.to_owned()).or_insert(next);
        let ids = RowIds { group: id, row: number };
        if id == next {
            self.name("process_name", ids, json!({ "name": group }));
            self.name("process_sort_index", ids, json!({ "sort_index": order }));
        }
        if self.named.insert(ids) {
            self.name("thread_name", ids, json!({ "name": row }));
            self.name("thread_sort_index", ids, json!({ "sort_index": number }));
        }
        ids
    }

    fn name(&mut self, name: &str, ids: RowIds, details: Value) {
        self.event(&json!({ "ph": "M", "name": name, "pid": ids.group, "tid": ids.row, "args": details }));
    }

    fn span(&mut self, span: &Span<'_>) {
        let Span { name, category, ids, from, took, details } = span;
        // Microseconds. Nanoseconds stay exact, so that what is nested stays so.
        let micros = |time: &Duration| time.as_nanos() as f64 / 1e3;
        let mut event = json!({
            "ph": "X", "name": name, "cat": category, "pid": ids.group, "tid": ids.row,
            "ts": micros(from), "dur": micros(took),
        });
        if !details.is_null() {
            event["args"] = details.clone();
        }
        self.event(&event);
    }

    fn event(&mut self, event: &Value) {
        if self.error.is_some() {
            return;
        }
        let before = if std::mem::take(&mut self.is_empty) { "[\n" } else { ",\n" };
        self.error = write!(self.out, "{before}{event}").err();
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let end = if self.is_empty { "[]\n" } else { "\n]\n" };
        self.out.write_all(end.as_bytes())?;
        self.out.flush()
    }
}

/// The names and the order of a row: its group (without a name: that of the run), the group's place, the row, its
/// number from 1.
fn names(row: TraceRow) -> (String, usize, String, usize) {
    match row {
        TraceRow::Caller => (String::new(), 0, "main thread".to_owned(), 1),
        TraceRow::Thread(number) => (String::new(), 0, format!("thread {}", number + 1), number as usize + 2),
        TraceRow::Lane { ring, lane } => {
            (format!("ring {}", ring + 1), ring as usize + 1, format!("lane {}", lane + 1), lane as usize + 1)
        }
        TraceRow::Process { process, thread } => {
            let group = format!("process {}", process + 1);
            (group, process as usize + 1, format!("thread {}", thread + 1), thread as usize + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use haul_engine::{Phases, TaskId};

    use super::*;

    /// Takes bytes up to a limit.
    struct Limited {
        written: Arc<Mutex<Vec<u8>>>,
        limit: usize,
    }

    impl Write for Limited {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.written.lock().unwrap();
            if written.len() + bytes.len() > self.limit {
                return Err(io::ErrorKind::StorageFull.into());
            }
            written.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn writer(limit: usize) -> (Writer, Arc<Mutex<Vec<u8>>>) {
        let written = Arc::default();
        (Writer::new(Box::new(Limited { written: Arc::clone(&written), limit })), written)
    }

    fn piece(row: TraceRow) -> Piece {
        let micros = Duration::from_micros;
        let phases = Phases { queue: micros(50), device: micros(7), executor: micros(0), compute: micros(9) };
        let (id, kind) = (TaskId(7), PieceKind::Part(3));
        Piece { id, attempt: 1, kind, row, began: micros(5), took: micros(10), phases, bytes: 4 }
    }

    #[test]
    fn phases_stay_within_their_piece_and_rows_are_named_once() {
        let (mut writer, written) = writer(usize::MAX);
        let lane = TraceRow::Lane { ring: 1, lane: 0 };
        for row in [lane, lane, TraceRow::Caller] {
            writer.piece("uring", Duration::from_millis(1), &piece(row));
        }
        writer.finish().unwrap();
        let events: Vec<Value> = serde_json::from_slice(&written.lock().unwrap()).unwrap();
        let named: Vec<_> = events.iter().filter(|event| event["ph"] == "M").collect();
        let names: Vec<_> = named.iter().filter_map(|event| event["args"]["name"].as_str()).collect();
        assert_eq!(names, ["uring, ring 2", "lane 1", "uring", "main thread"]);
        let spans: Vec<_> = events.iter().filter(|event| event["ph"] == "X").take(3).collect();
        let times: Vec<_> =
            spans.iter().map(|span| (span["ts"].as_f64().unwrap(), span["dur"].as_f64().unwrap())).collect();
        assert_eq!(times, [(1_005.0, 10.0), (1_005.0, 7.0), (1_012.0, 3.0)]);
        assert_eq!(spans[0]["args"]["compute_us"], 9.0);
        assert_eq!((&spans[0]["args"]["task"], &spans[0]["args"]["part"]), (&json!(7), &json!(3)));
    }

    #[test]
    fn an_empty_trace_is_valid_and_a_full_disk_is_an_error_once() {
        let (mut empty, written) = writer(usize::MAX);
        empty.finish().unwrap();
        assert_eq!(*written.lock().unwrap(), b"[]\n");
        let (mut full, _) = writer(100);
        for _ in 0..10_000 {
            full.piece("", Duration::ZERO, &piece(TraceRow::Thread(0)));
        }
        assert_eq!(full.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
