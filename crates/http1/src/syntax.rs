//! Bytes and small pieces of syntax: line ends, tokens, lists, decimal numbers.
//!
//! Owns: the byte classes of RFC 9110, section 5.6, that the parsers share, and one fast search.
//! Does not own: the meaning of a line.

/// Bytes that [`find_lf`] examines at once. The inner loop has no early exit, so it compiles to vector instructions.
const STRIDE_BYTES: usize = 32;

/// The index of the first LF in `input`. One pass; no allocation.
pub(crate) fn find_lf(input: &[u8]) -> Option<usize> {
    let mut skipped = 0;
    for block in input.chunks(STRIDE_BYTES) {
        if block.iter().fold(false, |found, byte| found | (*byte == b'\n')) {
            return block.iter().position(|byte| *byte == b'\n').map(|at| skipped + at);
        }
        skipped += block.len();
    }
    None
}

/// Whether `byte` may be part of a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `byte` may be part of a field value or a reason phrase: HTAB, SP, visible ASCII, obs-text (RFC
/// 9110, section 5.5).
pub(crate) fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether `byte` is SP or HTAB, the only white space within a line (RFC 9110, section 5.6.3).
pub(crate) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// `text` without leading and trailing SP and HTAB. Other ASCII white space remains and is refused later.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

/// The elements of a comma-separated list, trimmed, including empty ones. Quoted strings get no special treatment: the
/// lists of this crate (Connection, Transfer-Encoding, Content-Length) contain none.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

/// Parses a decimal number below 2^64 of digits only: no sign, no space, not empty.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::{decimal, find_lf, is_token, trim};

    #[test]
    fn finds_the_first_line_feed_at_every_position() {
        for len in 0..100 {
            assert_eq!(find_lf(&vec![b'x'; len]), None);
            for at in 0..len {
                let mut input = vec![b'x'; len];
                input[at] = b'\n';
                input[len - 1] = b'\n';
                assert_eq!(find_lf(&input), Some(at));
            }
        }
    }

    /// Names are checked by `http::HeaderName`; this proves that it accepts tokens and nothing else.
    #[test]
    fn header_names_are_exactly_tokens() {
        for byte in 0..=u8::MAX {
            let accepted = http::HeaderName::from_bytes(&[b'x', byte]).is_ok();
            assert_eq!(accepted, is_token(byte), "byte {byte:#04x}");
        }
    }

    #[test]
    fn trims_blanks_only() {
        for (text, trimmed) in [("", ""), (" \t ", ""), (" a b\t", "a b"), ("\ra\r", "\ra\r")] {
            assert_eq!(trim(text.as_bytes()), trimmed.as_bytes());
        }
    }

    #[test]
    fn decimals_have_digits_only_and_fit() {
        let cases = [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("+6", None),
            ("-1", None),
            ("1 ", None),
            ("0x1", None),
            ("6.0", None),
        ];
        for (text, number) in cases {
            assert_eq!(decimal(text.as_bytes()), number, "{text:?}");
        }
    }
}
