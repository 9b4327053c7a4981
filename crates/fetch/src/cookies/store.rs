//! The cookies of a jar, within limits.
//!
//! Owns: which cookie replaces which, which is removed when there are too many, the order in which they are sent.
//! Does not own: the rules for single cookies ([`super::cookie`]), the clock.
//!
//! Source: RFC 6265bis, sections 5.7 (storage, eviction) and 5.8.3 (retrieval).

use std::cmp::Reverse;
use std::collections::HashMap;

use url::Url;

use super::cookie::Cookie;
use super::scope::{domain_matches, is_secure, path_matches, site};

/// The most cookies of one registrable domain.
pub(super) const SITE_COUNT_MAX: usize = 150;
/// The most cookies in total.
pub(super) const COUNT_MAX: usize = 3_000;

/// Cookies by their registrable domain. Invariant: at most [`COUNT_MAX`], at most [`SITE_COUNT_MAX`] for each domain,
/// and no domain is empty.
#[derive(Default)]
pub(super) struct Store {
    sites: HashMap<String, Vec<Entry>>,
    count: usize,
    /// Counts the operations: the clock is too coarse to order them.
    tick: u64,
}

struct Entry {
    cookie: Cookie,
    /// By [`Store::tick`].
    created: u64,
    used: u64,
}

impl Store {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Stores `cookie`, replacing an equal one; an expired cookie only removes that. `secure` says that it arrived over
    /// a connection that no one else can write to.
    pub(super) fn put(&mut self, cookie: Cookie, secure: bool, now: u64) {
        self.tick += 1;
        let name = site(&cookie.domain).to_owned();
        let entries = self.sites.entry(name.clone()).or_default();
        if secure || !entries.iter().any(|entry| is_in_the_way(&entry.cookie, &cookie)) {
            let mut created = self.tick;
            if let Some(index) = entries.iter().position(|entry| entry.cookie.is_same(&cookie)) {
                created = entries.remove(index).created;
                self.count -= 1;
            }
            if !cookie.is_expired(now) {
                entries.push(Entry { cookie, created, used: self.tick });
                self.count += 1;
            }
            while entries.len() > SITE_COUNT_MAX {
                self.count -= shrink(entries, now);
            }
        }
        if entries.is_empty() {
            self.sites.remove(&name);
        }
        if self.count > COUNT_MAX {
            self.shrink_all(now);
        }
    }

    /// The cookies for a request, in the order in which they are sent.
    pub(super) fn matching(&mut self, url: &Url, now: u64) -> impl Iterator<Item = &Cookie> {
        self.tick += 1;
        let host = url.host_str().unwrap_or_default();
        let (path, secure) = (url.path().as_bytes(), is_secure(url));
        let entries = self.sites.get_mut(site(host)).map(Vec::as_mut_slice).unwrap_or_default();
        let mut found: Vec<_> = entries
            .iter_mut()
            .filter(|entry| !entry.cookie.is_expired(now) && entry.cookie.is_for(host, path, secure))
            .collect();
        found.sort_by_key(|entry| (Reverse(entry.cookie.path.len()), entry.created));
        let tick = self.tick;
        found.into_iter().map(move |entry| {
            entry.used = tick;
            &entry.cookie
        })
    }

    /// All cookies that haven't expired, oldest first.
    pub(super) fn all(&self, now: u64) -> impl Iterator<Item = &Cookie> {
        let mut entries: Vec<_> = self.sites.values().flatten().collect();
        entries.retain(|entry| !entry.cookie.is_expired(now));
        entries.sort_by_key(|entry| entry.created);
        entries.into_iter().map(|entry| &entry.cookie)
    }

    /// Makes room: removes expired cookies, and if that isn't enough, a tenth of all cookies, least recently used ones
    /// first. Removing one at a time would require a scan of all cookies for each new one.
    fn shrink_all(&mut self, now: u64) {
        self.retain(|entry| !entry.cookie.is_expired(now));
        if self.count > COUNT_MAX {
            let mut used: Vec<u64> = self.sites.values().flatten().map(|entry| entry.used).collect();
            let surplus = self.count - COUNT_MAX * 9 / 10;
            let last_to_go = *used.select_nth_unstable(surplus - 1).1;
            self.retain(|entry| entry.used > last_to_go);
        }
    }

    fn retain(&mut self, keeps: impl Fn(&Entry) -> bool) {
        self.sites.values_mut().for_each(|entries| entries.retain(&keeps));
        self.sites.retain(|_, entries| !entries.is_empty());
        self.count = self.sites.values().map(Vec::len).sum();
    }
}

/// Makes room among the cookies of a domain: removes expired ones, or else the least recently used one, preferring
/// cookies that aren't secure. Returns how many were removed.
fn shrink(entries: &mut Vec<Entry>, now: u64) -> usize {
    let before = entries.len();
    entries.retain(|entry| !entry.cookie.is_expired(now));
    if entries.len() == before {
        let index = entries.iter().enumerate().min_by_key(|(_, entry)| (entry.cookie.secure, entry.used));
        if let Some((index, _)) = index {
            entries.remove(index);
        }
    }
    before - entries.len()
}

/// Section 5.7, step 16: cookies from an insecure connection must not replace or hide one from a secure connection.
fn is_in_the_way(kept: &Cookie, new: &Cookie) -> bool {
    kept.secure
        && kept.name == new.name
        && (domain_matches(&kept.domain, &new.domain) || domain_matches(&new.domain, &kept.domain))
        && path_matches(&new.path, &kept.path)
}
