//! Where a part of a file in segments arrives.
//!
//! Owns: writing it to its place, not a byte more than the response said that it has, and ending where somebody else takes over.
//! Does not own: which bytes are whose ([`crate::spans`]), the file.

use haul_io::{Buf, File, Io, Offset};

use crate::Error;
use crate::file_sink::write_first;
use crate::spans::Held;

pub(crate) struct PartSink {
    file: File,
    held: Held,
    /// Bytes of the response under way that are still to come.
    to_come: u64,
    is_full: bool,
    /// Bytes of those taken last that belong to others.
    surplus: usize,
}

impl PartSink {
    /// For a response of `bytes` bytes, which continues what is `held`.
    pub(crate) fn new(file: File, held: Held, bytes: u64) -> Self {
        Self { file, held, to_come: bytes, is_full: false, surplus: 0 }
    }

    /// Takes the first `count` filled bytes of `input`, or as many as belong here.
    pub(crate) async fn take(&mut self, io: &impl Io, input: Buf, count: usize) -> (Result<(), Error>, Buf) {
        if count as u64 > self.to_come {
            return (Err(Error::UnaskedPart), input);
        }
        self.to_come -= count as u64;
        let (offset, claimed) = self.held.claim(count);
        self.surplus = count - claimed;
        // At the end of the response its connection is fit for another, where that end is looked for.
        self.is_full = claimed < count || self.to_come > 0 && self.held.is_exhausted();
        if claimed == 0 {
            return (Ok(()), input);
        }
        write_first(io, &self.file, input, claimed, Offset::At(offset)).await
    }

    /// Whether no more is wanted of the response.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Bytes of those taken last that belong to others.
    pub(crate) fn surplus(&self) -> usize {
        self.surplus
    }

    /// The span, once the response is over.
    pub(crate) fn end(self) -> Result<Held, Error> {
        match self.is_full || self.to_come == 0 {
            true => Ok(self.held),
            false => Err(Error::UnaskedPart),
        }
    }
}
