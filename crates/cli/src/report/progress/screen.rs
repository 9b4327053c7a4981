//! Draws the progress on stderr, five times a second, and keeps messages off it.
//!
//! Owns: the cursor, the width of the terminal, the thread that redraws.
//! Does not own: what is drawn ([`super::view`]).

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthStr;

use super::state::{ProgressEvent, State, Wait};
use super::view;

/// The time between two redraws, and between two samples of the speed.
const REDRAW_INTERVAL: Duration = Duration::from_millis(200);
/// The time between two plain lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(3);
/// The width of a terminal that doesn't know it.
const COLUMNS_DEFAULT: usize = 80;

/// How the progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgressForm {
    Hidden,
    /// In place, on a terminal.
    InPlace,
    /// As a new line every few seconds: in a file, or on a terminal whose cursor can't be moved.
    Plain,
}

/// The progress of one run. Clones share it.
#[derive(Clone)]
pub(crate) struct Progress {
    state: Arc<Mutex<State>>,
    /// Bytes so far, as the engine counts them.
    bytes: Arc<AtomicU64>,
    started: Instant,
}

impl Progress {
    /// The progress of a run that starts now.
    pub(crate) fn start() -> Self {
        Self { state: Arc::default(), bytes: Arc::default(), started: Instant::now() }
    }

    pub(crate) fn tell(&self, event: ProgressEvent) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).apply(event);
    }

    /// What the engine can do at once.
    pub(crate) fn set_in_flight_max(&self, count: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).in_flight_max = count as u64;
    }

    /// The counter of bytes.
    pub(crate) fn bytes(&self) -> &Arc<AtomicU64> {
        &self.bytes
    }

    /// Tells that a task is tried again after `pause`.
    pub(crate) fn retry_after(&self, pause: Duration, wait: Wait) {
        self.tell(ProgressEvent::Retry(Wait { until: self.started.elapsed() + pause, ..wait }));
    }

    /// Whether the source has yielded everything, and how many retries there were.
    pub(crate) fn outcome(&self) -> (bool, u64) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.all_found, state.retries)
    }

    fn with_state<T>(&self, look: impl FnOnce(&mut State, Duration) -> T) -> T {
        let now = self.started.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sample(now, self.bytes.load(Ordering::Relaxed));
        look(&mut state, now)
    }
}

/// The progress on stderr.
pub(crate) struct Screen {
    progress: Progress,
    form: ProgressForm,
    /// Several lines are shown.
    details: bool,
    /// Whether data goes to the same terminal.
    shares_stdout: bool,
    /// Something else uses the terminal.
    pub(crate) is_hidden: bool,
    /// The widths of the lines on the terminal.
    drawn: Vec<usize>,
    next_plain: Duration,
    /// Ends the thread.
    _alive: Arc<()>,
}

impl Screen {
    /// Shows `progress` in `place`, which messages share, until it is taken out.
    pub(crate) fn show(
        place: &Arc<Mutex<Option<Screen>>>,
        progress: &Progress,
        form: ProgressForm,
        details: bool,
    ) {
        let alive = Arc::new(());
        let watched = Arc::downgrade(&alive);
        let screen = Self {
            progress: progress.clone(),
            form,
            details,
            shares_stdout: form == ProgressForm::InPlace && std::io::stdout().is_terminal(),
            is_hidden: false,
            drawn: Vec::new(),
            next_plain: PLAIN_INTERVAL,
            _alive: alive,
        };
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(screen);
        let place = Arc::downgrade(place);
        // Where the system refuses the thread, nothing is drawn, and the run goes on.
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(move || tick(&place, &watched));
    }

    /// Removes what is drawn from the terminal, for a message; the next redraw brings it back.
    pub(crate) fn erase(&mut self) {
        let erasure = self.erasure(columns());
        if !erasure.is_empty() {
            write(&erasure);
        }
        self.drawn.clear();
    }

