//! Sending a request until it succeeds, or can't.
//!
//! | what happened | what is done |
//! |---|---|
//! | 503 SlowDown, 500, a broken connection, damaged bytes | a pause, then again, [`Settings::retries`] times |
//! | the session has expired | once: new keys, then again |
//! | the clocks differ too much | once: the store's Date is taken over, then again |
//! | anything else | an error |
//!
//! [`Settings::retries`]: crate::Settings::retries
//!
//! Owns: that table; signing each attempt anew.
//! Does not own: one attempt over HTTP ([`haul_fetch::Client`]).

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use haul_fetch::{BodyReader, Fault, Method, Request, Response};

use crate::Error;
use crate::access::keys::Keys;
use crate::call::body::Content;
use crate::call::signature::{Scope, Signed, query, sha256, timestamp};
use crate::call::store::Store;
use crate::refusal::{Kind, Refusal};

/// The longest answer that describes an error.
const ERROR_BYTES_MAX: u64 = 64 << 10;

/// A request to be signed and sent.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    method: Method,
    bucket: &'a str,
    key: &'a str,
    parameters: Vec<(&'static str, String)>,
    fields: Vec<(Cow<'static, str>, String)>,
    content: Option<Content>,
    is_regardless: bool,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answered<B = ()> {
    pub(crate) response: Response,
    pub(crate) body: B,
}

/// A failure, and whether an attempt may have taken effect nevertheless.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) is_uncertain: bool,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, bucket: &'a str, key: &'a str) -> Self {
        Self {
            method,
            bucket,
            key,
            parameters: Vec::new(),
            fields: Vec::new(),
            content: None,
            is_regardless: false,
        }
    }

    /// Adds a parameter of the query.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((name, value.into()));
        self
    }

    /// Adds a field. The name has lower-case letters.
    pub(crate) fn field(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub(crate) fn content(mut self, content: Content) -> Self {
        self.content = Some(content);
        self
    }

    /// Sends it also after the caller's switch was triggered: what is left must be removed. Then once only.
    pub(crate) fn regardless(mut self) -> Self {
        self.is_regardless = true;
        self
    }

    fn request(&self, store: &Store, keys: Option<&Arc<Keys>>) -> Result<Request, Error> {
        let endpoint = store.endpoint();
        let (host, path) = (endpoint.host(self.bucket), endpoint.path(self.bucket, self.key));
        let parameters: Vec<_> =
            self.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let query = query(&parameters);
        let mut request = Request::new(self.method.clone(), endpoint.url(&host, &path, &query));
        let mut fields: Vec<(String, String)> =
            self.fields.iter().map(|(name, value)| (name.clone().into_owned(), value.clone())).collect();
        if let Some(keys) = keys {
            self.sign(store, keys, &mut fields, Target { host: &host, path: &path, query: &query });
        }
        for (name, value) in &fields {
            request = request.header(name, value);
        }
        // A range is one of the bytes as they are stored.
        request = request.without_header("accept-encoding");
        Ok(match &self.content {
            Some(content) => request.body(content.body.clone()),
            None => request,
        })
    }

    /// Adds the fields of the signature.
    fn sign(&self, store: &Store, keys: &Keys, fields: &mut Vec<(String, String)>, target: Target<'_>) {
        let payload = match &self.content {
            None => sha256(b""),
            Some(content) => content.sha256.clone().unwrap_or_else(|| "UNSIGNED-PAYLOAD".to_owned()),
        };
        let time = timestamp(store.now());
        fields.push(("x-amz-content-sha256".to_owned(), payload.clone()));
        fields.push(("x-amz-date".to_owned(), time.clone()));
        if let Some(token) = &keys.token {
            fields.push(("x-amz-security-token".to_owned(), token.to_string()));
        }
        let mut covered = fields.clone();
        covered.push(("host".to_owned(), target.host.to_owned()));
        covered.sort_unstable();
        let scope = Scope { time: &time, region: store.endpoint().region(), service: "s3" };
        let (method, path, query) = (self.method.as_str(), target.path, target.query);
        let signed = Signed { method, path, query, fields: &covered, payload: &payload };
        fields.push(("authorization".to_owned(), signed.authorization(keys, &scope)));
    }
}

