//! Asks one question on the terminal during a run. Cancelling the run withdraws the question.
//!
//! Owns: the terminal's echo.
//! Does not own: the question.

use std::fs::File;
use std::io::{self, Read, Write};

use haul_io::{Cancel, StreamReader};
use haul_seal::Question;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Whether the terminal shows what the user types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echo {
    On,
    Off,
}

/// Asks `question` on the controlling terminal. Returns the line without its end.
///
/// # Errors
/// If there is no terminal, it is closed, the line is too long or isn't UTF-8, or the run is cancelled.
pub(super) fn ask(question: &str, echo: Echo, cancel: &Cancel) -> io::Result<Zeroizing<String>> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let echo_off = EchoOff::new(&terminal, echo)?;
    terminal.write_all(question.as_bytes())?;
    let line = read_line(StreamReader::new(terminal.try_clone()?, cancel.clone()));
    drop(echo_off);
    if echo == Echo::Off || line.is_err() {
        // The terminal hasn't shown the newline.
        terminal.write_all(b"\n")?;
    }
    line
}

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

impl Drop for EchoOff {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that was closed needs no echo.
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, before);
        }
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
