//! Opening a stream, whole or in part.
//!
//! Owns: what `--range` means for a stream, text only for terminals.
//! Does not own: the grammar of ranges ([`crate::args`]), authentication ([`haul_seal`]).

use std::io::{self, Write};

use haul_seal::{During, Error, Identity, SealedFile, StreamOptions, Streamed, open_stream};

use super::stream::opened::StreamSource;
use crate::args::RangeArg;
use crate::report::text_only::TextOnly;

/// What is to be opened, and with what.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) identities: &'a [Identity],
    /// `None` for all of it.
    pub(super) range: Option<RangeArg>,
    /// Fail at the first byte that isn't text.
    pub(super) text_only: bool,
}

impl Part<'_> {
    /// Opens `source` and writes this part of its plaintext to `sink`.
    pub(super) fn open(
        self,
        source: StreamSource,
        sink: impl Write + Send,
        options: &StreamOptions,
    ) -> Result<Streamed, Error> {
        if self.text_only {
            self.open_into(source, TextOnly::new(sink), options)
        } else {
            self.open_into(source, sink, options)
        }
    }

    fn open_into(
        self,
        source: StreamSource,
        sink: impl Write + Send,
        options: &StreamOptions,
    ) -> Result<Streamed, Error> {
        let Some(range) = self.range else { return open_stream(source, sink, self.identities, options) };
        if !source.is_seekable() {
            let source = io::Error::other("only a file can be read in part");
            return Err(Error::Io { step: During::OpenSource, source });
        }
        let mut file = SealedFile::open_with(source, self.identities, options)?;
        let range = range.within(file.len());
        file.copy_range(range, sink, options)
    }
}
