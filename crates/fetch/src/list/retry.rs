//! Whether a failed attempt is retried, and when.
//!
//! Owns: which errors are transient, the growth of pauses.
//! Does not own: waiting ([`crate::list::scheduler`]), Retry-After ([`crate::transfer::retry_after`]), replays on stale
//! connections ([`haul_http1::Replay`]).
//!
//! Source: RFC 9110, section 9.2.2 (idempotent methods); full jitter: Brooker, "Exponential Backoff And Jitter".

use std::io::ErrorKind;
use std::time::Duration;

use haul_io::Io;
use http::{Method, StatusCode};

use crate::list::progress::{Progress, Retry};
use crate::transfer::retry_after::{asked_pause, is_transient};
use crate::{CodingError, Config, Error, Phase, Request};

/// A failed attempt, as far as a retry depends on it.
#[derive(Clone, Copy)]
pub(crate) struct Failure<'a> {
    pub(crate) method: &'a Method,
    /// Whether the body can be sent again.
    pub(crate) can_be_sent: bool,
    pub(crate) error: &'a Error,
    /// Attempts made so far, this one included.
    pub(crate) attempts: u32,
    /// The time that they took, with the pauses between them.
    pub(crate) spent: Duration,
    /// The time that they may take.
    pub(crate) timeout: Option<Duration>,
    /// The pause that the server asked for.
    pub(crate) host_pause: Option<Duration>,
    /// A random number for the jitter.
    pub(crate) random: u64,
}

impl<'a> Failure<'a> {
    /// The failure of `request` with `error`, after the attempts that `progress` counts.
    pub(crate) fn of(
        io: &impl Io,
        config: &Config,
        request: &'a Request,
        error: &'a Error,
        progress: &Progress,
    ) -> Self {
        Self {
            spent: progress.spent,
            host_pause: progress.advice.host_pause.as_ref().map(|pause| pause.duration),
            ..Self::new(io, config, request, error, progress.attempts)
        }
    }

    /// The failure of `request` with `error`, after so many `attempts` that took no time.
    pub(crate) fn new(
        io: &impl Io,
        config: &Config,
        request: &'a Request,
        error: &'a Error,
        attempts: u32,
    ) -> Self {
        let mut random = [0; 8];
        io.random(&mut random);
        Self {
            method: &request.method,
            can_be_sent: request.body.can_be_sent(),
            error,
            attempts,
            spent: Duration::ZERO,
            timeout: config.total_timeout_of(request),
            host_pause: None,
            random: u64::from_ne_bytes(random),
        }
    }

    /// The retry that [`Failure::pause`] allows after `pause`.
    pub(crate) fn retry(
        &self,
        config: &Config,
        request: &Request,
        progress: &Progress,
        pause: Duration,
    ) -> Retry {
        let url_host = || request.url.host_str().unwrap_or_default().to_owned();
        Retry {
            attempt: self.attempts + 1,
            attempts_max: self.retries(config.retries) + 1,
            pause,
            host: progress
                .advice
                .host_pause
                .as_ref()
                .map_or_else(url_host, |pause| pause.origin.host.clone()),
            reason: self.error.to_string(),
            status: match self.error {
                Error::Status(response) => Some(response.status),
                _ => None,
            },
        }
    }

    /// Of the `retries` that may be made, those after this failure.
    fn retries(&self, retries: u32) -> u32 {
        if is_silence(self.error) { retries.min(1) } else { retries }
    }

    /// How long to wait before the next attempt; `None` if there must be none.
    pub(crate) fn pause(&self, config: &Config, retries: u32) -> Option<Duration> {
        let retries = self.retries(retries);
        if self.attempts > retries
            || !self.can_be_sent
            || !is_retryable(self.error, self.method, &config.retry_statuses)
        {
            return None;
        }
        let pause = jittered(pause_max(config, self.attempts), self.random);
        let pause = pause.max(self.host_pause.unwrap_or_default());
        let in_time = self.timeout.is_none_or(|total| self.spent + pause < total);
        in_time.then_some(pause)
    }
}

