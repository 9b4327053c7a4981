//! Cookies that the requests of a client share.
//!
//! Owns: the jar as callers see it, its clock, the Cookie field.
//! Does not own: what a cookie is ([`super::cookie`]), how many are kept ([`super::store`]), files
//! ([`super::netscape`]), who asks.
//!
//! Source: RFC 6265bis (draft-ietf-httpbis-rfc6265bis), section 5; sections are cited where a line implements them.
//! This is code of our own, because the libraries for it take the time from the system, keep any number of cookies and
//! don't know the prefixes of names; the public suffixes are a library's.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE};
use url::Url;

use super::cookie::Cookie;
use super::netscape;
use super::store::Store;

/// The longest Cookie field, in bytes: what most servers take. Cookies that don't fit are left out, from the end.
const FIELD_BYTES_MAX: usize = 8 * 1024;

/// Cookies, of all the origins that set some. It keeps at most 3 000 of them, 150 for each registrable domain
/// (`example.org`, `example.co.uk`), and so at most 25 MiB; beyond, those that were of no use for longest go.
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
/// Cookies without a name are refused, and those with a tab in name or value: files of cookies can't hold them.
pub struct CookieJar {
    store: Mutex<Store>,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
}

/// A line that is no cookie. What it says is not told: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCookieLine {
    /// Its number, from 1.
    pub number: usize,
}

impl CookieJar {
    /// An empty jar. `clock` says what time it is; [`SystemTime::now`] does.
    pub fn new(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { store: Mutex::default(), clock: Box::new(clock) }
    }

    /// Adds the cookies of a file in Netscape's format, as curl and wget write it. Expired ones are left out, and those
    /// that no server could have set.
    ///
    /// # Errors
    /// The first line that is no cookie; nothing is added then.
    pub fn read(&self, file: &[u8]) -> Result<(), BadCookieLine> {
        let now = self.now();
        let cookies = netscape::parse(file).map_err(|number| BadCookieLine { number })?;
        let mut store = self.store();
        cookies.into_iter().for_each(|cookie| store.put(cookie, true, now));
        Ok(())
    }

    /// All cookies that are not expired, as [`CookieJar::read`] reads them; those of a session have the expiry 0.
    pub fn to_file(&self) -> Vec<u8> {
        netscape::write(self.store().all(self.now()))
    }

    /// Takes a Set-Cookie field of a response from `url`, or refuses it.
    pub fn take(&self, url: &Url, set_cookie: &[u8]) {
        let now = self.now();
        if let Some(cookie) = Cookie::parse(url, set_cookie, now) {
            self.store().put(cookie, url.scheme() == "https", now);
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

    /// How many there are, expired ones that nobody has missed yet included.
    pub fn len(&self) -> usize {
        self.store().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the Set-Cookie fields of a response from `url`.
    pub(crate) fn take_all(&self, url: &Url, headers: &HeaderMap) {
        headers.get_all(SET_COOKIE).iter().for_each(|field| self.take(url, field.as_bytes()));
    }

    fn now(&self) -> u64 {
        (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CookieJar {
    /// Their number only: what they say is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieJar({})", self.len())
    }
}

impl fmt::Display for BadCookieLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is no cookie", self.number)
    }
}

impl std::error::Error for BadCookieLine {}

#[cfg(test)]
mod tests;
