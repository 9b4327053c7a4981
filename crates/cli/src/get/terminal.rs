//! Shows a body on the terminal, as far as it is text.
//!
//! Owns: the pipe between the transfer and the terminal, the thread that copies.
//! Does not own: telling text from other bytes ([`crate::report::text_only`]).

use std::io::{self, PipeReader, Write};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use haul_io::File;

use crate::report::text_only::{NotText, TextOnly};

/// The thread that copies a body to the terminal.
pub(super) struct TerminalCopy(JoinHandle<io::Result<()>>);

impl TerminalCopy {
    /// Starts the thread. The body is written into the returned file; it ends when all clones of the file are dropped.
    pub(super) fn start() -> io::Result<(File, Self)> {
        let (reader, writer) = io::pipe()?;
        let thread = std::thread::Builder::new().name("terminal".to_owned());
        let copying = thread.spawn(move || copy(reader, io::stdout()))?;
        Ok((File::from(OwnedFd::from(writer)), Self(copying)))
    }

    /// Waits for the end of the body. Returns whether it was cut because it isn't text.
    pub(super) fn end(self) -> io::Result<bool> {
        match self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            Err(error) if NotText::is_cause_of(&error) => Ok(true),
            result => result.map(|()| false),
        }
    }
}

/// Copies up to the first byte that isn't text. The transfer then finds its pipe broken.
fn copy(mut from: PipeReader, to: impl Write) -> io::Result<()> {
    let mut to = TextOnly::new(to);
    io::copy(&mut from, &mut to)?;
    to.flush()
}
