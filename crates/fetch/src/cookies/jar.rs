//! Cookies shared by the requests of a client.
//!
//! Owns: the public interface of the jar, its clock, the Cookie field.
//! Does not own: single cookies ([`super::cookie`]), limits on their number ([`super::store`]), files
//! ([`super::netscape`]).
//!
//! Source: RFC 6265bis (draft-ietf-httpbis-rfc6265bis), section 5; single lines cite their section. We don't use an
//! existing library, because those take the time from the system, keep any number of cookies and don't know cookie name
//! prefixes; the public suffix list comes from a library.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE};
use url::Url;

use super::cookie::Cookie;
use super::netscape;
use super::scope::is_secure;
use super::store::Store;

/// The longest Cookie field in bytes that most servers accept. Cookies at the end that don't fit are omitted.
const FIELD_BYTES_MAX: usize = 8 * 1024;

/// The most cookies that one response sets; further ones are ignored.
const RESPONSE_COUNT_MAX: usize = 50;

/// A jar for the cookies of all origins. It keeps at most 3 000 cookies, 150 for each registrable domain
/// (`example.org`, `example.co.uk`), which take at most 25 MiB; beyond that, the least recently used ones are removed.
///
/// ```
/// use std::sync::Arc;
/// use std::time::SystemTime;
///
/// use haul_fetch::{Client, Config, CookieJar};
///
/// let jar = Arc::new(CookieJar::new(SystemTime::now));
/// let client = Client::new(Config { cookies: Some(jar.clone()), ..Config::default() })?;
/// // … requests …
/// assert_eq!(jar.to_file(), b"# Netscape HTTP Cookie File\n\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Cookies without a name, and those with a tab in name or value, are refused: cookie files can't represent them.
pub struct CookieJar {
    store: Mutex<Store>,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
}

/// A line that isn't a cookie. Its text is not included, as it may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCookieLine {
    /// The line number, from 1.
    pub number: usize,
}

impl CookieJar {
    /// An empty jar. `clock` returns the current time, as [`SystemTime::now`] does.
    pub fn new(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { store: Mutex::default(), clock: Box::new(clock) }
    }

    /// Adds the cookies of a file in Netscape's format, as curl and wget write it. Expired cookies are ignored, and so
    /// are those that no server could have set.
    ///
    /// # Errors
    /// The first line that isn't a cookie; no cookie is added then.
    pub fn read(&self, file: &[u8]) -> Result<(), BadCookieLine> {
        let now = self.now();
        let cookies = netscape::parse(file).map_err(|number| BadCookieLine { number })?;
        let mut store = self.store();
        cookies.into_iter().for_each(|cookie| store.put(cookie, true, now));
        Ok(())
    }

    /// The cookies of the jar as a file, merged with those that another program wrote meanwhile. `before` is the file
    /// that the jar was read from, `now` its current content: what the jar changed since then is applied to that.
    ///
    /// # Errors
    /// The first line of `now` that isn't a cookie.
    pub fn merged(&self, before: &[u8], now: &[u8]) -> Result<Vec<u8>, BadCookieLine> {
        let (clock, theirs) = (self.now(), Self::new(SystemTime::now));
        let old = netscape::parse(before).unwrap_or_default();
        let new = netscape::parse(now).map_err(|number| BadCookieLine { number })?;
        let (ours, mut merged) = (self.store(), theirs.store());
        let kept: Vec<_> = ours.all(clock).collect();
        let is_gone = |cookie: &Cookie| {
            old.contains(cookie) && !kept.iter().any(|ours| ours.is_same(cookie)) && !cookie.is_expired(clock)
        };
        new.into_iter().filter(|cookie| !is_gone(cookie)).for_each(|cookie| merged.put(cookie, true, clock));
        let changed = kept.iter().filter(|cookie| !old.contains(cookie));
        changed.for_each(|cookie| merged.put((*cookie).clone(), true, clock));
        Ok(netscape::write(merged.all(clock)))
    }

    /// All cookies that haven't expired, in the format of [`CookieJar::read`]; session cookies have the expiry 0.
    pub fn to_file(&self) -> Vec<u8> {
        netscape::write(self.store().all(self.now()))
    }

    /// Stores the cookie of a Set-Cookie field in a response from `url`, or refuses it.
    pub fn take(&self, url: &Url, set_cookie: &[u8]) {
        let now = self.now();
        if let Some(cookie) = Cookie::parse(url, set_cookie, now) {
            self.store().put(cookie, is_secure(url), now);
        }
    }

    /// The Cookie field of a request for `url`: longer paths first, then older cookies.
    pub fn field(&self, url: &Url) -> Option<HeaderValue> {
        let now = self.now();
        let mut store = self.store();
        let mut field = Vec::new();
        for cookie in store.matching(url, now) {
            let (separator, name, value) =
                (if field.is_empty() { "" } else { "; " }, &cookie.name, &cookie.value);
            if field.len() + separator.len() + name.len() + 1 + value.len() > FIELD_BYTES_MAX {
                break;
            }
            field.extend_from_slice(separator.as_bytes());
            field.extend_from_slice(name);
            field.push(b'=');
            field.extend_from_slice(value);
        }
        if field.is_empty() {
            return None;
        }
        let mut field = HeaderValue::from_bytes(&field).ok()?;
        field.set_sensitive(true);
        Some(field)
    }

    /// The number of cookies, including expired ones that haven't been removed yet.
    pub fn len(&self) -> usize {
        self.store().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stores the cookies of all Set-Cookie fields in a response from `url`.
    pub(crate) fn take_all(&self, url: &Url, headers: &HeaderMap) {
        headers
            .get_all(SET_COOKIE)
            .iter()
            .take(RESPONSE_COUNT_MAX)
            .for_each(|field| self.take(url, field.as_bytes()));
    }

    fn now(&self) -> u64 {
        (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CookieJar {
    /// The number of cookies only: their content is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieJar({})", self.len())
    }
}

impl fmt::Display for BadCookieLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not a cookie", self.number)
    }
}

impl std::error::Error for BadCookieLine {}

#[cfg(test)]
mod tests;
