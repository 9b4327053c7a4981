//! File names that servers propose.
//!
//! Owns: parsing Content-Disposition, making the name safe.
//! Does not own: names from URLs ([`crate::basename`]), conflicts between names.
//!
//! Source: RFC 6266 sections 4.1 (grammar) and 4.3 (what to distrust), RFC 8187 section 3.2 (`filename*`).

use std::path::Path;

use http::HeaderMap;
use http::header::CONTENT_DISPOSITION;
use percent_encoding::percent_decode_str;

use crate::names::reserved::unreserved;
use crate::names::url_name::cut;

/// Names of devices on some systems, whatever follows the first dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// The name that a response proposes, made safe: no directory separators, no control or bidirectional characters, not
/// hidden, no device, not the name of a file that this client keeps for itself, at most 241 bytes. `None` if it
/// proposes none.
pub fn disposition_name(headers: &HeaderMap) -> Option<String> {
    let value = text_of(headers.get(CONTENT_DISPOSITION)?.as_bytes());
    let mut parameters = Vec::new();
    let mut rest = parameters_of(&value)?;
    while let Some((name, value, after)) = parameter(rest) {
        parameters.push((name, value));
        rest = after;
    }
    let of =
        |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    // RFC 6266 section 4.3: the extended form is preferred.
    let name = of("filename*").and_then(extended).or_else(|| of("filename").map(str::to_owned))?;
    harmless(&name)
}

/// The field as text: UTF-8 as browsers take it, else ISO 8859-1, which RFC 9110 section 5.5 calls historical.
fn text_of(field: &[u8]) -> String {
    match str::from_utf8(field) {
        Ok(text) => text.to_owned(),
        Err(_) => field.iter().copied().map(char::from).collect(),
    }
}

/// What follows the disposition type. Some servers omit the type: then the first part is a parameter already.
fn parameters_of(value: &str) -> Option<&str> {
    let (first, rest) = value.split_once(';').unwrap_or((value, ""));
    if first.contains('=') { Some(value) } else { Some(rest).filter(|rest| !rest.is_empty()) }
}

/// The next `name=value` in `text`, and the text after its semicolon.
fn parameter(text: &str) -> Option<(String, String, &str)> {
    let (name, rest) = text.split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let rest = rest.trim_start();
    match rest.strip_prefix('"') {
        None => {
            let (value, after) = rest.split_once(';').unwrap_or((rest, ""));
            Some((name, value.trim().to_owned(), after))
        }
        Some(quoted) => {
            let (value, after) = unquoted(quoted)?;
            Some((name, value, after.split_once(';').map_or("", |(_, after)| after)))
        }
    }
}

/// The value of a quoted string, given the text after the first quote, and the text after the last one.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(characters.next()?.1),
            (_, other) => value.push(other),
        }
    }
}

/// RFC 8187: a charset, a language, and percent-encoded text between single quotes.
fn extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, text) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        _ => None,
    }
}

fn harmless(name: &str) -> Option<String> {
    // RFC 6266 section 4.3: only the last segment of a path, with the separators of any system.
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let replaced = |character: char| match character {
        // Characters that some systems forbid, and characters that disguise a name.
        ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => '_',
        other if other.is_control() => '_',
        other => other,
    };
    let mut name: String = last.chars().map(replaced).collect();
    name = name.trim_matches(' ').trim_end_matches(['.', ' ']).to_owned();
    if name.is_empty() {
        return None;
    }
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    if is_device(&name) {
        name.insert(0, '_');
    }
    cut(&mut name);
    unreserved(Path::new(&name)).into_os_string().into_string().ok()
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let is_port = |kind: &str| {
        let number = stem
            .strip_prefix(kind)
            .and_then(|rest| rest.chars().next().filter(|_| rest.chars().count() == 1));
        number.is_some_and(|number| matches!(number, '0'..='9' | '¹' | '²' | '³'))
    };
    DEVICES.contains(&stem.as_str()) || is_port("com") || is_port("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[track_caller]
    fn named(value: &str, expected: Option<&str>) {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        let found = disposition_name(&HeaderMap::from_iter([(CONTENT_DISPOSITION, value.clone())]));
        assert_eq!(found.as_deref(), expected, "{value:?}");
    }

    #[test]
    fn names_are_read() {
        named("attachment", None);
        named("attachment; filename=a.txt", Some("a.txt"));
        named("inline;filename = \"a b;c.txt\" ; x=y", Some("a b;c.txt"));
        named("attachment; FileName=\"a\\\"b\\\\c\"", Some("c"));
        named("attachment; filename=\"na\u{ef}ve\"", Some("na\u{ef}ve"));
        named("attachment; filename=plain; filename*=UTF-8''%e2%82%ac%20rates", Some("\u{20ac} rates"));
        named("attachment; filename*=iso-8859-1'en'%A3%20rates; filename=plain", Some("\u{a3} rates"));
        named("attachment; filename*=utf-8''%ff; filename=plain", Some("plain"));
        named("attachment; filename*=koi8-r''x; filename=plain", Some("plain"));
        named("attachment; filename=\"unended", None);
        named("attachment; filename=\"\"", None);
    }

    #[test]
    fn names_are_read_without_a_type_and_in_latin_1() {
        named("filename=a.txt", Some("a.txt"));
        named("filename=\"a;b.txt\"; x=y", Some("a;b.txt"));
        named("filename*=UTF-8''%e2%82%ac; filename=plain", Some("\u{20ac}"));
        named("; filename=a.txt", Some("a.txt"));
        let value = HeaderValue::from_bytes(b"attachment; filename=\"na\xefve.txt\"").unwrap();
        let found = disposition_name(&HeaderMap::from_iter([(CONTENT_DISPOSITION, value)]));
        assert_eq!(found.as_deref(), Some("na\u{ef}ve.txt"));
    }

    #[test]
    fn names_do_no_harm() {
        for (name, harmless) in [
            ("../../etc/passwd", Some("passwd")),
            ("..\\\\..\\\\boot.ini", Some("boot.ini")),
            ("/", None),
            ("..", None),
            (". .", None),
            (".bashrc", Some("_bashrc")),
            ("a\u{1}b\u{7f}", Some("a_b_")),
            ("exe.\u{202e}gpj", Some("exe._gpj")),
            ("CON", Some("_CON")),
            ("nul.txt", Some("_nul.txt")),
            ("com1.tar.gz", Some("_com1.tar.gz")),
            ("com10", Some("com10")),
            ("lpt\u{b2}", Some("_lpt\u{b2}")),
            ("console", Some("console")),
            (" a. ", Some("a")),
            ("a:b*c?", Some("a_b_c_")),
            ("a.haul-part", Some("a.haul-part_")),
            ("a.HAUL-PART.from", Some("a.HAUL-PART.from_")),
            ("a.haul-from.", Some("a.haul-from_")),
        ] {
            let quoted = |name: &str| {
                // Controls can't be in a field: they come percent-encoded.
                let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
                format!("attachment; filename*=UTF-8''{encoded}")
            };
            named(&quoted(&name.replace("\\\\", "\\")), harmless);
        }
        let long = "\u{e9}".repeat(500);
        let value = HeaderValue::from_bytes(format!("x; filename={long}").as_bytes()).unwrap();
        assert_eq!(
            disposition_name(&HeaderMap::from_iter([(CONTENT_DISPOSITION, value)])).unwrap().len(),
            240
        );
    }
}
