//! The positions of an armored file's bytes in its text, for reading at any offset.
//!
//! Every line but the last has 64 columns. If all lines also end alike, the lines of any range of bytes are known.
//!
//! Owns: where the block begins and ends, which lines hold which bytes.
//! Does not own: the grammar of lines ([`crate::ArmorDecoder`]), reading.
//!
//! Spec: C2SP age.md, "ASCII armor".

use std::ops::Range;

use crate::armor::{ArmorDecoder, BEGIN_LINE, COLUMNS, END_LINE, LINE_BYTES};
use crate::error::ArmorError;

/// The positions of an armored file's bytes in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArmorLayout {
    /// The position of the first encoded line in the text.
    first_line: u64,
    /// Length in bytes of a full line with its end.
    line_bytes: u64,
    /// Length of all encoded lines in bytes.
    text_bytes: u64,
    /// The number of bytes that the lines encode.
    bytes: u64,
}

impl ArmorLayout {
    /// How many bytes of the text's start and of its end [`new`](Self::new) needs; all of a shorter text.
    pub const EDGE_BYTES: usize = 2048;

    /// Finds the layout of a text of `text_bytes` bytes from its `start` and its `end`.
    ///
    /// # Errors
    /// If they are no start or end of armor, or more than 1 KiB of white space surrounds the block;
    /// [`ArmorError::Irregular`] if the last line shows that the lines differ.
    pub fn new(start: &[u8], end: &[u8], text_bytes: u64) -> Result<Self, ArmorError> {
        let begun = start.trim_ascii_start().strip_prefix(BEGIN_LINE).ok_or(ArmorError::NotArmor)?;
        let line_end: &[u8] = if begun.starts_with(b"\r") { b"\r\n" } else { b"\n" };
        let encoded = begun.strip_prefix(line_end).ok_or(ArmorError::NotArmor)?;
        let before = &start[..start.len() - encoded.len()];
        let lines = end.trim_ascii_end().strip_suffix(END_LINE).ok_or(ArmorError::CutShort)?;
        let after = &end[lines.len()..];

        let (first_line, line_bytes) = (before.len() as u64, (COLUMNS + line_end.len()) as u64);
        let last_end = text_bytes - after.len() as u64;
        let lines_bytes = last_end.checked_sub(first_line).ok_or(ArmorError::CutShort)?;
        let full_lines = lines_bytes.saturating_sub(1) / line_bytes;
        let last_bytes = (lines_bytes - full_lines * line_bytes) as usize;
        let last = &lines[lines.len().checked_sub(last_bytes).ok_or(ArmorError::Irregular)?..];
        let is_one_line = last.ends_with(line_end) && last.iter().filter(|byte| **byte == b'\n').count() == 1;
        if !(is_one_line || last.is_empty()) {
            return Err(ArmorError::Irregular);
        }
        // The edges obey the grammar if they do so without the lines between them.
        let (mut decoder, mut decoded) = (ArmorDecoder::default(), Vec::new());
        for piece in [before, last, after] {
            decoder.push(piece, &mut decoded)?;
        }
        decoder.finish(&mut decoded)?;
        let bytes = full_lines * LINE_BYTES as u64 + decoded.len() as u64;
        Ok(Self { first_line, line_bytes, text_bytes: lines_bytes, bytes })
    }

    /// The number of bytes that the armor encodes.
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// Where in the text the lines lie that encode the bytes in `range`.
    pub fn lines_of(self, range: &Range<u64>) -> Range<u64> {
        let offset = |line: u64| self.first_line + (line * self.line_bytes).min(self.text_bytes);
        offset(range.start / LINE_BYTES as u64)..offset(range.end.div_ceil(LINE_BYTES as u64))
    }

    /// Decodes `lines`, the text of [`lines_of`](Self::lines_of), and appends the bytes in `range` to `bytes`.
    ///
    /// # Errors
    /// If a line is malformed, or not as long as the others.
    pub fn decode(self, lines: &[u8], range: &Range<u64>, bytes: &mut Vec<u8>) -> Result<(), ArmorError> {
        let start = bytes.len();
        ArmorDecoder::inside().push(lines, bytes)?;
        let first = start + (range.start % LINE_BYTES as u64) as usize;
        let end = first + (range.end - range.start) as usize;
        if bytes.len() < end || bytes.len() - end >= LINE_BYTES {
            return Err(ArmorError::Irregular);
        }
        bytes.truncate(end);
        bytes.drain(start..first);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ArmorEncoder;

    fn armored(bytes: &[u8], line_end: &str) -> String {
        let (mut encoder, mut text) = (ArmorEncoder::default(), Vec::new());
        encoder.push(bytes, &mut text);
        encoder.finish(&mut text);
        String::from_utf8(text).unwrap().replace('\n', line_end)
    }

    fn layout(text: &[u8]) -> Result<ArmorLayout, ArmorError> {
        let edge = ArmorLayout::EDGE_BYTES.min(text.len());
        ArmorLayout::new(&text[..edge], &text[text.len() - edge..], text.len() as u64)
    }

    fn decoded(text: &[u8], range: Range<u64>) -> Result<Vec<u8>, ArmorError> {
        let layout = layout(text)?;
        let lines = layout.lines_of(&range);
        let mut bytes = b"kept".to_vec();
        layout.decode(&text[lines.start as usize..lines.end as usize], &range, &mut bytes)?;
        assert_eq!(&bytes[..4], b"kept");
        Ok(bytes.split_off(4))
    }

    #[test]
    fn every_range_of_every_length_is_found() {
        for length in (0..200).chain([4_799, 4_800, 4_801]) {
            let bytes: Vec<u8> = (0..length).map(|index| (index * 7) as u8).collect();
            for (line_end, before, after) in
                [("\n", "", ""), ("\r\n", "", " \r\n"), ("\n", "\n \t\r\n", "\n\n")]
            {
                let text = [before, &armored(&bytes, line_end), after].concat();
                assert_eq!(layout(text.as_bytes()).unwrap().bytes(), length as u64, "{length} {line_end:?}");
                for start in [0, 1, 47, 48, 49, 95, 96, length / 2, length].map(|start| start.min(length)) {
                    for end in [start, start + 1, start + 48, start + 97, length].map(|end| end.min(length)) {
                        let found = decoded(text.as_bytes(), start as u64..end as u64);
                        assert_eq!(found.as_deref(), Ok(&bytes[start..end]), "{start}..{end} of {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_armor_and_what_is_irregular_is_refused() {
        let text = armored(&[7; 1_000], "\n");
        assert_eq!(layout(&text.as_bytes()[..text.len() - 40]), Err(ArmorError::CutShort));
        assert_eq!(layout(format!("x{text}").as_bytes()), Err(ArmorError::NotArmor));
        assert_eq!(layout(format!(" {text}").as_bytes()), Err(ArmorError::NotArmor));
        assert_eq!(layout(format!("{text}x").as_bytes()), Err(ArmorError::CutShort));
        let mixed = text.replacen("\n", "\r\n", 5).replacen("\r\n", "\n", 1);
        assert_eq!(layout(mixed.as_bytes()), Err(ArmorError::Irregular));
        // As long as a regular text, but not made of lines.
        let mut shifted = text.into_bytes();
        shifted.swap(35 + 64, 35 + 63);
        assert_eq!(decoded(&shifted, 0..1_000), Err(ArmorError::MalformedLine));
    }
}
