//! A single cookie, and the rules for setting it.
//!
//! Owns: parsing Set-Cookie, all rules that don't depend on other cookies.
//! Does not own: rules between cookies ([`super::store`]), files ([`super::netscape`]).
//!
//! Source: RFC 6265bis, sections 5.4 (prefixes), 5.5 (lifetime), 5.6 (Set-Cookie) and 5.7 (storage). SameSite doesn't
//! apply, as this program follows no links between sites.

use url::Url;

use super::date;
use super::scope::{default_path, domain_matches, is_address, is_public_suffix, is_secure, path_matches};

/// The longest name and value together, in bytes.
const NAME_VALUE_BYTES_MAX: usize = 4_096;
/// The longest value of an attribute, in bytes; attributes with longer ones are ignored.
const ATTRIBUTE_BYTES_MAX: usize = 1_024;
/// The longest path in bytes: a default path comes from a URL, which may be long.
const PATH_BYTES_MAX: usize = 4_096;
/// The longest domain in bytes: longer than any host name.
const DOMAIN_BYTES_MAX: usize = 255;
/// Section 5.5: no cookie lives longer than 400 days.
const LIFETIME_SECONDS_MAX: u64 = 400 * 24 * 60 * 60;

/// A cookie. Invariant: [`Cookie::is_sound`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// In lower case, as in URLs.
    pub(super) domain: String,
    /// Whether it is for this host only, and not for the hosts below it.
    pub(super) host_only: bool,
    pub(super) path: Vec<u8>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    /// In seconds from 1970; `None` for the end of the session.
    pub(super) expires: Option<u64>,
}

/// The attributes of a Set-Cookie field; the last one of each kind counts.
#[derive(Default)]
struct Attributes<'a> {
    domain: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    expires: Option<u64>,
    /// When the cookie expires according to Max-Age.
    max_age: Option<u64>,
    secure: bool,
    http_only: bool,
}

impl Cookie {
    /// The cookie that `field` in a response from `url` sets at `now`; `None` if it is refused.
    pub(super) fn parse(url: &Url, field: &[u8], now: u64) -> Option<Self> {
        if field.iter().any(|byte| matches!(byte, 0..=8 | 0x0a..=0x1f | 0x7f)) {
            return None;
        }
        let mut parts = field.split(|byte| *byte == b';');
        let (name, value) = split(parts.next()?)?;
        let attributes = Attributes::parse(parts, now);
        let (domain, host_only) = domain(url.host_str()?, attributes.domain)?;
        let named = attributes.path.filter(|path| path.starts_with(b"/"));
        let path = named.unwrap_or_else(|| default_path(url.path()).as_bytes());
        let cookie = Self {
            name: name.to_vec(),
            value: value.to_vec(),
            domain,
            host_only,
            path: path.to_vec(),
            secure: attributes.secure,
            http_only: attributes.http_only,
            expires: attributes.end().map(|end| end.min(now.saturating_add(LIFETIME_SECONDS_MAX))),
        };
        // Section 5.4: __Host- requires an explicit path.
        let may = (!cookie.secure || is_secure(url)) && (!cookie.is_for_its_host() || named.is_some());
        (may && cookie.is_sound()).then_some(cookie)
    }

    /// The rules for every cookie, wherever it comes from.
    pub(super) fn is_sound(&self) -> bool {
        let is_clean = |text: &[u8]| !text.iter().any(|byte| matches!(byte, 0..=0x1f | 0x7f));
        let fits = self.name.len() + self.value.len() <= NAME_VALUE_BYTES_MAX
            && self.path.len() <= PATH_BYTES_MAX
            && self.domain.len() <= DOMAIN_BYTES_MAX;
        // A file can't represent others: there, a leading dot has a meaning.
        let is_domain = !self.domain.is_empty() && !self.domain.starts_with('.');
        let is_named = !self.name.is_empty()
            && ![&self.name, &self.value, &self.path].iter().any(|text| text.contains(&b';'));
        let is_clean = is_clean(&self.name) && is_clean(&self.value) && is_clean(&self.path);
        let keeps_prefix = (!self.has_prefix(b"__Secure-") || self.secure)
            && (!self.is_for_its_host() || self.secure && self.host_only && self.path == b"/");
        fits && is_domain && is_named && is_clean && keeps_prefix && self.path.starts_with(b"/")
    }

    /// Whether the cookie is sent with a request for `path` on `host`, over a connection that is `secure` or not.
    pub(super) fn is_for(&self, host: &str, path: &[u8], secure: bool) -> bool {
        let is_host = if self.host_only { host == self.domain } else { domain_matches(host, &self.domain) };
        is_host && path_matches(path, &self.path) && (secure || !self.secure)
    }

    pub(super) fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether one cookie replaces the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.name, &self.domain, self.host_only, &self.path)
            == (&other.name, &other.domain, other.host_only, &other.path)
    }

    fn is_for_its_host(&self) -> bool {
        self.has_prefix(b"__Host-")
    }

    fn has_prefix(&self, prefix: &[u8]) -> bool {
        self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }
}

/// The domain of a cookie that `host` sets, and whether it is for that host only (section 5.7, steps 9 to 12).
fn domain(host: &str, attribute: Option<&[u8]>) -> Option<(String, bool)> {
    let own = || Some((host.to_owned(), true));
    let Some(attribute) = attribute else { return own() };
    let domain = str::from_utf8(attribute).ok().filter(|domain| domain.is_ascii())?.to_ascii_lowercase();
    let domain = domain.strip_prefix('.').unwrap_or(&domain);
    if domain.is_empty() || domain == host && (is_public_suffix(domain) || is_address(host)) {
        return own();
    }
    (!is_public_suffix(domain) && domain_matches(host, domain)).then(|| (domain.to_owned(), false))
}

impl<'a> Attributes<'a> {
    fn parse(parts: impl Iterator<Item = &'a [u8]>, now: u64) -> Self {
        let mut found = Self::default();
        for part in parts {
            let (name, value) = split(part).unwrap_or((trim(part), b""));
            if value.len() > ATTRIBUTE_BYTES_MAX {
                continue;
            }
            match name.to_ascii_lowercase().as_slice() {
                b"expires" => found.expires = date::parse(value).or(found.expires),
                b"max-age" => found.max_age = max_age(value, now).or(found.max_age),
                b"domain" => found.domain = Some(value),
                b"path" => found.path = Some(value),
                b"secure" => found.secure = true,
                b"httponly" => found.http_only = true,
                _ => {}
            }
        }
        found
    }

    /// Section 5.7, step 3: Max-Age takes precedence over Expires.
    fn end(&self) -> Option<u64> {
        self.max_age.or(self.expires)
    }
}

/// When a cookie with this Max-Age expires; a number that isn't positive means at once (section 5.6.2).
fn max_age(value: &[u8], now: u64) -> Option<u64> {
    let (digits, is_negative) = value.strip_prefix(b"-").map_or((value, false), |digits| (digits, true));
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = digits
        .iter()
        .fold(0_u64, |seconds, digit| seconds.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(if is_negative || seconds == 0 { 0 } else { now.saturating_add(seconds) })
}

/// The texts on both sides of the first `=`.
fn split(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = part.iter().position(|byte| *byte == b'=')?;
    Some((trim(&part[..equals]), trim(&part[equals + 1..])))
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
