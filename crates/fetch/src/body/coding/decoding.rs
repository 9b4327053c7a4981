//! Content codings of a body, undone as it arrives.
//!
//! Owns: parsing Content-Encoding, the chain of decoders, limits on the growth of a body.
//! Does not own: the single decoders ([`super::decoder`]), requesting codings, where decoded bytes go.
//!
//! Source: RFC 9110, sections 8.4 (Content-Encoding) and 12.5.3 (Accept-Encoding).

use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::decoder::Decoder;
use super::error::CodingError;
use super::step::{DecodeStep, Window};

/// How many codings one body may have on top of each other.
const CHAIN_MAX: usize = 5;
/// Bytes between two decoders of a chain.
const STAGE_BUFFER_BYTES: usize = 32 * 1024;
/// Up to this many decoded bytes the ratio isn't checked: they are no threat to memory.
const UNCHECKED_BYTES: u64 = 16 << 20;

/// RFC 9659: zstd over HTTP needs no window of more than 8 MiB. Also the memory of all windows of a chain together.
const ZSTD_WINDOW_BITS: u32 = 23;
/// RFC 7932: windows of br have at most 16 MiB.
const BROTLI_WINDOW_BITS: u32 = 24;

/// The decoders of one body. Their memory is that of their windows: 32 KiB for gzip and deflate, up to 8 MiB for zstd
/// and up to 16 MiB for br. Several codings of the latter kinds share 8 MiB equally.
pub(crate) struct Decoding {
    /// In the order of decoding. Invariant: at least one, at most [`CHAIN_MAX`].
    stages: Vec<Stage>,
    ratio_max: u32,
    encoded_bytes: u64,
}

struct Stage {
    decoder: Decoder,
    /// Bytes that the previous stage made and this one hasn't taken.
    input: Vec<u8>,
    made_bytes: u64,
    /// Whether the output was full, so that the decoder may have more.
    filled: bool,
}

impl Decoding {
    /// The decoders for a body with these header fields; `None` if it has no coding. A body that grows to more than
    /// `ratio_max` times its encoded length is an error, once it is large.
    pub(crate) fn of(headers: &HeaderMap, ratio_max: u32) -> Result<Option<Self>, CodingError> {
        let mut names = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            let unknown = || CodingError::Unknown(String::from_utf8_lossy(value.as_bytes()).into_owned());
            let codings = value.to_str().map_err(|_| unknown())?.split(',').map(str::trim);
            for coding in codings.filter(|coding| !coding.is_empty()) {
                if names.len() == CHAIN_MAX {
                    return Err(CodingError::TooMany { count_max: CHAIN_MAX });
                }
                if !changes_nothing(coding) {
                    names.push(coding);
                }
            }
        }
        let windowed = names.iter().filter(|name| is_windowed(name)).count();
        let mut stages = Vec::new();
        for name in names {
            let decoder = Decoder::of(name, window(name, windowed));
            let decoder = decoder.ok_or_else(|| CodingError::Unknown(name.to_owned()))?;
            stages.push(Stage { decoder, input: Vec::new(), made_bytes: 0, filled: false });
        }
        // The field lists the codings in the order in which they were applied.
        stages.reverse();
        Ok((!stages.is_empty()).then_some(Self { stages, ratio_max, encoded_bytes: 0 }))
    }

    /// Decodes the beginning of `input` into the beginning of `output`, until either is used up. Cost: bounded by the
    /// length of `output` and of the buffers between the decoders.
    pub(crate) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, CodingError> {
        let step = pump(&mut self.stages, input, output)?;
        self.encoded_bytes += step.taken as u64;
        let bytes_max = UNCHECKED_BYTES.max(self.encoded_bytes.saturating_mul(self.ratio_max.into()));
        if self.stages.iter().any(|stage| stage.made_bytes > bytes_max) {
            return Err(CodingError::Bomb { ratio_max: self.ratio_max });
        }
        Ok(step)
    }

    /// Encoded bytes taken so far.
    pub(crate) fn encoded_bytes(&self) -> u64 {
        self.encoded_bytes
    }

    /// Ends the body, after steps without input have made all remaining bytes.
    pub(crate) fn finish(&self) -> Result<(), CodingError> {
        // An empty body is valid for any coding.
        let is_whole = self.encoded_bytes == 0 || self.stages.iter().all(|stage| stage.decoder.is_complete());
        if is_whole { Ok(()) } else { Err(CodingError::Incomplete) }
    }
}

/// Whether the coding has windows of megabytes.
fn is_windowed(name: &str) -> bool {
    ["br", "zstd"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The window that the coding `name` may have, as one of so many with large windows.
fn window(name: &str, windowed: usize) -> Window {
    let bits = match windowed.max(1).next_power_of_two().ilog2() {
        0 if name.eq_ignore_ascii_case("br") => BROTLI_WINDOW_BITS,
        doublings => ZSTD_WINDOW_BITS - doublings,
    };
    Window { bits }
}

/// Whether `coding` leaves the content as it is. RFC 9110 section 8.4: "identity" shouldn't be listed. Some servers
/// list "none" instead.
pub(crate) fn changes_nothing(coding: &str) -> bool {
    ["", "identity", "none"].iter().any(|name| coding.eq_ignore_ascii_case(name))
}

/// Lets the last stage make bytes, and the stages before it supply them. Returns when `output` is full, or when `input`
/// is used up and no stage can make more by itself.
fn pump(stages: &mut [Stage], input: &[u8], output: &mut [u8]) -> Result<DecodeStep, CodingError> {
    let Some((last, before)) = stages.split_last_mut() else { return Ok(DecodeStep::default()) };
    if before.is_empty() {
        return last.step(input, output);
    }
    let mut all = DecodeStep::default();
    while all.made < output.len() {
        if last.input.is_empty() {
            let mut supply = vec![0; STAGE_BUFFER_BYTES];
            let step = pump(before, &input[all.taken..], &mut supply)?;
            all.taken += step.taken;
            supply.truncate(step.made);
            last.input = supply;
        }
        let supply = std::mem::take(&mut last.input);
        let step = last.step(&supply, &mut output[all.made..])?;
        all.made += step.made;
        last.input = supply[step.taken..].to_vec();
        if step == DecodeStep::default() && supply.is_empty() {
            break;
        }
    }
    Ok(all)
}

impl Stage {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, CodingError> {
        let mut all = DecodeStep::default();
        while all.made < output.len() && (all.taken < input.len() || self.filled) {
            let step = self.decoder.step(&input[all.taken..], &mut output[all.made..])?;
            all.taken += step.taken;
            all.made += step.made;
            self.made_bytes += step.made as u64;
            self.filled = all.made == output.len();
            if step == DecodeStep::default() {
                break;
            }
        }
        // With input and space every decoder advances, unless its input is invalid.
        if all.made < output.len() && all.taken < input.len() {
            Err(CodingError::Incomplete)
        } else {
            Ok(all)
        }
    }
}

#[cfg(all(test, feature = "codings"))]
mod tests;
