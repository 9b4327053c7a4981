//! The decoders of single codings: gzip, deflate, br and zstd.
//!
//! Owns: where the data of each coding begins and ends, what may follow the end.
//! Does not own: chains and limits ([`super::decoding`]), the algorithms (other crates).
//!
//! Source: RFC 9110 section 8.4.1; RFC 1952 (gzip), 1950 (zlib), 1951 (deflate), 7932 (br), 8878 and 9659 (zstd).

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::error::CodingError;
use super::step::{DecodeStep, Window};

/// The value of Accept-Encoding when codings are wanted.
pub(crate) const ACCEPTED: &str = "gzip, deflate, br, zstd";

/// The largest window of gzip and deflate, as a power of two.
const INFLATE_WINDOW_BITS: u8 = 15;
/// The first byte of every gzip member (RFC 1952 section 2.3.1).
const GZIP_FIRST: u8 = 0x1f;

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// A decoder and its position.
pub(crate) struct Decoder {
    kind: Kind,
    at: At,
}

enum Kind {
    Gzip(Decompress),
    /// `None` before the first byte, which distinguishes the zlib format of the standard from the raw one that some
    /// servers servers send.
    Deflate(Option<Decompress>),
    Brotli(Box<Brotli>, Window),
    Zstd(DCtx<'static>, Window),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the first byte.
    Start,
    Within,
    /// After an end, which may be the last one.
    End,
}

impl Decoder {
    /// The decoder for the coding `name`. Input that needs a larger window than `window` is an error; gzip and deflate
    /// have small ones.
    pub(super) fn of(name: &str, window: Window) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let kind = match () {
            // RFC 9110 section 8.4.1.3: both names mean the same.
            () if is("gzip") || is("x-gzip") => Kind::Gzip(Decompress::new_gzip(INFLATE_WINDOW_BITS)),
            () if is("deflate") => Kind::Deflate(None),
            () if is("br") => Kind::Brotli(Box::new(brotli()), window),
            () if is("zstd") => Kind::Zstd(zstd(window)?, window),
            () => return None,
        };
        Some(Self { kind, at: At::Start })
    }

    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Gzip(_) => "gzip",
            Kind::Deflate(_) => "deflate",
            Kind::Brotli(..) => "br",
            Kind::Zstd(..) => "zstd",
        }
    }

    /// Whether the input may end here.
    pub(super) fn is_complete(&self) -> bool {
        self.at == At::End
    }

    /// Decodes some of `input` into `output`. A step that neither takes nor makes a byte needs more input.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, CodingError> {
        let Some(&first) = input.first() else {
            return if self.at == At::Within {
                self.advance(input, output)
            } else {
                Ok(DecodeStep::default())
            };
        };
        if self.at == At::End {
            self.begin_another(first)?;
        }
        if let Kind::Deflate(inflate @ None) = &mut self.kind {
            // RFC 1950 section 2.2: zlib data begins with the compression method 8; no encoder begins raw data with it.
            *inflate = Some(Decompress::new(first & 0x0f == 8));
        }
        if let Kind::Brotli(_, window) = &self.kind
            && self.at == At::Start
            && brotli_window_bits(first) > window.bits
        {
            return Err(CodingError::Window { window_bytes_max: 1 << window.bits });
        }
        self.advance(input, output)
    }

    /// Begins another member or frame, if the format allows one after the end.
    fn begin_another(&mut self, first: u8) -> Result<(), CodingError> {
        match &mut self.kind {
            Kind::Gzip(inflate) if first == GZIP_FIRST => {
                *inflate = Decompress::new_gzip(INFLATE_WINDOW_BITS);
                Ok(())
            }
            // The decoder is ready for another frame, and checks whether it is one.
            Kind::Zstd(..) => Ok(()),
            _ => Err(CodingError::Trailing { coding: self.name() }),
        }
    }

    fn advance(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, CodingError> {
        let advanced = match &mut self.kind {
            Kind::Gzip(decompress) | Kind::Deflate(Some(decompress)) => inflate(decompress, input, output),
            Kind::Deflate(None) => Some((DecodeStep::default(), At::Start)),
            Kind::Brotli(state, _) => unbrotli(state, input, output),
            Kind::Zstd(context, window) => unzstd(context, *window, input, output)?,
        };
        let (step, at) = advanced.ok_or_else(|| match self.at {
            At::End => CodingError::Trailing { coding: self.name() },
            At::Start | At::Within => CodingError::Damaged { coding: self.name() },
        })?;
        self.at = at;
        Ok(step)
    }
}

fn inflate(decompress: &mut Decompress, input: &[u8], output: &mut [u8]) -> Option<(DecodeStep, At)> {
    let (taken, made) = (decompress.total_in(), decompress.total_out());
    let status = decompress.decompress(input, output, FlushDecompress::None).ok()?;
    let step = DecodeStep {
        taken: (decompress.total_in() - taken) as usize,
        made: (decompress.total_out() - made) as usize,
    };
    Some((step, if status == Status::StreamEnd { At::End } else { At::Within }))
}

fn brotli() -> Brotli {
    let alloc = StandardAlloc::default;
    // Strict: windows of at most 16 MiB, as in RFC 7932.
    BrotliState::new_strict(alloc(), alloc(), alloc())
}

fn unbrotli(state: &mut Brotli, input: &[u8], output: &mut [u8]) -> Option<(DecodeStep, At)> {
    let (mut input_left, mut taken, mut output_left, mut made) = (input.len(), 0, output.len(), 0);
    let mut total = 0;
    let result = BrotliDecompressStream(
        &mut input_left,
        &mut taken,
        input,
        &mut output_left,
        &mut made,
        output,
        &mut total,
        state,
    );
    match result {
        BrotliResult::ResultFailure => None,
        BrotliResult::ResultSuccess => Some((DecodeStep { taken, made }, At::End)),
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {
            Some((DecodeStep { taken, made }, At::Within))
        }
    }
}

/// RFC 7932 section 9.1: the window of a stream that begins with the byte `first`.
fn brotli_window_bits(first: u8) -> u32 {
    let (short, long) = (u32::from(first >> 1 & 7), u32::from(first >> 4 & 7));
    match (first & 1, short, long) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, long) => 8 + long,
        (_, short, _) => 17 + short,
    }
}

fn zstd(window: Window) -> Option<DCtx<'static>> {
    let mut context = DCtx::try_create()?;
    context.set_parameter(DParameter::WindowLogMax(window.bits)).ok()?;
    Some(context)
}

fn unzstd(
    context: &mut DCtx<'static>,
    window: Window,
    input: &[u8],
    output: &mut [u8],
) -> Result<Option<(DecodeStep, At)>, CodingError> {
    let mut from = InBuffer::around(input);
    let mut to = OutBuffer::around(output);
    let wanted = match context.decompress_stream(&mut to, &mut from) {
        Ok(wanted) => wanted,
        // The library has no public constants for its errors.
        Err(code) if zstd_safe::get_error_name(code).contains("too much memory") => {
            return Err(CodingError::Window { window_bytes_max: 1 << window.bits });
        }
        Err(_) => return Ok(None),
    };
    let step = DecodeStep { taken: from.pos(), made: to.pos() };
    Ok(Some((step, if wanted == 0 { At::End } else { At::Within })))
}
