//! What is asked, and what comes back.
//!
//! Owns: requests and responses as callers see them.
//! Does not own: how they travel.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, COOKIE, EXPECT, PROXY_AUTHORIZATION, RANGE};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::{Error, RequestBody};

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: RequestBody,
    pub(crate) expects_continue: bool,
    /// Whether no redirect has led to another origin: only then is the client's certificate shown.
    pub(crate) is_of_user: bool,
}

impl Request {
    /// GET for `url`.
    ///
    /// # Errors
    /// If the text isn't an http or https URL with a host.
    pub fn get(url: &str) -> Result<Self, Error> {
        Self::new(Method::GET, url)
    }

    /// A request for `url` by any method but CONNECT.
    ///
    /// # Errors
    /// As [`Request::get`].
    pub fn new(method: Method, url: &str) -> Result<Self, Error> {
        let url = Url::parse(url).map_err(|error| Error::Url { reason: error.to_string() })?;
        check_url(&url).map_err(|reason| Error::Url { reason: reason.to_owned() })?;
        if method == Method::CONNECT {
            return Err(Error::Method { reason: "CONNECT fetches nothing" });
        }
        Ok(Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: RequestBody::default(),
            expects_continue: false,
            is_of_user: true,
        })
    }

    /// Adds a header field. `name` and `value` are checked here, so that nothing else can be smuggled in. The field Expect is
    /// another way to say [`Request::expect_continue`], or without a value that it isn't meant.
    ///
    /// # Errors
    /// If either holds a byte it may not hold, or the field is one that the client itself sets.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let (name, mut value) = haul_http1::parse_field(name, value)?;
        if name == PROXY_AUTHORIZATION {
            return Err(Error::Header { reason: "credentials of a proxy belong to the proxy's URL" });
        }
        if name == EXPECT {
            // RFC 9110 section 10.1.1 knows no other.
            self.expects_continue = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
            if self.expects_continue || value.is_empty() {
                return Ok(self);
            }
            return Err(Error::Header { reason: "no expectation but 100-continue can be met" });
        }
        value.set_sensitive(matches!(name, AUTHORIZATION | COOKIE));
        self.headers.append(name, value);
        Ok(self)
    }

    /// Whether it has a header field of this name; false for what is no name.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// Sends `body` with it. A redirect that would take it to another origin is refused.
    #[must_use]
    pub fn body(mut self, body: RequestBody) -> Self {
        self.body = body;
        self
    }

    /// Sends the body only when the server says that it wants it, or says nothing for [`Config::expect_timeout`]
    /// (RFC 9110, section 10.1.1). A server that answers instead is not sent the body; one that knows no expectations (417) is
    /// asked once more without. Of no effect without a body.
    ///
    /// [`Config::expect_timeout`]: crate::Config::expect_timeout
    #[must_use]
    pub fn expect_continue(mut self) -> Self {
        self.expects_continue = true;
        self
    }

    /// Says who asks, by a name and a password (RFC 7617). Both go to this origin only, as [`Request::header`]s do.
    ///
    /// # Errors
    /// If the name has a colon, or either a control character: neither can be sent.
    pub fn basic_auth(self, user: &str, password: &str) -> Result<Self, Error> {
        if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
            return Err(Error::Credentials { reason: "the user's name or password can't be sent" });
        }
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", &format!("Basic {credentials}"))
    }

    /// Says who asks, by a token (RFC 6750); otherwise as [`Request::basic_auth`].
    ///
    /// # Errors
    /// If it has a character that tokens don't have.
    pub fn bearer_auth(self, token: &str) -> Result<Self, Error> {
        let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(in_token) {
            return Err(Error::Credentials { reason: "the bearer token can't be sent" });
        }
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Whether the answer may be put together from parts: RFC 9110 section 14.2 defines them for GET only, and a range that
    /// the user asked for is one already.
    pub(crate) fn may_come_in_parts(&self) -> bool {
        self.method == Method::GET && self.body.is_nothing() && !self.headers.contains_key(RANGE)
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
    /// The fields behind a chunked body (RFC 9112, section 7.1.2); empty where there are none. They are never merged into the header
    /// fields: what frames, routes or authenticates a message doesn't count here. At most
    /// [`Limits::trailer_bytes_max`](haul_http1::Limits::trailer_bytes_max) bytes.
    pub trailers: HeaderMap,
    /// The URL that answered, after all redirects.
    pub url: Url,
    /// The body; empty where it went elsewhere.
    pub body: Vec<u8>,
    /// Length of the body in bytes.
    pub body_bytes: u64,
    /// How many redirects were followed.
    pub redirect_count: u32,
}
