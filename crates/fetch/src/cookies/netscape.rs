//! Cookie files: one cookie per line, with seven fields separated by tabs.
//!
//! Owns: this format.
//! Does not own: reading and writing files, the clock.
//!
//! Source: the format that curl ("HTTP Cookies", "Cookie file format") and wget read and write; there is no other
//! standard.

use url::Host;

use super::cookie::Cookie;
use super::scope::{is_address, is_public_suffix};

/// The prefix of cookies that scripts must not see. Other programs take such lines for comments.
const HTTP_ONLY: &[u8] = b"#HttpOnly_";
/// The first line, by which other programs recognize the format.
const FIRST_LINE: &[u8] = b"# Netscape HTTP Cookie File\n\n";

/// The cookies of a file. The error is the number of the first line that isn't a cookie. Cookies that no server could
/// have set are omitted.
pub(super) fn parse(file: &[u8]) -> Result<Vec<Cookie>, usize> {
    let mut cookies = Vec::new();
    for (index, line) in file.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (line, http_only) = match line.strip_prefix(HTTP_ONLY) {
            Some(rest) => (rest, true),
            None => (line, false),
        };
        if line.trim_ascii().is_empty() || !http_only && line.starts_with(b"#") {
            continue;
        }
        let cookie = cookie(line, http_only).ok_or(index + 1)?;
        if cookie.is_sound() {
            cookies.push(cookie);
        }
    }
    Ok(cookies)
}

pub(super) fn write<'a>(cookies: impl Iterator<Item = &'a Cookie>) -> Vec<u8> {
    let mut file = FIRST_LINE.to_vec();
    for cookie in cookies {
        let word = |is: bool| if is { "TRUE" } else { "FALSE" };
        let (mark, dot) =
            (if cookie.http_only { HTTP_ONLY } else { b"" }, if cookie.host_only { "" } else { "." });
        let (below, secure, expires) =
            (word(!cookie.host_only), word(cookie.secure), cookie.expires.unwrap_or(0));
        file.extend_from_slice(mark);
        file.extend_from_slice(format!("{dot}{}\t{below}\t", cookie.domain).as_bytes());
        file.extend_from_slice(&cookie.path);
        file.extend_from_slice(format!("\t{secure}\t{expires}\t").as_bytes());
        file.extend_from_slice(&cookie.name);
        file.push(b'\t');
        file.extend_from_slice(&cookie.value);
        file.push(b'\n');
    }
    file
}

fn cookie(line: &[u8], http_only: bool) -> Option<Cookie> {
    let mut fields = line.split(|byte| *byte == b'\t');
    let domain = domain(str::from_utf8(fields.next()?).ok()?)?;
    let below = flag(fields.next()?)?;
    let path = fields.next()?.to_vec();
    let secure = flag(fields.next()?)?;
    let expires = expiry(fields.next()?)?;
    let name = fields.next()?.to_vec();
    // curl omits the tab before an empty value, others don't.
    let value = fields.next().unwrap_or_default().to_vec();
    let is_whole = fields.next().is_none() && path.starts_with(b"/") && !name.is_empty();
    // A cookie for all hosts below a public suffix is for that host only, as in section 5.7 of RFC 6265bis.
    let host_only = !below || is_address(&domain) || is_public_suffix(&domain);
    is_whole.then_some(Cookie { name, value, domain, host_only, path, secure, http_only, expires })
}

/// A host as in URLs, with or without a leading dot. wget appends a port, which cookies don't have.
fn domain(field: &str) -> Option<String> {
    let field = field.strip_prefix('.').unwrap_or(field);
    if field.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(Host::<String>::parse(&format!("[{field}]")).ok()?.to_string());
    }
    let host = match field.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => port.parse::<u16>().ok().map(|_| host)?,
        _ => field,
    };
    let host = Host::<String>::parse(host).ok()?.to_string();
    (!host.starts_with('.')).then_some(host)
}

fn flag(field: &[u8]) -> Option<bool> {
    match field.to_ascii_uppercase().as_slice() {
        b"TRUE" => Some(true),
        b"FALSE" => Some(false),
        _ => None,
    }
}

/// 0 or an empty field means the end of the session. Browsers' extensions write fractions.
#[expect(clippy::option_option, reason = "the end of the session is no error")]
fn expiry(field: &[u8]) -> Option<Option<u64>> {
    let field = str::from_utf8(field).ok()?;
    let digits = field.split('.').next().unwrap_or_default();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some((seconds > 0).then_some(seconds))
}
