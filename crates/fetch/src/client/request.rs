//! The request room: what callers can ask for.
//!
//! Enters: URLs, methods, fields, bodies, settings.
//! Leaves: a request that a client can send, or the first thing that is wrong with it.
//! Not to be touched from outside: a request's own settings, but through what counts.
//!
//! Owns: what callers can ask for; the first thing that is wrong with a request, until it is sent.
//! Does not own: sending ([`crate::transfer`]), settings of all requests ([`crate::Config`]).

pub(crate) mod body;
mod effective;
pub(crate) mod settings;
pub(crate) mod url;

use std::fmt::Display;
use std::time::Duration;

use ::url::{Url, form_urlencoded};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use haul_http1::RequestError;
use http::header::{CONTENT_TYPE, EXPECT, HOST, HeaderValue, PROXY_AUTHORIZATION, RANGE};
use http::{HeaderMap, Method};

use crate::client::request::settings::RequestSettings;
use crate::client::request::url::{no_url, parse};
use crate::client::secret_fields::may_be_secret;
use crate::route::origin::Origin;
use crate::{Error, Observer, Proxies, RequestBody};

/// A request. What is wrong with it is told when it is sent, or by [`Request::checked`]: the first fault counts.
///
/// ```
/// use haul_fetch::Request;
///
/// # fn main() -> Result<(), haul_fetch::Error> {
/// let request = Request::get("https://example.org/search").query("q", "a&b").bearer_auth("token").checked()?;
/// assert_eq!(request.url().as_str(), "https://example.org/search?q=a%26b");
/// assert!(Request::get("example.org").checked().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until a client sends it"]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: RequestBody,
    pub(crate) expects_continue: bool,
    /// The names of fields as the caller wrote them.
    pub(crate) spellings: Vec<String>,
    /// The value of Host, if it isn't that of the URL.
    pub(crate) host: Option<Box<HeaderValue>>,
    /// The origin that the caller named, once a redirect has led elsewhere.
    pub(crate) named_origin: Option<Box<Origin>>,
    /// Settings that differ from the client's.
    pub(crate) settings: Option<Box<RequestSettings>>,
    /// Why the request can't be sent.
    pub(crate) fault: Option<Box<RequestFault>>,
}

/// What is wrong with a request.
#[derive(Clone, Debug)]
pub(crate) enum RequestFault {
    Url(String),
    Method(&'static str),
    Header(&'static str),
    Credentials(&'static str),
    Field(RequestError),
    #[cfg(feature = "json")]
    Json(String),
}

impl Request {
    /// A GET request for `url`.
    pub fn get(url: impl AsRef<str>) -> Self {
        Self::new(Method::GET, url)
    }

    /// A HEAD request for `url`.
    pub fn head(url: impl AsRef<str>) -> Self {
        Self::new(Method::HEAD, url)
    }

    /// A POST request for `url`.
    pub fn post(url: impl AsRef<str>) -> Self {
        Self::new(Method::POST, url)
    }

    /// A PUT request for `url`.
    pub fn put(url: impl AsRef<str>) -> Self {
        Self::new(Method::PUT, url)
    }

    /// A PATCH request for `url`.
    pub fn patch(url: impl AsRef<str>) -> Self {
        Self::new(Method::PATCH, url)
    }

    /// A DELETE request for `url`.
    pub fn delete(url: impl AsRef<str>) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// A request for `url`, which must be an http or https URL with a host, with any method but CONNECT.
    pub fn new(method: Method, url: impl AsRef<str>) -> Self {
        let (url, fault) = match parse(url.as_ref()) {
            Ok(url) => (url, None),
            Err(reason) => (no_url(), Some(RequestFault::Url(reason))),
        };
        let fault = match method {
            Method::CONNECT => fault.or(Some(RequestFault::Method("CONNECT can't be used to fetch"))),
            _ => fault,
        };
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: RequestBody::default(),
            expects_continue: false,
            spellings: Vec::new(),
            host: None,
            named_origin: None,
            settings: None,
            fault: fault.map(Box::new),
        }
    }

    /// The request, if it can be sent.
    ///
    /// # Errors
    /// The first thing that is wrong with it: [`Error::Url`], [`Error::Method`], [`Error::Header`],
    /// [`Error::Credentials`], [`Error::Request`] or [`Error::Json`]. Sending it would return the same error.
    pub fn checked(self) -> Result<Self, Error> {
        self.check()?;
        Ok(self)
    }

    /// As [`Request::checked`], by reference.
    ///
    /// # Errors
    /// As [`Request::checked`].
    pub fn check(&self) -> Result<(), Error> {
        match self.fault.as_deref() {
            None => Ok(()),
            Some(fault) => Err(fault.clone().into()),
        }
    }

    /// Adds a field to the query of the URL, percent-encoded as in a form.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        self.url.query_pairs_mut().append_pair(name, &value.to_string());
        self
    }

    /// Adds a header field. `name` and `value` are checked, so that they can't inject anything else. The field
    /// Expect with the value `100-continue` is the same as [`Request::expect_continue`], and with an empty value it
    /// turns that off. The field Host replaces the one made of the URL, for this origin, and nothing else: not the host
    /// to connect to, nor the name that its certificate must have.
    ///
    /// The name is sent in this letter case; if it was added before, in that of the first time.
    ///
    /// An invalid byte in either makes the request one that can't be sent, and so does a field that the client sets
    /// itself.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let added = self.add_header(name, value);
        self.note(added)
    }

