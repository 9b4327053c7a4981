//! Asks one question on the terminal, before or during a run. Cancelling the run withdraws the question.
//!
//! Owns: the terminal's echo.
//! Does not own: the question, catching signals ([`crate::run::signals`]).

use std::fs::File;
use std::io::{self, Read, Write};
use std::{fmt, mem};

use haul_io::Cancel;
use haul_seal::Question;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::report::exit::{Exit, Problem};
use crate::report::voice::presentable;
use crate::run::signals::CaughtSignals;

/// A run hears of a signal within a few milliseconds; one that is stuck must not keep the question.
const WITHDRAWAL_WAIT: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Whether the terminal shows what the user types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    On,
    Off,
}

/// A signal other than the run's cancellation ended a question.
#[derive(Debug)]
struct Interrupted;

/// Whether a signal ended the question that failed with `error`.
pub(crate) fn is_interrupted(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Interrupted>()) || haul_io::is_cancelled(error)
}

/// The problem with a question about `what` that got no answer. `hint` names another way to give it.
pub(crate) fn unanswered(what: &str, error: &io::Error, hint: &str) -> Problem {
    if is_interrupted(error) {
        return Problem { exit: Exit::Interrupted, ..Problem::usage("interrupted") };
    }
    Problem::usage(format!("cannot ask for the {what}: {}", haul_io::reason(error))).hint(hint)
}

/// Asks `question` on the controlling terminal. Returns the line without its end. However the question ends, the
/// terminal echoes again; a signal has its effect after that.
///
/// # Errors
/// If there is no terminal, it is closed, the line is too long or isn't UTF-8, the run is cancelled, or a signal
/// arrives.
pub(crate) fn ask(question: &str, echo: Echo, cancel: Option<&Cancel>) -> io::Result<Zeroizing<String>> {
    let mut terminal = open_terminal()?;
    let question = presentable(question);
    loop {
        let signals = CaughtSignals::catch()?;
        let echo_off = EchoOff::new(&terminal, echo)?;
        terminal.write_all(question.as_bytes())?;
        let line = read_line(Answer { terminal: &terminal, signals: &signals, cancel });
        let signal = line.as_ref().err().and_then(Signal::of);
        echo_off.end(line.is_err());
        if echo == Echo::Off || line.is_err() {
            // The terminal hasn't shown the newline.
            terminal.write_all(b"\n")?;
        }
        match signal {
            None => return line,
            // The process was stopped and continues: the question is asked again.
            Some(signal) if CaughtSignals::act(signal) => {}
            Some(_) => {
                await_withdrawal(cancel);
                return Err(io::Error::other(Interrupted));
            }
        }
    }
}

/// Waits until the run has heard of the signal as well, and withdraws the question: otherwise its plugin would be told
/// that there is no answer, and could fail before the run counts as interrupted.
fn await_withdrawal(cancel: Option<&Cancel>) {
    if let Some(cancel) = cancel {
        let _ = poll(&mut [PollFd::new(cancel, PollFlags::IN)], Some(&WITHDRAWAL_WAIT));
    }
}

/// Shows `line` on the controlling terminal and nowhere else: neither stdout nor stderr, which may be kept, gets it.
pub(crate) fn show(line: &str) -> io::Result<()> {
    open_terminal()?.write_all(format!("{}\n", presentable(line)).as_bytes())
}

fn open_terminal() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/tty")
}

/// What the user types, until the run is cancelled or a signal arrives.
struct Answer<'a> {
    terminal: &'a File,
    signals: &'a CaughtSignals,
    cancel: Option<&'a Cancel>,
}

impl Read for Answer<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut events =
                vec![PollFd::new(self.signals, PollFlags::IN), PollFd::new(self.terminal, PollFlags::IN)];
            events.extend(self.cancel.map(|cancel| PollFd::new(cancel, PollFlags::IN)));
            match poll(&mut events, None) {
                Err(Errno::INTR) => {}
                result => drop(result?),
            }
            if let Some(signal) = self.signals.take() {
                return Err(io::Error::other(Signal(signal)));
            }
            if self.cancel.is_some_and(Cancel::is_triggered) {
                return Err(haul_io::cancelled());
            }
            if !events[1].revents().is_empty() {
                match self.terminal.read(out) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            }
        }
    }
}

/// A signal arrived while the user typed.
#[derive(Debug)]
struct Signal(i32);

impl Signal {
    fn of(error: &io::Error) -> Option<i32> {
        error.get_ref()?.downcast_ref::<Self>().map(|signal| signal.0)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signal {}", self.0)
    }
}

impl std::error::Error for Signal {}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

fn read_line(mut reader: impl Read) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(Vec::with_capacity(Question::ANSWER_BYTES_MAX));
    let mut byte = [0];
    loop {
        match reader.read(&mut byte)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if byte == *b"\n" => break,
            _ if line.len() == Question::ANSWER_BYTES_MAX => {
                return Err(io::Error::other("the line is too long"));
            }
            _ => line.push(byte[0]),
        }
    }
    let text = std::str::from_utf8(line.trim_ascii_end()).map_err(|_| io::Error::other("not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Turns the terminal's echo off, as long as this lives.
struct EchoOff {
    terminal: File,
    before: Option<Termios>,
}

impl EchoOff {
    fn new(terminal: &File, echo: Echo) -> io::Result<Self> {
        let terminal = terminal.try_clone()?;
        if echo == Echo::On {
            return Ok(Self { terminal, before: None });
        }
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &silent)?;
        Ok(Self { terminal, before: Some(before) })
    }
}

impl EchoOff {
    /// Turns the echo on again. `discard` forgets what was typed and not read: the start of a secret must not reach
    /// the next reader of the terminal.
    fn end(mut self, discard: bool) {
        self.restore(if discard { OptionalActions::Flush } else { OptionalActions::Now });
    }

    fn restore(&mut self, when: OptionalActions) {
        if let Some(before) = mem::take(&mut self.before) {
            // A terminal that was closed needs no echo.
            let _ = tcsetattr(&self.terminal, when, &before);
        }
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        self.restore(OptionalActions::Flush);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_to_its_end_and_no_further() {
        assert_eq!(*read_line(&b"123456\r\nmore"[..]).unwrap(), "123456");
        assert_eq!(*read_line(&b"\n"[..]).unwrap(), "");
        assert_eq!(read_line(&b"cut"[..]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(read_line(&b"\xff\n"[..]).is_err());
        assert!(read_line(io::repeat(b'1')).is_err());
    }
}