    /// As [`Screen::erase`], for data on stdout.
    pub(crate) fn erase_for_data(&mut self) {
        if self.shares_stdout {
            self.erase();
        }
    }

    /// Shows the end for a moment and removes everything.
    pub(crate) fn finish(&mut self) {
        if self.form == ProgressForm::InPlace {
            self.redraw();
        }
        self.erase();
    }

    fn redraw(&mut self) {
        match self.form {
            _ if self.is_hidden => {}
            ProgressForm::Hidden => {}
            ProgressForm::Plain => {
                let line = self.progress.with_state(|state, now| (view::plain_line(state, now), now));
                if line.1 >= self.next_plain {
                    self.next_plain = line.1 + PLAIN_INTERVAL;
                    write(&format!("haul: {}\n", line.0));
                }
            }
            ProgressForm::InPlace => {
                let (columns, details) = (columns(), self.details);
                let lines = self.progress.with_state(|state, now| view::lines(state, now, columns, details));
                let text = format!("{}{}", self.erasure(columns), lines.join("\r\n"));
                self.drawn = lines.iter().map(|line| line.width()).collect();
                write(&text);
            }
        }
    }

    /// What moves the cursor to the start of what is drawn, and clears it. A terminal that became narrower has broken
    /// the lines.
    fn erasure(&self, columns: usize) -> String {
        let rows: usize = self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        match rows {
            0 => String::new(),
            1 => "\r\x1b[J".to_owned(),
            _ => format!("\r\x1b[{}A\x1b[J", rows - 1),
        }
    }
}

/// Redraws until the screen is taken out of `place`.
fn tick(place: &Weak<Mutex<Option<Screen>>>, alive: &Weak<()>) {
    loop {
        std::thread::sleep(REDRAW_INTERVAL);
        let Some(place) = place.upgrade() else { return };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *place {
            Some(screen) if alive.strong_count() > 0 => screen.redraw(),
            _ => return,
        }
    }
}

fn columns() -> usize {
    match tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => COLUMNS_DEFAULT,
    }
}

/// A closed stderr doesn't end the run.
fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::super::stats::Usage;
    use super::*;

    #[test]
    fn a_hundred_thousand_tasks_cost_little() {
        let progress = Progress::start();
        let before = Usage::now();
        for index in 0..100_000 {
            progress.tell(ProgressEvent::Started);
            progress.tell(ProgressEvent::Found { name: None, bytes: Some(index) });
            progress.tell(ProgressEvent::Returned);
            progress.tell(ProgressEvent::Ended { succeeded: true, length: None, bytes: 1 });
            // Five redraws a second, of a run that does 10 000 tasks in one.
            if index % 2_000 == 0 {
                progress.with_state(|state, now| view::lines(state, now, 80, true));
            }
        }
        let cpu = Usage::now().since(&before).cpu();
        // A small task takes 50 microseconds of processor time and more, optimised; this test isn't.
        assert!(cpu < Duration::from_secs(1), "{cpu:?}");
    }

    #[test]
    fn lines_that_a_narrower_terminal_broke_are_erased_whole() {
        let screen = |drawn: &[usize]| Screen {
            progress: Progress::start(),
            form: ProgressForm::InPlace,
            details: true,
            shares_stdout: false,
            is_hidden: false,
            drawn: drawn.to_vec(),
            next_plain: PLAIN_INTERVAL,
            _alive: Arc::new(()),
        };
        for (drawn, columns, erasure) in [
            (&[][..], 80, ""),
            (&[79], 80, "\r\x1b[J"),
            (&[79], 40, "\r\x1b[1A\x1b[J"),
            (&[79, 0, 30], 40, "\r\x1b[3A\x1b[J"),
            (&[79, 79], 200, "\r\x1b[1A\x1b[J"),
        ] {
            assert_eq!(screen(drawn).erasure(columns), erasure, "{drawn:?} {columns}");
        }
    }
}
