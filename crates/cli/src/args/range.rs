//! The value of `--range`: which bytes of a plaintext are wanted.
//!
//! Owns: its grammar, the bytes that it means in a plaintext of known length.
//! Does not own: reading them.
//!
//! Source: RFC 9110, Section 14.1.2: the same forms.

use std::ops::Range;
use std::str::FromStr;

/// Some bytes of a plaintext, numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeArg {
    /// `A-B`: from the first number through the second.
    Through(u64, u64),
    /// `A-`: all from this number on.
    From(u64),
    /// `-N`: this many at the end.
    Last(u64),
}

impl RangeArg {
    /// The bytes of a plaintext of `length` bytes. The end may lie behind it.
    pub(crate) fn within(self, length: u64) -> Range<u64> {
        match self {
            Self::Through(first, last) => first..last.saturating_add(1),
            Self::From(first) => first..u64::MAX,
            Self::Last(count) => length.saturating_sub(count)..length,
        }
    }
}

impl FromStr for RangeArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        };
        let (first, last) = text.split_once('-').ok_or("the form is A-B, A- or -N")?;
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first > last => Err("the last byte lies before the first"),
            (Some(first), Some(last)) => Ok(Self::Through(first, last)),
            (Some(first), None) if last.is_empty() => Ok(Self::From(first)),
            (None, Some(0)) if first.is_empty() => Err("no bytes are wanted"),
            (None, Some(count)) if first.is_empty() => Ok(Self::Last(count)),
            _ => Err("the form is A-B, A- or -N, in bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_writes_them() {
        for (text, in_ten) in [
            ("0-0", Some(0..1)),
            ("3-7", Some(3..8)),
            ("3-", Some(3..u64::MAX)),
            ("-3", Some(7..10)),
            ("-30", Some(0..10)),
            ("10-", Some(10..u64::MAX)),
            ("0-18446744073709551615", Some(0..u64::MAX)),
            ("7-3", None),
            ("-0", None),
            ("-", None),
            ("", None),
            ("5", None),
            ("a-b", None),
            ("1-2-3", None),
            ("+1-2", None),
            ("1k-2k", None),
            ("0-18446744073709551616", None),
        ] {
            assert_eq!(text.parse::<RangeArg>().ok().map(|range| range.within(10)), in_ten, "{text}");
        }
    }
}
