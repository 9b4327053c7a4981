//! A writer that seals what is written to it.
//!
//! Owns: when sealed bytes reach the sink, the end of the age file.
//! Does not own: chunks ([`haul_age_format::StreamSealer`]), sealing on several threads ([`super::seal`]).

use std::io::{self, ErrorKind, Write};

use haul_age_format::{CHUNK_BYTES, Recipient, StreamSealer, TAG_BYTES, seal_header, system_random};

use crate::error::{During, Error};

/// Seals what is written to it, on the thread that writes, and writes the age file to a sink. For code that takes a
/// [`Write`], such as `fetch_into` of the crate `haul-fetch`; [`seal_stream`](crate::seal_stream) uses several threads.
///
/// [`finish`](Self::finish) completes the file. A writer that is dropped before leaves the beginning of an age file,
/// which no key opens to its end: what was interrupted can't pass for the whole.
///
/// Memory: two chunks of 64 KiB. Bytes reach the sink a chunk at a time, so that [`flush`](Write::flush) leaves what
/// doesn't fill a chunk yet. After an error of the sink, a repeated call goes on with the same bytes.
///
/// ```
/// use std::io::Write;
///
/// use haul_seal::{SealWriter, X25519Identity, open_bytes};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ada = X25519Identity::generate();
/// let mut writer = SealWriter::new(Vec::new(), &[ada.to_recipient().into()])?;
/// write!(writer, "Dear Ada")?;
/// let sealed = writer.finish()?;
/// assert_eq!(open_bytes(&sealed, &[ada.into()])?, b"Dear Ada");
/// # Ok(())
/// # }
/// ```
pub struct SealWriter<W> {
    sink: W,
    sealer: StreamSealer,
    /// Sealed bytes.
    sealed: Vec<u8>,
    /// How many of `sealed` the sink has.
    sent: usize,
}

impl<W: Write> SealWriter<W> {
    /// Begins an age file for `recipients` in `sink`. Nothing is written yet. Plugins aren't asked: see
    /// [`seal_stream`](crate::seal_stream) for their recipients and for armor.
    ///
    /// Cost: about 30 µs for an X25519 recipient, a second for a passphrase.
    ///
    /// # Errors
    /// [`Error::Recipients`] if there are no recipients, or they can't be combined.
    ///
    /// # Panics
    /// If the system provides no randomness.
    pub fn new(sink: W, recipients: &[Recipient]) -> Result<Self, Error> {
        let header = seal_header(recipients, &mut system_random).map_err(Error::Recipients)?;
        let mut sealed = header.bytes;
        sealed.reserve(CHUNK_BYTES + TAG_BYTES);
        Ok(Self { sink, sealer: StreamSealer::new(header.payload_key), sealed, sent: 0 })
    }

    /// Seals the last chunk, flushes the sink and returns it.
    ///
    /// # Errors
    /// [`Error::Io`] with [`During::Write`] if the sink fails: the age file in it isn't complete then.
    pub fn finish(self) -> Result<W, Error> {
        let Self { mut sink, sealer, mut sealed, sent } = self;
        sealer.finish(&mut sealed);
        sink.write_all(&sealed[sent..]).and_then(|()| sink.flush()).map_err(Error::at(During::Write))?;
        Ok(sink)
    }

    /// Writes all sealed bytes to the sink.
    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.sealed.len() {
            match self.sink.write(&self.sealed[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.sealed.clear();
        self.sent = 0;
        Ok(())
    }
}

impl<W: Write> Write for SealWriter<W> {
    /// Takes at most a chunk.
    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        self.send()?;
        let taken = plain.len().min(CHUNK_BYTES);
        self.sealer.push(&plain[..taken], &mut self.sealed);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.sink.flush()
    }
}

impl<W> std::fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealWriter").finish_non_exhaustive()
    }
}
