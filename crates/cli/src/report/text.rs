//! Text in messages and data: foreign strings, names of files, sizes and counts.
//!
//! Owns: quoting and escaping, units, singular and plural.
//! Does not own: printing.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

/// A foreign string in double quotes. Characters that could manipulate a terminal are escaped, and so are bytes that
/// aren't UTF-8, so that different strings stay different.
pub(crate) fn quoted(text: &(impl AsRef<OsStr> + ?Sized)) -> String {
    let bytes = text.as_ref().as_bytes();
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => quoted.extend(['\\', character]),
                _ if is_harmful(character) => quoted.extend(character.escape_unicode()),
                _ => quoted.push(character),
            }
        }
        quoted.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    quoted.push('"');
    quoted
}

/// The members of a JSON object that say what `name` is: the member `key` and, if the name isn't UTF-8, its bytes in
/// hexadecimal digits in `key` with `_hex`, since the text alone may be that of another name.
pub(crate) fn name_members(key: &str, name: &OsStr) -> impl Iterator<Item = (String, Value)> + use<> {
    let exact = name.to_str().is_none().then(|| (format!("{key}_hex"), hex(name.as_bytes()).into()));
    [(key.to_owned(), name.to_string_lossy().into())].into_iter().chain(exact)
}

/// `bytes` in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One line of a message, without characters that could manipulate a terminal or begin another line.
pub(crate) fn harmless(message: &str) -> Cow<'_, str> {
    escaped(message, is_harmful, |character, out| out.extend(character.escape_unicode()))
}

/// JSON text, or text in lines, without harmful characters, in JSON's own escapes: beyond ASCII these characters are
/// valid in JSON, but not for terminals.
pub(crate) fn harmless_json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |character| character != '\n' && is_harmful(character),
        |character, out| {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        },
    )
}

fn escaped(text: &str, is_escaped: fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
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

/// The last part of a path or URL, in a form for a terminal; all of it if that is empty.
pub(crate) fn last_name(subject: &OsStr) -> String {
    let text = subject.to_string_lossy();
    let text =
        text.split_once("://").map_or(&*text, |(_, rest)| rest.split(['?', '#']).next().unwrap_or(rest));
    let name = text.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty());
    harmless(name.unwrap_or(text)).into_owned()
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
        let name = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
        assert_eq!(quoted(name(b"a\xffb\xc3")), r#""a\xffb\xc3""#);
        assert_ne!(quoted(name(b"\xff")), quoted("\\xff"));
        assert_eq!(quoted("\x1b[31m\n\u{202e}"), r#""\u{1b}[31m\u{a}\u{202e}""#);
    }

    #[test]
    fn messages_and_json_carry_no_harmful_characters() {
        let text = "a\x1b[2J\u{9b}31m\u{202e}\u{7f}\u{e0041}\u{61c}\tb\nc \u{e9}";
        let shown = "a\\u{1b}[2J\\u{9b}31m\\u{202e}\\u{7f}\\u{e0041}\\u{61c}\\u{9}b\\u{a}c \u{e9}";
        assert_eq!(harmless(text), shown);
        let json = serde_json::Value::from(text).to_string();
        let escaped = harmless_json(&json);
        assert!(!escaped.contains(is_harmful), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
    }

    #[test]
    fn names_stay_distinct_in_json() {
        let members = |name: &'static [u8]| {
            let members = name_members("subject", OsStr::from_bytes(name)).collect::<serde_json::Map<_, _>>();
            Value::Object(members).to_string()
        };
        assert_eq!(members("\u{e9}".as_bytes()), "{\"subject\":\"\u{e9}\"}");
        assert_eq!(members(b"a\xfe"), "{\"subject\":\"a\u{fffd}\",\"subject_hex\":\"61fe\"}");
        assert_ne!(members(b"a\xfe"), members(b"a\xff"));
    }

    #[test]
    fn the_last_name_is_that_of_the_file() {
        for (subject, name) in [
            ("http://h/a/b.iso?x=/1#y", "b.iso"),
            ("http://h/", "h"),
            ("a/b/", "b"),
            ("/", "/"),
            ("b\n", "b\\u{a}"),
        ] {
            assert_eq!(last_name(OsStr::new(subject)), name);
        }
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
