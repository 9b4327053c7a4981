//! Requests and responses.
//!
//! Owns: what callers can ask for, and what they get.
//! Does not own: sending and receiving ([`crate::transfer`]).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    AUTHORIZATION, COOKIE, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION, RANGE,
};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::client::zone;
use crate::route::origin::Origin;
use crate::{Error, RequestBody};

/// A request.
#[derive(Clone, Debug)]
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
    /// Fields that the client doesn't add by itself.
    pub(crate) omitted: Vec<HeaderName>,
    /// The origin that the caller named, once a redirect has led elsewhere.
    pub(crate) named_origin: Option<Box<Origin>>,
}

impl Request {
    /// A GET request for `url`.
    ///
    /// # Errors
    /// If the text isn't an http or https URL with a host.
    pub fn get(url: &str) -> Result<Self, Error> {
        Self::new(Method::GET, url)
    }

    /// A request for `url` with any method but CONNECT.
    ///
    /// # Errors
    /// As [`Request::get`]; and [`Error::Method`] for CONNECT.
    pub fn new(method: Method, url: &str) -> Result<Self, Error> {
        let url = zone::hide(url).map_err(|reason| Error::Url { reason: reason.to_owned() })?;
        let url = Url::parse(&url).map_err(|error| Error::Url { reason: malformed(error) })?;
        check_url(&url).map_err(|reason| Error::Url { reason: reason.to_owned() })?;
        if method == Method::CONNECT {
            return Err(Error::Method { reason: "CONNECT can't be used to fetch" });
        }
        Ok(Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: RequestBody::default(),
            expects_continue: false,
            spellings: Vec::new(),
            host: None,
            omitted: Vec::new(),
            named_origin: None,
        })
    }

    /// Adds a header field. `name` and `value` are checked here, so that they can't inject anything else. The field
    /// Expect with the value `100-continue` is the same as [`Request::expect_continue`], and with an empty value it
    /// turns that off. The field Host replaces the one made of the URL, for this origin, and nothing else: not the host
    /// to connect to, nor the name that its certificate must have.
    ///
    /// The name is sent in this letter case; if it was added before, in that of the first time.
    ///
    /// # Errors
    /// If either contains an invalid byte, or if the client sets the field itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let spelling = name;
        let (name, mut value) = haul_http1::parse_field(name, value)?;
        if name == PROXY_AUTHORIZATION {
            return Err(Error::Header { reason: "credentials of a proxy belong in its URL" });
        }
        if name == EXPECT {
            // RFC 9110 section 10.1.1 defines no other expectation.
            self.expects_continue = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
            if self.expects_continue || value.is_empty() {
                return Ok(self);
            }
            return Err(Error::Header { reason: "no expectation but 100-continue can be met" });
        }
        if !self.spellings.iter().any(|known| known.eq_ignore_ascii_case(spelling)) {
            self.spellings.push(spelling.to_owned());
        }
        if name == HOST {
            self.host = Some(Box::new(value));
            return Ok(self);
        }
        value.set_sensitive(matches!(name, AUTHORIZATION | COOKIE));
        self.headers.append(name, value);
        Ok(self)
    }

    /// Leaves out a header field that the client would add by itself: User-Agent, Accept, Accept-Encoding, or the jar's
    /// Cookie. A field added by [`Request::header`] is sent nevertheless.
    ///
    /// # Errors
    /// If the name is invalid, or that of Host, which no request can lack (RFC 9112, section 3.2).
    pub fn without_header(mut self, name: &str) -> Result<Self, Error> {
        let (name, _) = haul_http1::parse_field(name, "")?;
        if name == HOST {
            return Err(Error::Header { reason: "a request can't lack the field Host" });
        }
        self.omitted.push(name);
        Ok(self)
    }

    /// Whether [`Request::without_header`] left out the field of this name.
    pub fn omits(&self, name: &str) -> bool {
        self.omitted.iter().any(|omitted| omitted.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether there is a header field of this name; false for an invalid name.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// Sets the body. A redirect to another origin is then refused, unless it drops the body.
    #[must_use]
    pub fn body(mut self, body: RequestBody) -> Self {
        self.body = body;
        self
    }

    /// Sends the body only after the server has sent 100 (Continue), or has been silent for [`Config::expect_timeout`]
    /// (RFC 9110, section 10.1.1). If the server sends a final response instead, it isn't sent the body; after a 417
    /// (Expectation Failed) the request is repeated without the expectation. No effect without a body.
    ///
    /// [`Config::expect_timeout`]: crate::Config::expect_timeout
    #[must_use]
    pub fn expect_continue(mut self) -> Self {
        self.expects_continue = true;
        self
    }

    /// Authenticates by user name and password (RFC 7617). They are sent to this origin only, as all fields added by
    /// [`Request::header`].
    ///
    /// # Errors
    /// If the name contains a colon, or either contains a control character.
    pub fn basic_auth(self, user: &str, password: &str) -> Result<Self, Error> {
        if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
            return Err(Error::Credentials { reason: "the user's name or password can't be sent" });
        }
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.header("Authorization", &format!("Basic {credentials}"))
    }

    /// Authenticates by a bearer token (RFC 6750); otherwise as [`Request::basic_auth`].
    ///
    /// # Errors
    /// If the token contains an invalid character.
    pub fn bearer_auth(self, token: &str) -> Result<Self, Error> {
        let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(in_token) {
            return Err(Error::Credentials { reason: "the bearer token can't be sent" });
        }
        self.header("Authorization", &format!("Bearer {token}"))
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

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// Why a text isn't a URL. The text is not quoted: it may contain a password.
fn malformed(error: url::ParseError) -> String {
    match error {
        url::ParseError::RelativeUrlWithoutBase => "the URL has no scheme".to_owned(),
        other => other.to_string(),
    }
}

/// Checks that `url` can be fetched.
pub(crate) fn check_url(url: &Url) -> Result<(), &'static str> {
    match url.scheme() {
        "http" | "https" => {}
        // A host and a port, which read as a scheme and a path.
        _ if !url.has_host() && url.path().starts_with(|first: char| first.is_ascii_digit()) => {
            return Err("the URL has no scheme");
        }
        _ => return Err("only http and https can be fetched"),
    }
    if !url.has_host() {
        return Err("the URL has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials in a URL are not supported");
    }
    Ok(())
}

/// A response whose body has been received completely.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The trailer fields of a chunked body (RFC 9112, section 7.1.2); empty if there are none. They are never merged
    /// into the header fields, as they must not affect framing, routing or authentication. At most
    /// [`Limits::trailer_bytes_max`](haul_http1::Limits::trailer_bytes_max) bytes.
    pub trailers: HeaderMap,
    /// The URL of the response, after all redirects.
    pub url: Url,
    /// The body; empty if it was written elsewhere.
    pub body: Vec<u8>,
    /// Length of the body in bytes.
    pub body_bytes: u64,
    /// Redirects that were followed.
    pub redirect_count: u32,
}
