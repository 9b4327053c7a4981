//! Settings of a single request that differ from the client's.
//!
//! Owns: which one counts.
//! Does not own: the client's settings ([`crate::Config`]).

use std::time::Duration;

use http::HeaderName;

use crate::{Config, Observer, Proxies, Request};

/// What few requests have, apart from them: settings that differ from the client's. `None` stands for the client's.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestSettings {
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) redirects_max: Option<u32>,
    pub(crate) retries: Option<u32>,
    /// Whether every status is a result.
    pub(crate) any_status: bool,
    pub(crate) proxies: Option<Proxies>,
    pub(crate) observer: Option<Observer>,
    /// Fields that the client doesn't add by itself.
    pub(crate) omitted: Vec<HeaderName>,
}

impl Config {
    /// Redirects that are followed for `request`.
    pub(crate) fn redirects_max_of(&self, request: &Request) -> u32 {
        settings(request).and_then(|settings| settings.redirects_max).unwrap_or(self.redirects_max)
    }

    /// Whether a status of 400 or above is an error of `request`.
    pub(crate) fn fails_on_status(&self, request: &Request) -> bool {
        self.fail_on_status && !settings(request).is_some_and(|settings| settings.any_status)
    }

    /// The proxies for `request`.
    pub(crate) fn proxies_of<'a>(&'a self, request: &'a Request) -> &'a Proxies {
        settings(request).and_then(|settings| settings.proxies.as_ref()).unwrap_or(&self.proxies)
    }

    /// The time limit for the whole `request`.
    pub(crate) fn total_timeout_of(&self, request: &Request) -> Option<Duration> {
        settings(request).and_then(|settings| settings.total_timeout).or(self.total_timeout)
    }
}

fn settings(request: &Request) -> Option<&RequestSettings> {
    request.settings.as_deref()
}
