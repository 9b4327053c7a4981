//! Which setting counts: that of a request, or that of its client.
//!
//! Owns: this choice.
//! Does not own: the settings ([`crate::Config`], [`crate::client::request::settings`]).

use std::time::Duration;

use crate::client::request::settings::RequestSettings;
use crate::{Config, Proxies, Request};

impl Config {
    /// Redirects that are followed for `request`.
    pub(crate) fn redirects_max_of(&self, request: &Request) -> u32 {
        settings(request).and_then(|settings| settings.redirects_max).unwrap_or(self.redirects_max)
    }

    /// Whether a status of 400 or above is an error of `request`.
    pub(crate) fn fails_on_status(&self, request: &Request) -> bool {
        self.fail_on_status && !settings(request).is_some_and(|settings| settings.any_status)
    }

    /// Whether a redirect is the response to `request`: none is followed, and every status is a result.
    pub(crate) fn takes_redirects(&self, request: &Request) -> bool {
        self.redirects_max_of(request) == 0 && !self.fails_on_status(request) && !self.sync
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
