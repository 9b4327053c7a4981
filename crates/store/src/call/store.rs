//! A store: what all requests to it share.
//!
//! Owns: settings, the correction of the clock, pauses between attempts.
//! Does not own: requests ([`super::send`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use haul_fetch::{Client, Config};
use haul_io::{Blocking, Cancel, Io as _, run_ready};

use crate::Error;
use crate::access::credentials::Credentials;
use crate::access::endpoint::Endpoint;

/// The settings of a store.
#[derive(Debug)]
pub struct Settings {
    /// Where the store is.
    pub endpoint: Endpoint,
    /// What its requests are signed with.
    pub credentials: Credentials,
    /// Connections, TLS, proxies, timeouts. What concerns statuses, redirects and codings is set by the store.
    pub client: Config,
    /// How many times a request is repeated after transient failures. Defaults to 8.
    pub retries: u32,
    /// The longest pause before the first repetition; it doubles with each. The actual pause is a random part of it, or
    /// what the store asks for by Retry-After. Defaults to 200 ms.
    pub retry_pause: Duration,
    /// The longest pause before any repetition. Defaults to 20 s.
    pub retry_pause_max: Duration,
}

impl Settings {
    /// The defaults.
    pub fn new(endpoint: Endpoint, credentials: Credentials) -> Self {
        Self {
            endpoint,
            credentials,
            client: Config::default(),
            retries: 8,
            retry_pause: Duration::from_millis(200),
            retry_pause_max: Duration::from_secs(20),
        }
    }
}

/// A store, to be used from any thread; clones share connections, credentials and the knowledge of its clock.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    client: Client,
    endpoint: Endpoint,
    credentials: Credentials,
    retries: u32,
    pause: Duration,
    pause_max: Duration,
    cancel: Cancel,
    /// Seconds that the store's clock is ahead of this machine's.
    ahead: AtomicI64,
}

impl Store {
    /// A store with these settings. Nothing is asked yet. Triggering `cancel` ends pauses, and the repetition of
    /// requests.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    pub fn new(settings: Settings, cancel: &Cancel) -> Result<Self, Error> {
        let config = Config {
            fail_on_status: false,
            // A signature holds for one host.
            redirects_max: 0,
            compressed: false,
            cookies: None,
            logins: None,
            ..settings.client
        };
        Ok(Self(Arc::new(Shared {
            client: Client::new(config).map_err(Error::Local)?,
            endpoint: settings.endpoint,
            credentials: settings.credentials,
            retries: settings.retries,
            pause: settings.retry_pause,
            pause_max: settings.retry_pause_max,
            cancel: cancel.child().map_err(Error::Local)?,
            ahead: AtomicI64::new(0),
        })))
    }

    /// Where the store is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    pub(crate) fn retries(&self) -> u32 {
        self.0.retries
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        &self.0.cancel
    }

    /// The time by the store's clock, as far as it is known.
    pub(crate) fn now(&self) -> SystemTime {
        let ahead = self.0.ahead.load(Ordering::Relaxed);
        let distance = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let there = if ahead < 0 { now.checked_sub(distance) } else { now.checked_add(distance) };
        there.unwrap_or(now)
    }

    /// Takes over the time that the store says it is.
    pub(crate) fn set_now(&self, there: SystemTime) {
        let ahead = match there.duration_since(SystemTime::now()) {
            Ok(ahead) => i64::try_from(ahead.as_secs()).unwrap_or(0),
            Err(behind) => -i64::try_from(behind.duration().as_secs()).unwrap_or(0),
        };
        self.0.ahead.store(ahead, Ordering::Relaxed);
    }

    /// Sleeps before the repetition after `failures` failures.
    pub(crate) fn pause(&self, failures: u32, asked: Option<Duration>) -> Result<(), Error> {
        let longest =
            self.0.pause.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.0.pause_max);
        let io = Blocking::new(self.0.cancel.clone());
        let mut random = [0; 4];
        io.random(&mut random);
        // From a half to the whole.
        let part =
            longest / 2 + longest.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX) / 2.0);
        let pause = asked.map_or(part, |asked| asked.min(self.0.pause_max.max(longest)).max(part));
        run_ready(io.sleep(pause)).map_err(|error| {
            if haul_io::is_cancelled(&error) { Error::Cancelled } else { Error::Local(error) }
        })
    }

    /// Unpredictable hexadecimal digits.
    pub(crate) fn token(&self) -> String {
        let mut random = [0; 16];
        Blocking::new(self.0.cancel.clone()).random(&mut random);
        random.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.0.endpoint).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new(Endpoint::at("http://h", "x").unwrap(), Credentials::anonymous())
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let settings = settings();
        assert_eq!(settings.retries, 8);
        assert_eq!(settings.retry_pause, Duration::from_millis(200));
        assert_eq!(settings.retry_pause_max, Duration::from_secs(20));
    }

    #[test]
    fn the_clock_of_the_store_is_kept() {
        let store = Store::new(settings(), &Cancel::new().unwrap()).unwrap();
        let away = Duration::from_secs(1000);
        for there in [SystemTime::now() - away, SystemTime::now() + away] {
            store.set_now(there);
            let distance = store.now().duration_since(there).unwrap_or_else(|error| error.duration());
            assert!(distance < Duration::from_secs(100));
        }
    }
}
