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
            _ if is_harmful(character) => quoted.extend(character.escape_unicode()),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// A message without characters that could manipulate a terminal. Line feeds stay.
pub(crate) fn harmless(message: &str) -> Cow<'_, str> {
    escaped(message, |character, out| out.extend(character.escape_unicode()))
}

/// JSON text as [`harmless`], in JSON's own escapes: beyond ASCII these characters are valid, but not for terminals.
pub(crate) fn harmless_json(text: &str) -> Cow<'_, str> {
    escaped(text, |character, out| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let is_escaped = |character: char| character != '\n' && is_harmful(character);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_escaped(character) { escape(character, &mut out) } else { out.push(character) }
    }
    Cow::Owned(out)
}

/// Control characters, and those that reorder or hide text (Unicode's bidirectional and zero-width controls, tags).
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
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
    fn messages_and_json_carry_no_harmful_characters() {
        let text = "a\x1b[2J\u{9b}31m\u{202e}\u{7f}\u{e0041}\u{61c}\tb\nc \u{e9}";
        let shown = "a\\u{1b}[2J\\u{9b}31m\\u{202e}\\u{7f}\\u{e0041}\\u{61c}\\u{9}b\nc \u{e9}";
        assert_eq!(harmless(text), shown);
        let json = serde_json::Value::from(text).to_string();
        let escaped = harmless_json(&json);
        assert!(!escaped.contains(is_harmful), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
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
