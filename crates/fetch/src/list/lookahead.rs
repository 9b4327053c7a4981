//! Looking names up before their tasks start, so that a task that waits for its name occupies no worker.
//!
//! Owns: the lookups in progress and their deadlines, the name that the way to a host begins with.
//! Does not own: lookups ([`haul_io::Names`]), holding tasks back ([`crate::list::scheduler`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use haul_engine::SourceWaker;
use haul_io::Names;
use url::Host;

use crate::route::host_override::known;
use crate::route::origin::Origin;
use crate::route::proxy::{Proxies, ProxyKind};
use crate::{Config, HostOverride};

pub(crate) struct Lookahead {
    names: Names,
    host_overrides: Vec<HostOverride>,
    proxies: Proxies,
    /// Whether all connections go to a socket of this machine.
    is_local: bool,
    timeout: Duration,
    /// Lookups without an answer.
    waiting: HashMap<Origin, Waiting>,
    /// The same, by the time when they are given up; the number makes the keys unique.
    deadlines: BTreeMap<(Duration, u64), Origin>,
    lookup_count: u64,
    /// Hosts whose lookups have ended.
    ended: Arc<Mutex<Vec<Origin>>>,
    /// Wakes the engine when a lookup has ended.
    waker: SourceWaker,
}

struct Waiting {
    name: String,
    /// Its key among the deadlines.
    deadline: (Duration, u64),
}

impl Lookahead {
    /// For tasks that are fetched with these settings.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            names: config.names.clone(),
            host_overrides: config.host_overrides.clone(),
            proxies: config.proxies.clone(),
            is_local: config.unix_socket.is_some(),
            timeout: config.total_timeout.unwrap_or(Duration::MAX).min(config.connect_timeout),
            waiting: HashMap::new(),
            deadlines: BTreeMap::new(),
            lookup_count: 0,
            ended: Arc::default(),
            waker: SourceWaker::default(),
        }
    }

    /// Whether a task of the host can start without a lookup. If not, one is started.
    pub(crate) fn is_ready(&mut self, origin: &Origin, now: Duration) -> bool {
        let Some(name) = self.first_name(origin) else { return true };
        let (ended, host, waker) = (self.ended.clone(), origin.clone(), self.waker.clone());
        let note = move || {
            ended.lock().unwrap_or_else(PoisonError::into_inner).push(host);
            waker.wake();
        };
        if self.names.look_up_ahead(&name, note) {
            return true;
        }
        let deadline = (now.saturating_add(self.timeout), self.lookup_count);
        self.lookup_count += 1;
        self.deadlines.insert(deadline, origin.clone());
        self.waiting.insert(origin.clone(), Waiting { name, deadline });
        false
    }

    /// Whether a lookup for the host is in progress.
    pub(crate) fn is_waiting(&self, origin: &Origin) -> bool {
        self.waiting.contains_key(origin)
    }

    /// The end of a lookup wakes the engine by `waker`.
    pub(crate) fn set_waker(&self, waker: Waker) {
        self.waker.set(waker);
    }

    /// The time until [`ended`](Self::ended) is to be called although no lookup has ended.
    pub(crate) fn ask_again_in(&self, now: Duration) -> Duration {
        let Some((&(until, _), _)) = self.deadlines.first_key_value() else { return Duration::MAX };
        until.saturating_sub(now).min(self.waker.ask_again_in())
    }

    /// The hosts whose lookups have ended since the last call, by an answer or by their deadline.
    pub(crate) fn ended(&mut self, now: Duration) -> Vec<Origin> {
        while let Some(overdue) = self.deadlines.first_entry().filter(|first| first.key().0 <= now) {
            let origin = overdue.remove();
            // One that ends at this moment is noted all the same.
            if let Some(waiting) = self.waiting.get(&origin) {
                self.names.give_up(&waiting.name);
            }
        }
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        for waiting in ended.iter().filter_map(|origin| self.waiting.remove(origin)) {
            self.deadlines.remove(&waiting.deadline);
        }
        ended
    }

    /// A task of the host starts again: if its name wasn't found, it is looked up once more.
    pub(crate) fn ask_again(&self, origin: &Origin) {
        if let Some(name) = self.first_name(origin) {
            self.names.forget_failure(&name);
        }
    }

    /// The name that has to be looked up for a connection to the host; `None` if there is none.
    fn first_name(&self, origin: &Origin) -> Option<String> {
        if self.is_local {
            return None;
        }
        let host = origin.url_host().ok()?;
        let (host, port) = match self.proxies.of_host(origin.tls, &host) {
            // Only this kind is given addresses; the proxy's own name is looked up by the first task.
            Some(proxy) if proxy.kind() != ProxyKind::Socks5 => (proxy.host(), proxy.port()),
            _ => (&host, origin.port),
        };
        match host {
            Host::Domain(name) if known(&self.host_overrides, host, port).is_none() => Some(name.clone()),
            _ => None,
        }
    }
}