impl Error {
    /// Whether another attempt may succeed: a connection that was refused or broke, a timeout, a status such as 429 or
    /// 503. Whether the request may be sent twice is another question, which its method answers.
    pub fn is_transient(&self) -> bool {
        is_retryable(self, &Method::GET, &[])
    }

    /// How long the server asks the client to wait, in its Retry-After, however long that is.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status(response) => asked_pause(&response.headers),
            _ => None,
        }
    }
}

/// Whether the error is transient, and the request may be sent twice.
fn is_retryable(error: &Error, method: &Method, retry_statuses: &[StatusCode]) -> bool {
    match error {
        // The request was not sent.
        Error::Connect(_) | Error::Timeout(Phase::Connect) => true,
        Error::Resolve(error) => haul_io::is_try_again(error) || error.kind() == ErrorKind::TimedOut,
        Error::ToProxy { source, .. } => is_retryable(source, method, retry_statuses),
        Error::Proxy(error) => error.is_transient(),
        Error::Transport(_) | Error::TooSlow { .. } | Error::Timeout(Phase::Transfer) => {
            method.is_idempotent()
        }
        Error::Protocol(error) => error.is_truncation() && method.is_idempotent(),
        Error::Coding(CodingError::Incomplete) => method.is_idempotent(),
        Error::Status(response) => is_transient(response.status, retry_statuses) && method.is_idempotent(),
        _ => false,
    }
}

/// Whether name servers didn't answer. The resolver has asked them several times by then; asking again and again would
/// hold up the run.
fn is_silence(error: &Error) -> bool {
    match error {
        Error::Resolve(error) => error.kind() == ErrorKind::TimedOut,
        Error::ToProxy { source, .. } => is_silence(source),
        _ => false,
    }
}

/// The longest pause after so many attempts: doubled each time, up to the limit.
fn pause_max(config: &Config, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    config.retry_pause.saturating_mul(1 << doublings).min(config.retry_pause_max)
}

