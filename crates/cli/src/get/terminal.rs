//! A body that is shown on a terminal: as far as it is text.
//!
//! Owns: the pipe between the transfer and the terminal, the thread that looks at what passes.
//! Does not own: telling text from other bytes ([`crate::text_only`]).

use std::io::{self, PipeReader, Write};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use haul_io::File;

use crate::text_only::{NotText, TextOnly};

/// What passes a body on.
pub(super) struct Showing(JoinHandle<io::Result<()>>);

impl Showing {
    /// Begins; what comes with it takes the body, whose end is that all clones of it are dropped.
    pub(super) fn start() -> io::Result<(File, Self)> {
        let (reader, writer) = io::pipe()?;
        let thread = std::thread::Builder::new().name("terminal".to_owned());
        let showing = thread.spawn(move || show(reader, io::stdout()))?;
        Ok((File::from(OwnedFd::from(writer)), Self(showing)))
    }

    /// Waits until all is shown. Whether something was refused.
    pub(super) fn end(self) -> io::Result<bool> {
        match self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            Err(error) if NotText::is_cause_of(&error) => Ok(true),
            result => result.map(|()| false),
        }
    }
}

/// Ends at the first byte that isn't text; whoever writes into the pipe then finds it broken.
fn show(mut from: PipeReader, to: impl Write) -> io::Result<()> {
    let mut to = TextOnly::new(to);
    io::copy(&mut from, &mut to)?;
    to.flush()
}
