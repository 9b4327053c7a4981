//! Settings of a single request that differ from the client's.
//!
//! Owns: the list of them.
//! Does not own: which one counts ([`crate::client::request::effective`]).

use std::time::Duration;

use http::HeaderName;

use crate::{Observer, Proxies};

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