/// A random pause up to `pause`, so that tasks that failed together are not retried together.
fn jittered(pause: Duration, random: u64) -> Duration {
    pause.mul_f64(random as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "tls")]
    use crate::TlsError;
    use crate::{ProxyError, Response};

    fn to_proxy(source: Error) -> Error {
        Error::ToProxy { address: "p:1".to_owned(), source: Box::new(source) }
    }
    use haul_http1::ProtocolError;
    use http::HeaderMap;

    fn config() -> Config {
        let retry_statuses = vec![StatusCode::IM_A_TEAPOT];
        Config { total_timeout: Some(Duration::from_secs(100)), retry_statuses, ..Config::default() }
    }

    #[test]
    fn only_transient_errors_are_retried() {
        let status = |code| {
            let (status, url) = (StatusCode::from_u16(code).unwrap(), url::Url::parse("http://a/").unwrap());
            Error::Status(Box::new(Response::of_head(status, HeaderMap::new(), url)))
        };
        let io = |kind: ErrorKind| std::io::Error::from(kind);
        let incomplete = ProtocolError::Incomplete { received_bytes: 1, expected_bytes: Some(2) };
        for (error, get, post) in [
            (Error::Connect(io(ErrorKind::ConnectionRefused)), true, true),
            (Error::Timeout(Phase::Connect), true, true),
            (Error::Timeout(Phase::Transfer), true, false),
            (Error::TooSlow { rate_min: 1 }, true, false),
            (Error::Timeout(Phase::Total), false, false),
            (Error::Transport(io(ErrorKind::ConnectionReset)), true, false),
            (Error::Protocol(incomplete), true, false),
            (Error::Protocol(ProtocolError::ClosedBeforeResponse), true, false),
            (Error::Protocol(ProtocolError::BareCr), false, false),
            #[cfg(feature = "tls")]
            (Error::Tls(TlsError(rustls::Error::DecryptError)), false, false),
            #[cfg(feature = "tls")]
            (Error::ProxyTls(TlsError(rustls::Error::DecryptError)), false, false),
            (Error::NotBuilt { feature: "tls" }, false, false),
            (Error::Resolve(io(ErrorKind::NotFound)), false, false),
            (Error::Resolve(io(ErrorKind::WouldBlock)), true, true),
            (Error::Resolve(io(ErrorKind::TimedOut)), true, true),
            (Error::Write(io(ErrorKind::StorageFull)), false, false),
            (Error::TooManyRedirects, false, false),
            (Error::Cancelled, false, false),
            (Error::Proxy(ProxyError::Status(StatusCode::BAD_GATEWAY)), true, true),
            (Error::Proxy(ProxyError::Status(StatusCode::PROXY_AUTHENTICATION_REQUIRED)), false, false),
            (Error::Proxy(ProxyError::Reply { code: 5 }), true, true),
            (Error::Proxy(ProxyError::Reply { code: 2 }), false, false),
            (Error::Proxy(ProxyError::Denied), false, false),
            (to_proxy(Error::Connect(io(ErrorKind::ConnectionRefused))), true, true),
            (to_proxy(Error::Resolve(io(ErrorKind::NotFound))), false, false),
            (status(408), true, false),
            (status(429), true, false),
            (status(500), true, false),
            (status(502), true, false),
            (status(503), true, false),
            (status(504), true, false),
            (status(520), true, false),
            (status(524), true, false),
            (status(525), false, false),
            (status(418), true, false),
            (Error::Coding(CodingError::Incomplete), true, false),
            (Error::Coding(CodingError::TooMany { count_max: 5 }), false, false),
            (Error::Proxy(ProxyError::Status(StatusCode::TOO_MANY_REQUESTS)), true, true),
            (status(501), false, false),
            (status(404), false, false),
            (status(403), false, false),
        ] {
            assert_eq!(is_retryable(&error, &Method::GET, &config().retry_statuses), get, "GET: {error}");
            assert_eq!(is_retryable(&error, &Method::PUT, &config().retry_statuses), get, "PUT: {error}");
            assert_eq!(is_retryable(&error, &Method::POST, &config().retry_statuses), post, "POST: {error}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_limit_and_end_with_the_retries() {
        let error = Error::Timeout(Phase::Transfer);
        let pause_of = |attempts, random, host_pause, spent| {
            let (method, spent) = (&Method::GET, Duration::from_secs(spent));
            let timeout = config().total_timeout;
            let failure = Failure {
                method,
                can_be_sent: true,
                error: &error,
                attempts,
                spent,
                timeout,
                host_pause,
                random,
            };
            assert_eq!(Failure { can_be_sent: false, ..failure }.pause(&config(), 5), None);
            failure.pause(&config(), 5)
        };
        let millis = |attempts| pause_of(attempts, u64::MAX, None, 0).map(|pause| pause.as_millis());
        let longest: Vec<_> = (1..=6).map(millis).collect();
        assert_eq!(longest, [Some(500), Some(1_000), Some(2_000), Some(4_000), Some(8_000), None]);
        assert_eq!(pause_max(&config(), 1_000), Duration::from_secs(30));
        assert_eq!(pause_of(1, 0, None, 0), Some(Duration::ZERO), "jitter is full");
        assert_eq!(pause_of(1, u64::MAX / 2, None, 0).unwrap().as_millis(), 250);
        let asked = Some(Duration::from_secs(20));
        assert_eq!(pause_of(1, 0, asked, 0), asked, "the pause that the server asks for is respected");
        assert_eq!(pause_of(1, 0, asked, 79), asked);
        assert_eq!(pause_of(1, 0, asked, 80), None, "the whole request would take too long");
    }
}
