//! The pause that a host asks for.
//!
//! Owns: reading Retry-After, by the server's own clock; which statuses are transient.
//! Does not own: keeping to it (`list::scheduler`), whether a request is retried (`list::retry`).
//!
//! Source: RFC 9110, sections 10.2.3 (Retry-After) and 15.6.4 (503); RFC 6585, section 4 (429).

use std::time::Duration;

use haul_http1::{RetryAfter, retry_after};
use http::header::DATE;
use http::{HeaderMap, StatusCode};

use url::Url;

use crate::route::host_pause::HostPause;
use crate::route::origin::Origin;
use crate::{Config, Error};

/// Statuses that are transient. Those from 520 are of Cloudflare, for an origin that it can't reach.
const TRANSIENT: [u16; 11] = [408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524];

/// The pause that the response to a request for `url` asks for.
pub(crate) fn host_pause(
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
    config: &Config,
) -> Option<Box<HostPause>> {
    let duration = duration(status, headers, config)?;
    Some(Box::new(HostPause { origin: Origin::of(url), duration }))
}

/// The pause that a response with `status` asks for; at most as long as `config` allows.
fn duration(status: StatusCode, headers: &HeaderMap, config: &Config) -> Option<Duration> {
    let is_throttle = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    if !is_throttle && !config.retry_statuses.contains(&status) {
        return None;
    }
    Some(asked_pause(headers)?.min(config.retry_after_max))
}

/// The pause that `headers` ask for, however long.
pub(crate) fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    match retry_after(headers)? {
        RetryAfter::Seconds(seconds) => Some(Duration::from_secs(seconds)),
        RetryAfter::Date(date) => until(date, headers),
    }
}

/// The pause that the server asked for by the response that is `error`; at most as long as `config` allows.
pub(crate) fn pause_of(error: &Error, config: &Config) -> Option<Duration> {
    let Error::Status(response) = error else { return None };
    duration(response.status, &response.headers, config)
}

/// Whether a response with `status` is no result: another attempt may have a better one.
pub(crate) fn is_transient(status: StatusCode, retry_statuses: &[StatusCode]) -> bool {
    TRANSIENT.contains(&status.as_u16()) || retry_statuses.contains(&status)
}

/// The time from Date to `date`. Both are from the server's clock, so that ours may be wrong.
fn until(date: &[u8], headers: &HeaderMap) -> Option<Duration> {
    let parse = |text: &[u8]| httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok();
    let (then, now) = (parse(date)?, parse(headers.get(DATE)?.as_bytes())?);
    Some(then.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_number_or_a_date_and_capped() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (status, after, pause) in [
            (503, Some("7"), Some(7)),
            (429, Some("0"), Some(0)),
            (429, Some("1.5"), Some(2)),
            (503, Some("99999999999999999999999"), Some(120)),
            (503, Some("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30)),
            (503, Some("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0)),
            (503, Some("Mon, 07 Nov 1994 08:49:37 GMT"), Some(120)),
            (503, Some("soon"), None),
            (503, None, None),
            (500, Some("7"), None),
        ] {
            let mut headers = HeaderMap::from_iter([(DATE, date.parse().unwrap())]);
            if let Some(after) = after {
                headers.insert("retry-after", after.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            let found = duration(status, &headers, &Config::default());
            assert_eq!(found, pause.map(Duration::from_secs), "{status} {after:?}");
        }
        let throttled = HeaderMap::from_iter([("retry-after".parse().unwrap(), "7".parse().unwrap())]);
        let config = Config { retry_statuses: vec![StatusCode::FORBIDDEN], ..Config::default() };
        assert_eq!(duration(StatusCode::FORBIDDEN, &throttled, &config), Some(Duration::from_secs(7)));
        let dated = HeaderMap::from_iter([("retry-after".parse().unwrap(), date.parse().unwrap())]);
        assert_eq!(duration(StatusCode::SERVICE_UNAVAILABLE, &dated, &Config::default()), None);
    }
}
