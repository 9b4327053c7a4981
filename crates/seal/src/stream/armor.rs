//! A writer that adds armor.
//!
//! Owns: encoding while it is written.
//! Does not own: the armor's grammar ([`haul_age_format::ArmorEncoder`]).

use std::io::{self, Write};

use haul_age_format::ArmorEncoder;

/// Writes the armor of what is written to it. [`ArmorWriter::finish`] writes its end.
pub(super) struct ArmorWriter<W> {
    sink: W,
    encoder: ArmorEncoder,
    text: Vec<u8>,
}

impl<W: Write> ArmorWriter<W> {
    pub(super) fn new(sink: W) -> Self {
        Self { sink, encoder: ArmorEncoder::default(), text: Vec::new() }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.encoder.finish(&mut self.text);
        self.sink.write_all(&self.text)?;
        self.sink.flush()
    }
}

impl<W: Write> Write for ArmorWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.clear();
        self.encoder.push(bytes, &mut self.text);
        self.sink.write_all(&self.text)?;
        self.text.clear();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