    fn add_header(&mut self, name: &str, value: &str) -> Result<(), RequestFault> {
        let spelling = name;
        let (name, mut value) = haul_http1::parse_field(name, value).map_err(RequestFault::Field)?;
        if name == PROXY_AUTHORIZATION {
            return Err(RequestFault::Header("credentials of a proxy belong in its URL"));
        }
        if name == EXPECT {
            // RFC 9110 section 10.1.1 defines no other expectation.
            self.expects_continue = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
            if self.expects_continue || value.is_empty() {
                return Ok(());
            }
            return Err(RequestFault::Header("no expectation but 100-continue can be met"));
        }
        if !self.spellings.iter().any(|known| known.eq_ignore_ascii_case(spelling)) {
            self.spellings.push(spelling.to_owned());
        }
        if name == HOST {
            self.host = Some(Box::new(value));
            return Ok(());
        }
        value.set_sensitive(may_be_secret(&name));
        self.headers.append(name, value);
        Ok(())
    }

    /// The first fault counts.
    fn note(mut self, result: Result<(), RequestFault>) -> Self {
        if let Err(fault) = result
            && self.fault.is_none()
        {
            self.fault = Some(Box::new(fault));
        }
        self
    }

    /// Leaves out a header field that the client would add by itself: User-Agent, Accept, Accept-Encoding, or the jar's
    /// Cookie. A field added by [`Request::header`] is sent nevertheless. Host can't be left out, as no request can
    /// lack it (RFC 9112, section 3.2).
    pub fn without_header(mut self, name: &str) -> Self {
        let omitted = match haul_http1::parse_field(name, "") {
            Ok((HOST, _)) => Err(RequestFault::Header("a request can't lack the field Host")),
            Ok((name, _)) => {
                self.settings_mut().omitted.push(name);
                Ok(())
            }
            Err(error) => Err(RequestFault::Field(error)),
        };
        self.note(omitted)
    }

    /// Whether [`Request::without_header`] left out the field of this name.
    pub fn omits(&self, name: &str) -> bool {
        let omitted = self.settings.iter().flat_map(|settings| &settings.omitted);
        omitted.into_iter().any(|omitted| omitted.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether there is a header field of this name; false for an invalid name.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// Sets the body. A redirect to another origin is then refused, unless it drops the body.
    pub fn body(mut self, body: RequestBody) -> Self {
        self.body = body;
        self
    }

    /// Sets the body to `value` as JSON, and Content-Type to `application/json` unless the request has one.
    #[cfg(feature = "json")]
    pub fn json(self, value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.typed_body("application/json", bytes),
            Err(error) => self.note(Err(RequestFault::Json(error.to_string()))),
        }
    }

    /// Sets the body to a form of these names and values, and Content-Type to `application/x-www-form-urlencoded`
    /// unless the request has one.
    pub fn form<N: AsRef<str>, V: AsRef<str>>(self, fields: impl IntoIterator<Item = (N, V)>) -> Self {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.typed_body("application/x-www-form-urlencoded", form.into_bytes())
    }

    fn typed_body(mut self, media_type: &'static str, bytes: Vec<u8>) -> Self {
        self.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(media_type));
        self.body(RequestBody::bytes(bytes))
    }

    /// Sends the body only after the server has sent 100 (Continue), or has been silent for [`Config::expect_timeout`]
    /// (RFC 9110, section 10.1.1). If the server sends a final response instead, it isn't sent the body; after a 417
    /// (Expectation Failed) the request is repeated without the expectation. No effect without a body.
    ///
    /// [`Config::expect_timeout`]: crate::Config::expect_timeout
    pub fn expect_continue(mut self) -> Self {
        self.expects_continue = true;
        self
    }

