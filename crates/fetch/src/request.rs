//! What is asked, and what comes back.
//!
//! Owns: requests and responses as callers see them.
//! Does not own: how they travel.

use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::Error;

/// A request without a body.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
}

impl Request {
    /// GET for `url`.
    ///
    /// # Errors
    /// If the text isn't an http or https URL with a host.
    pub fn get(url: &str) -> Result<Self, Error> {
        Self::new(Method::GET, url)
    }

    /// A request for `url` by a method that needs no body.
    ///
    /// # Errors
    /// As [`Request::get`].
    pub fn new(method: Method, url: &str) -> Result<Self, Error> {
        let url = Url::parse(url).map_err(|error| Error::Url { reason: error.to_string() })?;
        check_url(&url).map_err(|reason| Error::Url { reason: reason.to_owned() })?;
        Ok(Self { method, url, headers: HeaderMap::new() })
    }

    /// Adds a header field. `name` and `value` are checked here, so that nothing else can be smuggled in.
    ///
    /// # Errors
    /// If either holds a byte it may not hold, or the field is one that the client itself sets.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let (name, value) = haul_http1::parse_field(name, value)?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// That `url` can be fetched.
pub(crate) fn check_url(url: &Url) -> Result<(), &'static str> {
    match url.scheme() {
        "http" | "https" => {}
        _ => return Err("only http and https can be fetched"),
    }
    if !url.has_host() {
        return Err("the URL has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials in a URL are not used");
    }
    Ok(())
}

/// A response whose body has been received to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The URL that answered, after all redirects.
    pub url: Url,
    /// The body; empty where it went elsewhere.
    pub body: Vec<u8>,
    /// Length of the body in bytes.
    pub body_bytes: u64,
    /// How many redirects were followed.
    pub redirect_count: u32,
}
