//! Redaction: secret keys in messages and data, logins of URLs in messages, in data and in lists that are written.
//!
//! Owns: finding a secret key in a text, in any letter case; finding the login of a URL, even if the URL is malformed.
//! Does not own: using a login ([`haul_fetch::UrlLogin`]), escaping ([`super::text`]), printing a key on purpose
//! ([`super::voice::Voice::secret_key`]).

use std::borrow::Cow;
use std::ops::Range;

/// What is shown instead of a login.
const MARK: &str = "***@";
/// What is shown instead of the secret part of a key.
const KEY_MARK: &str = "***";
/// The starts of secret keys whose remainder is secret, in lower case.
const KEY_STARTS: [&str; 3] = ["age-secret-key-", "haul-passphrase-", "haul-ssh-"];
/// The start of a plugin's identity, and of the name of every plugin's program.
const PLUGIN_START: &str = "age-plugin-";
/// The shortest data of a Bech32 text: its checksum.
const BECH32_DATA_BYTES_MIN: usize = 6;

/// `text` without the secret keys in it: identities of age and of plugins in any letter case, and private keys in PEM.
/// What follows the start of a key counts as the key up to a quote or the end of the line, as users may have
/// mistyped it.
pub(crate) fn without_keys(text: &str) -> Cow<'_, str> {
    // Lower case in ASCII has the same offsets.
    let lower = text.to_ascii_lowercase();
    let mut out = String::new();
    let mut shown = 0;
    while let Some(secret) = next_key(&lower, shown) {
        out.push_str(&text[shown..secret.start]);
        out.push_str(KEY_MARK);
        shown = secret.end;
    }
    if shown == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[shown..]);
    Cow::Owned(out)
}

/// Where the secret part of the first secret key in `text` stands.
pub(crate) fn key_of(text: &str) -> Option<Range<usize>> {
    next_key(&text.to_ascii_lowercase(), 0)
}

/// The secret part of the first key in `lower` that starts at `from` or later.
fn next_key(lower: &str, from: usize) -> Option<Range<usize>> {
    let starts = KEY_STARTS.iter().filter_map(|start| {
        let at = from + lower[from..].find(start)? + start.len();
        Some(at..at + key_bytes(&lower[at..]))
    });
    let plugins = lower[from..].match_indices(PLUGIN_START).filter_map(|(at, start)| {
        let at = from + at + start.len();
        let data = at + plugin_data_start(&lower[at..])?;
        Some(data..data + key_bytes(&lower[data..]))
    });
    let keys = starts.chain(plugins).chain(private_key(lower, from));
    keys.filter(|secret| !secret.is_empty()).min_by_key(|secret| secret.start)
}

/// The length of the secret part of a key, which ends before a quote or the end of the line.
fn key_bytes(text: &str) -> usize {
    text.find(['"', '\'', '\n']).unwrap_or(text.len())
}

/// Where the data of a plugin's identity begins, counted from the plugin's name; `None` for the name of a program.
fn plugin_data_start(text: &str) -> Option<usize> {
    let is_of_word = |character: char| character.is_ascii_alphanumeric() || "+-._".contains(character);
    let word = &text[..text.find(|character| !is_of_word(character)).unwrap_or(text.len())];
    let data = word.rfind("-1")? + 2;
    (data > 2 && word.len() - data >= BECH32_DATA_BYTES_MIN).then_some(data)
}

/// The content of the first private key in PEM, from its first line to its last or to the end.
fn private_key(lower: &str, from: usize) -> Option<Range<usize>> {
    const LABEL_END: &str = "private key-----";
    let begin = from + lower[from..].find("-----begin ")?;
    let start = begin + lower[begin..].find(LABEL_END)? + LABEL_END.len();
    let end = lower[start..].find("-----end ").map_or(lower.len(), |end| start + end);
    Some(start..end)
}

/// `text` with [`MARK`] instead of the login of each URL in it.
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
    // A login ends in this character.
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        let (before, after) = rest.split_at(colon + 1);
        let slashes = after.len() - after.trim_start_matches(['/', '\\']).len();
        let (slashes, after) = after.split_at(slashes);
        out.push_str(before);
        out.push_str(slashes);
        rest = after;
        if (slashes.len() >= 2 || is_web_scheme(before))
            && let Some(login_bytes) = login_bytes(after)
        {
            out.push_str(MARK);
            rest = &after[login_bytes..];
        }
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// `url` without its query, which may hold a token.
pub(crate) fn without_query(url: Cow<'_, str>) -> Cow<'_, str> {
    match url.find('?') {
        Some(at) => Cow::Owned(format!("{}?{KEY_MARK}", &url[..at])),
        None => url,
    }
}

/// A whole URL as it was written, without its login. The scheme may be missing.
pub(crate) fn redacted_url(url: &str) -> Cow<'_, str> {
    let redacted = redacted(url);
    let authority = redacted.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) if !authority.ends_with(MARK) => Cow::Owned(format!("{MARK}{}", &redacted[at + 1..])),
        _ => redacted,
    }
}