    /// Authenticates by user name and password (RFC 7617). They are sent to this origin only, as all fields added by
    /// [`Request::header`]. Neither may contain a control character, nor the name a colon.
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
            return self.note(Err(RequestFault::Credentials("the user's name or password can't be sent")));
        }
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.header("Authorization", &format!("Basic {credentials}"))
    }

    /// Authenticates by a bearer token (RFC 6750); otherwise as [`Request::basic_auth`].
    pub fn bearer_auth(self, token: &str) -> Self {
        let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(in_token) {
            return self.note(Err(RequestFault::Credentials("the bearer token can't be sent")));
        }
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Time limit for the whole request, with its redirects, retries and the pauses before these; instead of
    /// [`Config::total_timeout`](crate::Config::total_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings_mut().total_timeout = Some(timeout);
        self
    }

    /// Tries again after transient failures, `count` times at most, where the client fetches into memory or into a new
    /// file; a list has its own number ([`Config::retries`](crate::Config::retries)). The thread that fetches sleeps
    /// before each retry. Defaults to no retries, and to [`Config::retries`](crate::Config::retries) for
    /// [`Client::fetch_retrying`](crate::Client::fetch_retrying).
    pub fn retries(mut self, count: u32) -> Self {
        self.settings_mut().retries = Some(count);
        self
    }

    /// As [`Request::retries`], unless the number is set already.
    pub(crate) fn retries_or(mut self, count: u32) -> Self {
        self.settings_mut().retries.get_or_insert(count);
        self
    }

    /// Retries that may follow the first attempt, without an engine.
    pub(crate) fn retry_count(&self) -> u32 {
        self.settings.as_ref().and_then(|settings| settings.retries).unwrap_or_default()
    }

    /// Follows at most `count` redirects; instead of [`Config::redirects_max`](crate::Config::redirects_max). One more
    /// is [`Error::TooManyRedirects`](crate::Error::TooManyRedirects). With 0 and [`Request::any_status`], a redirect
    /// is the response, with its Location and its body:
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = haul_fetch::Client::new(haul_fetch::Config::default())?;
    /// let request = haul_fetch::Request::get("https://example.org/old").redirects_max(0).any_status();
    /// let moved = client.fetch(request)?;
    /// println!("{}, {:?}", moved.status, moved.headers.get("location"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn redirects_max(mut self, count: u32) -> Self {
        self.settings_mut().redirects_max = Some(count);
        self
    }

    /// Takes every status as a result, also 400 and above; instead of
    /// [`Config::fail_on_status`](crate::Config::fail_on_status). Redirects are followed all the same, unless
    /// [`Request::redirects_max`] is 0.
    pub fn any_status(mut self) -> Self {
        self.settings_mut().any_status = true;
        self
    }

    /// Uses these proxies, or none if there are none; instead of [`Config::proxies`](crate::Config::proxies).
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.settings_mut().proxies = Some(proxies);
        self
    }

    /// Calls `observer` with what happens in the transfers of this request; in addition to
    /// [`Config::observer`](crate::Config::observer).
    pub fn observer(mut self, observer: Observer) -> Self {
        self.settings_mut().observer = Some(observer);
        self
    }

    /// The request's own observer.
    pub(crate) fn observer_of(&self) -> Option<&Observer> {
        self.settings.as_ref()?.observer.as_ref()
    }

    fn settings_mut(&mut self) -> &mut RequestSettings {
        self.settings.get_or_insert_default()
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Whether the client's certificate may be shown: only to the origin that the caller named.
    pub(crate) fn shows_identity(&self) -> bool {
        self.named_origin.as_ref().is_none_or(|named| **named == Origin::of(&self.url))
    }

    /// Whether the response may be combined from parts: RFC 9110 section 14.2 defines ranges for GET only, and the
    /// caller must not have asked for a range itself.
    pub(crate) fn may_come_in_parts(&self) -> bool {
        self.method == Method::GET && self.body.is_nothing() && !self.headers.contains_key(RANGE)
    }

    /// The URL; one of a host that doesn't exist if the request was given none that can be fetched.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl From<RequestFault> for Error {
    fn from(fault: RequestFault) -> Self {
        match fault {
            RequestFault::Url(reason) => Self::Url { reason },
            RequestFault::Method(reason) => Self::Method { reason },
            RequestFault::Header(reason) => Self::Header { reason },
            RequestFault::Credentials(reason) => Self::Credentials { reason },
            RequestFault::Field(error) => Self::Request(error),
            #[cfg(feature = "json")]
            RequestFault::Json(reason) => Self::Json { reason },
        }
    }
}
