//! What an observer learns of each step of an attempt.
//!
//! Owns: leaving secrets out of heads.
//! Does not own: printing.

use std::net::SocketAddr;

use haul_http1::ResponseHead;
use http::header::HeaderName;
use url::Url;

use crate::client::observer::{Detail, TransferEvent};
use crate::client::secret_fields::may_be_secret;
use crate::route::hops::Route;
use crate::route::origin::Origin;

/// The fields of requests whose values never hold a secret. Any other may: users set them as they like.
const PLAIN_REQUEST_FIELDS: [&str; 15] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "transfer-encoding",
    "user-agent",
];
/// The fields of responses whose values are URLs.
const URL_FIELDS: [&str; 3] = ["location", "content-location", "link"];
/// What is shown instead of a secret.
const MARK: &str = "***";

pub(crate) fn found(route: &Route, origin: &Origin, addresses: &[SocketAddr]) -> TransferEvent {
    event(&peer(route, origin), Detail::Addresses(addresses.to_vec()))
}

pub(crate) fn connected(route: &Route, origin: &Origin) -> TransferEvent {
    event(&origin.host, Detail::Connected { peer: peer(route, origin) })
}

pub(crate) fn secured(host: &str, parameters: String) -> TransferEvent {
    event(host, Detail::Secured { parameters })
}

/// The head of a request to `url`, as it is sent.
pub(crate) fn sent(url: &Url, head: &[u8]) -> TransferEvent {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines().take_while(|line| !line.is_empty());
    let first = lines.next().map(|line| match line.split_once('?') {
        Some((start, rest)) => format!("{start}?{MARK} {}", rest.rsplit(' ').next().unwrap_or_default()),
        None => line.to_owned(),
    });
    let fields = lines.map(|line| match line.split_once(':') {
        Some((name, _)) if !PLAIN_REQUEST_FIELDS.contains(&name.to_ascii_lowercase().as_str()) => {
            format!("{name}: {MARK}")
        }
        _ => line.to_owned(),
    });
    let lines = first.into_iter().chain(fields).collect();
    event(url.host_str().unwrap_or_default(), Detail::Request(lines))
}

/// The head of the response to a request to `url`.
pub(crate) fn received(url: &Url, head: &ResponseHead) -> TransferEvent {
    let first = format!("{:?} {}", head.version, head.status);
    let fields = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        format!("{name}: {}", shown(name, &value))
    });
    let lines = [first].into_iter().chain(fields).collect();
    event(url.host_str().unwrap_or_default(), Detail::Response(lines))
}

/// The value of a response's field, without secrets.
fn shown(name: &HeaderName, value: &str) -> String {
    match name.as_str() {
        _ if may_be_secret(name) => MARK.to_owned(),
        name if URL_FIELDS.contains(&name) => match value.split_once('?') {
            Some((start, _)) => format!("{start}?{MARK}"),
            None => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// The first hop.
fn peer(route: &Route, origin: &Origin) -> String {
    match route {
        Route::Direct(_) => format!("{}:{}", origin.host, origin.port),
        Route::Forward(proxy) | Route::Tunnel(_, proxy) => format!("the proxy {}", proxy.address()),
    }
}

fn event(host: &str, what: Detail) -> TransferEvent {
    TransferEvent::Detail { host: host.to_owned(), what }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode, Version};

    use super::*;

    fn lines(event: TransferEvent) -> String {
        match event {
            TransferEvent::Detail { what: Detail::Request(lines) | Detail::Response(lines), .. } => {
                lines.join("|")
            }
            _ => panic!("no head"),
        }
    }

    #[test]
    fn heads_are_shown_without_secrets() {
        let url = Url::parse("http://h/").unwrap();
        let head = b"GET /a?token=hush HTTP/1.1\r\nHost: h\r\nAuthorization: Basic hush\r\nX-Key: hush\r\n\
                     x-amz-security-token: hush\r\nCookie: a=hush\r\nRange: bytes=5-\r\n\r\nbody";
        assert_eq!(
            lines(sent(&url, head)),
            "GET /a?*** HTTP/1.1|Host: h|Authorization: ***|X-Key: ***|x-amz-security-token: ***|\
             Cookie: ***|Range: bytes=5-"
        );
        let mut headers = HeaderMap::new();
        headers.insert("location", "https://e/b?sig=hush".parse().unwrap());
        headers.insert("set-cookie", "a=hush".parse().unwrap());
        headers.insert("x-subject-token", "hush".parse().unwrap());
        headers.insert("www-authenticate", "Basic".parse().unwrap());
        headers.insert("etag", "\"1\"".parse().unwrap());
        let (version, status, framing) = (Version::HTTP_11, StatusCode::FOUND, haul_http1::Framing::None);
        let head = ResponseHead { version, status, headers, framing };
        assert_eq!(
            lines(received(&url, &head)),
            "HTTP/1.1 302 Found|location: https://e/b?***|set-cookie: ***|x-subject-token: ***|\
             www-authenticate: Basic|etag: \"1\""
        );
    }
}