/// Where a request goes, as it is sent and signed.
struct Target<'a> {
    host: &'a str,
    path: &'a str,
    query: &'a str,
}

impl Store {
    /// Sends `call`; the answer is read into memory.
    pub(crate) fn call(&self, call: &Call<'_>) -> Result<Response, Failure> {
        let once = |request| Ok(Answered { response: self.client().fetch(request)?, body: () });
        self.repeat(call, once).map(|answered| answered.response)
    }

    /// Sends `call`; the body of a successful answer is to be read.
    pub(crate) fn stream(&self, call: &Call<'_>) -> Result<Answered<BodyReader>, Failure> {
        self.repeat(call, |request| {
            let (mut response, mut body) = self.client().stream(request)?;
            if !response.status.is_success() {
                // What can't be read of it isn't said.
                let _ = body.by_ref().take(ERROR_BYTES_MAX).read_to_end(&mut response.body);
            }
            Ok(Answered { response, body })
        })
    }

    fn repeat<B>(
        &self,
        call: &Call<'_>,
        once: impl Fn(Request) -> Result<Answered<B>, haul_fetch::Error>,
    ) -> Result<Answered<B>, Failure> {
        let mut failures = 0;
        let mut is_uncertain = false;
        let (mut has_renewed, mut has_corrected) = (false, false);
        let fail = |error, is_uncertain| Err(Failure { error, is_uncertain });
        loop {
            if self.cancel().is_triggered() && !call.is_regardless {
                return fail(Error::Cancelled, is_uncertain);
            }
            let attempt = self.credentials().keys(self.now()).and_then(|keys| {
                let request = call.request(self, keys.as_ref())?;
                Ok((keys, request))
            });
            let (keys, request) = match attempt {
                Ok(attempt) => attempt,
                Err(error) => return fail(error, is_uncertain),
            };
            let (error, asked) = match once(request) {
                Ok(answered) if answered.response.status.is_success() => return Ok(answered),
                Ok(Answered { response, .. }) => {
                    let refusal = Refusal::of(&response);
                    match refusal.kind {
                        Kind::Expired if !has_renewed => {
                            has_renewed = true;
                            if keys.is_some_and(|keys| self.credentials().expired(&keys)) {
                                continue;
                            }
                        }
                        Kind::ClockSkew if !has_corrected => {
                            has_corrected = true;
                            if let Some(there) = date(&response) {
                                self.set_now(there);
                                continue;
                            }
                        }
                        _ => {}
                    }
                    is_uncertain |= refusal.kind == Kind::Server;
                    (Error::Refused(refusal), retry_after(&response))
                }
                Err(haul_fetch::Error::Cancelled) => return fail(Error::Cancelled, true),
                Err(error) => {
                    is_uncertain |= !matches!(error, haul_fetch::Error::Connect(_));
                    (error.into(), None)
                }
            };
            failures += 1;
            if failures > self.retries() || !is_transient(&error) {
                return fail(error, is_uncertain);
            }
            if let Err(error) = self.pause(failures, asked) {
                return fail(error, is_uncertain);
            }
        }
    }
}

/// Whether the same request may succeed later.
fn is_transient(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => refusal.kind.is_transient(),
        Error::Fetch(haul_fetch::Error::Protocol(error)) => error.is_truncation(),
        Error::Fetch(error) => error.fault() == Fault::Network,
        _ => false,
    }
}

fn date(response: &Response) -> Option<std::time::SystemTime> {
    httpdate::parse_http_date(response.headers.get("date")?.to_str().ok()?).ok()
}

/// Only the form in seconds, which is that of stores.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