/// Where the login of a URL stands in it, as [`redacted_url`] finds it.
pub(crate) fn login_of(url: &str) -> Option<Range<usize>> {
    let shown = redacted_url(url);
    let start = shown.find(MARK)?;
    let end = url.len() - (shown.len() - start - MARK.len());
    (url.get(start..end)?.ends_with('@')).then_some(start..end - 1)
}

/// Whether `text`, which ends in a colon, ends in a scheme whose URLs need no slashes: parsers of URLs supply them.
fn is_web_scheme(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.ends_with("http:") || text.ends_with("https:")
}

/// The length of the login with its `@`, at the start of the authority of a URL.
fn login_bytes(authority: &str) -> Option<usize> {
    let word = authority.split(|one: char| one.is_whitespace() || one == '"').next().unwrap_or_default();
    let proper = word.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if let Some(at) = proper.rfind('@') {
        return Some(at + 1);
    }
    // A password with a slash that should have been encoded: what stands before the slash isn't a host and a port.
    let (_, port) = proper.split_once(':')?;
    let is_port = proper.starts_with('[') || port.bytes().all(|byte| byte.is_ascii_digit());
    if is_port { None } else { Some(word.rfind('@')? + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_keys_are_replaced_in_any_letter_case() {
        let data = "QYQSZQGPQYQSZQGP";
        let lower = data.to_ascii_lowercase();
        for (text, shown) in [
            (
                format!("no file \"AGE-SECRET-KEY-1{data}\": why"),
                "no file \"AGE-SECRET-KEY-***\": why".to_owned(),
            ),
            (format!("'age-secret-key-pq-1{lower}' found"), "'age-secret-key-***' found".to_owned()),
            (format!("\"Age-Secret-Key-1 {data} {data}\""), "\"Age-Secret-Key-***\"".to_owned()),
            (format!("AGE-SECRET-KEY-1{data}\nmore"), "AGE-SECRET-KEY-***\nmore".to_owned()),
            (format!("\"AGE-PLUGIN-X-Y-1{data}\" no"), "\"AGE-PLUGIN-X-Y-1***\" no".to_owned()),
            (format!("age-plugin-x-1{lower}"), "age-plugin-x-1***".to_owned()),
            (
                format!("\"AGE-SECRET-KEY-1{data}\" \"age-plugin-x-1{lower}\" b"),
                "\"AGE-SECRET-KEY-***\" \"age-plugin-x-1***\" b".to_owned(),
            ),
            (
                format!(
                    "\"-----BEGIN OPENSSH PRIVATE KEY-----\\u{{a}}{data}\\u{{a}}-----END OPENSSH PRIVATE KEY-----\""
                ),
                "\"-----BEGIN OPENSSH PRIVATE KEY-----***-----END OPENSSH PRIVATE KEY-----\"".to_owned(),
            ),
            (format!("-----begin private key-----{data}"), "-----begin private key-----***".to_owned()),
            (format!("HAUL-PASSPHRASE-18-{data} HAUL-SSH-{data}"), "HAUL-PASSPHRASE-***".to_owned()),
        ] {
            assert_eq!(without_keys(&text), shown);
        }
        for text in [
            "there is no program age-plugin-1password",
            "age-plugin-yubikey ended early",
            "age1qqqq",
            "AGE-SECRET-KEY-",
        ] {
            assert_eq!(without_keys(text), text);
        }
    }

    #[test]
    fn logins_are_replaced_wherever_a_url_has_one() {
        for (text, shown) in [
            ("http://h/a@b: no", "http://h/a@b: no"),
            ("cannot fetch \"http://u:hush@h/a\": why", "cannot fetch \"http://***@h/a\": why"),
            ("http://hush@h http://a:hush@b@h/?x@y", "http://***@h http://***@h/?x@y"),
            ("socks5h://u:hush@h:1", "socks5h://***@h:1"),
            ("HTTP:u:hush@h/", "HTTP:***@h/"),
            ("http:/\\u:hush@h/", "http:/\\***@h/"),
            ("http://u:hu/sh@h/x", "http://***@h/x"),
            ("http://h:80/a@b http://[::1]/a@b", "http://h:80/a@b http://[::1]/a@b"),
            ("file: a@b", "file: a@b"),
        ] {
            assert_eq!(redacted(text), shown);
        }
        for (url, shown) in [
            ("u:hush@h/a", "***@h/a"),
            ("htp://u:hush@h/a", "htp://***@h/a"),
            ("http://u:hush@h/a", "http://***@h/a"),
            ("h/a@b", "h/a@b"),
            ("http://h/", "http://h/"),
        ] {
            assert_eq!(redacted_url(url), shown);
        }
    }
}
