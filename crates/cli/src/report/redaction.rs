//! Redaction: logins of URLs in messages, in data and in lists that are written.
//!
//! Owns: finding the login of a URL in a text, even if the URL is malformed.
//! Does not own: using a login ([`haul_fetch::UrlLogin`]), escaping ([`super::text`]).

use std::borrow::Cow;
use std::ops::Range;

/// What is shown instead of a login.
const MARK: &str = "***@";

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
