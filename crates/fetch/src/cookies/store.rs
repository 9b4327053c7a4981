//! Many cookies, within bounds.
//!
//! Owns: which cookie replaces which, which goes when there are too many, the order of those that are sent.
//! Does not own: what one cookie must be ([`super::cookie`]), the time.
//!
//! Source: RFC 6265bis, sections 5.7 (storage, eviction) and 5.8.3 (retrieval).

use std::cmp::Reverse;
use std::collections::HashMap;

use url::Url;

use super::cookie::Cookie;
use super::scope::{domain_matches, path_matches, site};

/// Cookies of one registrable domain.
pub(super) const SITE_COUNT_MAX: usize = 150;
/// Cookies of all.
pub(super) const COUNT_MAX: usize = 3_000;

/// Cookies by their registrable domain. Invariant: at most [`COUNT_MAX`], of each domain [`SITE_COUNT_MAX`]; no domain
/// is empty.
#[derive(Default)]
pub(super) struct Store {
    sites: HashMap<String, Vec<Entry>>,
    count: usize,
    /// Counts what happens here: the time is too coarse to tell which came first.
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

    /// Puts `cookie` in, in place of one that is the same; an expired one only removes that. `secure` says that it came
    /// by a way that nobody else writes to.
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
        let (path, secure) = (url.path().as_bytes(), url.scheme() == "https");
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

    /// All that live, the oldest first.
    pub(super) fn all(&self, now: u64) -> impl Iterator<Item = &Cookie> {
        let mut entries: Vec<_> = self.sites.values().flatten().collect();
        entries.retain(|entry| !entry.cookie.is_expired(now));
        entries.sort_by_key(|entry| entry.created);
        entries.into_iter().map(|entry| &entry.cookie)
    }

    /// Makes room: what is expired goes, and if that isn't enough, a tenth of all, those that were of no use for
    /// longest. One at a time would cost a look at all of them for each new one.
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

/// Makes room among the cookies of a domain: what is expired goes, or else the one that was of no use for longest,
/// those that aren't secure first. How many went.
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

/// Section 5.7, step 16: who can write to a connection must not replace or hide what was set by a secure one.
fn is_in_the_way(kept: &Cookie, new: &Cookie) -> bool {
    kept.secure
        && kept.name == new.name
        && (domain_matches(&kept.domain, &new.domain) || domain_matches(&new.domain, &kept.domain))
        && path_matches(&new.path, &kept.path)
}
