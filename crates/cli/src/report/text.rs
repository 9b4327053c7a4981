//! Text in messages: foreign strings, sizes and counts.
//!
//! Owns: quoting and escaping, units, singular and plural.
//! Does not own: printing.

use std::borrow::Cow;
use std::ffi::OsStr;

/// A foreign string in double quotes. Characters that could manipulate a terminal are escaped.
pub(crate) fn quoted(text: &(impl AsRef<OsStr> + ?Sized)) -> String {
    let lossy: Cow<'_, str> = text.as_ref().to_string_lossy();
    let mut quoted = String::with_capacity(lossy.len() + 2);
    quoted.push('"');
    for character in lossy.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() || is_invisible(character) => {
                quoted.extend(character.escape_unicode())
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that reorder or hide text (Unicode's bidirectional and zero-width controls).
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `bytes` with a unit: three or four characters and the unit.
pub(crate) fn human_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if value < 1_000.0 {
            break;
        }
        value /= 1_024.0;
        unit = next;
    }
    let decimals = if unit == "B" || value >= 99.95 { 0 } else { 1 };
    format!("{value:.decimals$} {unit}")
}

/// `count` with the noun in the singular or the plural.
pub(crate) fn counted(count: u64, singular: &str, plural: &str) -> String {
    format!("{count} {}", if count == 1 { singular } else { plural })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_strings_are_escaped() {
        assert_eq!(quoted("a b"), r#""a b""#);
        assert_eq!(quoted("a\"\\"), r#""a\"\\""#);
        assert_eq!(quoted("\x1b[31m\n\u{202e}"), r#""\u{1b}[31m\u{a}\u{202e}""#);
    }

    #[test]
    fn sizes_have_three_or_four_characters() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1.0 KiB"), (1 << 20, "1.0 MiB"), (200 << 30, "200 GiB")]
        {
            assert_eq!(human_bytes(bytes), text);
        }
    }
}
