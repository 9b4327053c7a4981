//! Looking names up before their tasks start, so that a task that waits for its name occupies no worker.
//!
//! Owns: the lookups in progress and their deadlines, the name that the way to a host begins with.
//! Does not own: lookups ([`haul_io::Names`]), holding tasks back ([`crate::list::scheduler`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haul_io::Names;
use url::Host;

use crate::route::host_override::known;
use crate::route::origin::Origin;
use crate::route::proxy::{Proxies, ProxyKind};
use crate::{Config, HostOverride};

/// How often deadlines are checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) struct Lookahead {
    names: Names,
    host_overrides: Vec<HostOverride>,
    proxies: Proxies,
    /// Whether all connections go to a socket of this machine.
    is_local: bool,
    timeout: Duration,
    /// Lookups without an answer: the name, and when they are given up.
    waiting: HashMap<Origin, (String, Duration)>,
    next_check: Duration,
    /// Hosts whose lookups have ended.
    ended: Arc<Mutex<Vec<Origin>>>,
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
            next_check: Duration::ZERO,
            ended: Arc::default(),
        }
    }

    /// Whether a task of the host can start without a lookup. If not, one is started.
    pub(crate) fn is_ready(&mut self, origin: &Origin, now: Duration) -> bool {
        let Some(name) = self.first_name(origin) else { return true };
        let (ended, host) = (self.ended.clone(), origin.clone());
        let note = move || ended.lock().unwrap_or_else(PoisonError::into_inner).push(host);
        if self.names.look_up_ahead(&name, note) {
            return true;
        }
        self.waiting.insert(origin.clone(), (name, now.saturating_add(self.timeout)));
        false
    }

    /// Whether lookups are under way.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The hosts whose lookups have ended since the last call, by an answer or by their deadline.
    pub(crate) fn ended(&mut self, now: Duration) -> Vec<Origin> {
        if now >= self.next_check && !self.waiting.is_empty() {
            self.next_check = now + CHECK_INTERVAL;
            let overdue = self.waiting.values().filter(|(_, until)| *until <= now);
            overdue.for_each(|(name, _)| self.names.give_up(name));
        }
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        ended.iter().for_each(|origin| drop(self.waiting.remove(origin)));
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
