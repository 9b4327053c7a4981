//! Redirects.
//!
//! Owns: which redirects are followed, and what of the request is sent to the new URL.
//! Does not own: the limit on their number ([`crate::transfer::fetch`]).
//!
//! Source: RFC 9110 sections 15.4 (statuses) and 10.2.2 (Location).

use std::borrow::Cow;

use http::header::{
    ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION, PRAGMA, RANGE, USER_AGENT,
};
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::AsciiSet;
use url::Url;

use crate::client::request::url::check_url;
use crate::client::zone;
use crate::route::origin::Origin;
use crate::{Error, Request, RequestBody};

/// Fields that choose the representation and reveal nothing about the user, and so are sent to another origin.
const PUBLIC_FIELDS: [HeaderName; 13] = [
    ACCEPT,
    ACCEPT_CHARSET,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    PRAGMA,
    RANGE,
    USER_AGENT,
];

/// Escapes nothing but bytes above 0x7f, and control characters, which a parsed head doesn't contain.
const NOT_ASCII: &AsciiSet = percent_encoding::CONTROLS;

/// Fields that describe the body.
const CONTENT_FIELDS: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION];

/// The request that a response with `status` and `headers` redirects to, if it does.
pub(crate) fn follow(
    request: &Request,
    status: StatusCode,
    headers: &HeaderMap,
    allow_downgrade: bool,
) -> Result<Option<Request>, Error> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    // An empty one would lead back to the same URL.
    let location = headers.get(LOCATION).filter(|location| !location.as_bytes().trim_ascii().is_empty());
    let Some(location) = location else { return Ok(None) };
    let url = target(&request.url, location.as_bytes()).map_err(|reason| Error::Redirect { reason })?;
    let (from, to) = (Origin::of(&request.url), Origin::of(&url));
    if from.tls && !to.tls && !allow_downgrade {
        return Err(Error::Redirect { reason: "redirected from https to http" });
    }
    let mut headers = request.headers.clone();
    if from != to {
        headers = headers
            .iter()
            .filter(|(name, _)| PUBLIC_FIELDS.contains(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
    }
    let method = method_after(&request.method, status);
    // RFC 9110 section 15.4: a request that becomes a GET loses its body and the fields that describe it.
    let keeps_body = method == request.method;
    if !keeps_body {
        CONTENT_FIELDS.iter().for_each(|name| _ = headers.remove(name));
    } else if !request.body.is_nothing() && from != to {
        return Err(Error::Redirect {
            reason: "redirected to another origin, which must not receive the body",
        });
    } else if !request.body.can_be_sent() {
        return Err(Error::BodySpent);
    }
    let body = if keeps_body { request.body.clone() } else { RequestBody::default() };
    let host = if from == to { request.host.clone() } else { None };
    let named_origin = request.named_origin.clone().or((from != to).then(|| Box::new(from)));
    Ok(Some(Request { method, url, headers, body, host, named_origin, ..request.clone() }))
}

fn target(base: &Url, location: &[u8]) -> Result<Url, &'static str> {
    let location = escaped(location);
    let mut url = base.join(&zone::hide(&location)?).map_err(|_| "redirected to a malformed location")?;
    zone::inherit(&mut url, base);
    check_url(&url).map_err(|_| "redirected to a location that can't be fetched")?;
    // RFC 9110 section 10.2.2: a location without a fragment inherits that of the request.
    if url.fragment().is_none() {
        url.set_fragment(base.fragment());
    }
    Ok(url)
}

/// `location` as text. Bytes of another encoding than UTF-8, such as Latin-1, become escapes: the server knows them
/// again as the bytes that it sent.
fn escaped(location: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(location) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => percent_encoding::percent_encode(location, NOT_ASCII).into(),
    }
}

/// RFC 9110 section 15.4: 303 changes the method to GET, except for HEAD; 301 and 302 do so for POST only, by custom.
fn method_after(method: &Method, status: StatusCode) -> Method {
    match status.as_u16() {
        303 if *method != Method::HEAD => Method::GET,
        301 | 302 if *method == Method::POST => Method::GET,
        _ => method.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(from: &str, method: Method, status: u16, location: &str) -> Result<Option<Request>, Error> {
        let request = Request::new(method, from);
        let request = request.header("Authorization", "Basic x").header("X-Token", "y");
        let request = request.header("Accept", "text/html");
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        follow(&request, StatusCode::from_u16(status).unwrap(), &headers, false)
    }

    #[track_caller]
    fn leads(from: &str, location: &str, to: &str, keeps_secrets: bool) {
        let next = followed(from, Method::GET, 302, location).unwrap().expect("a redirect");
        assert_eq!(next.url.as_str(), to);
        assert_eq!(next.headers.contains_key("authorization"), keeps_secrets);
        assert_eq!(next.headers.contains_key("x-token"), keeps_secrets);
        assert!(next.headers.contains_key("accept"));
    }

    #[test]
    fn secrets_stay_with_their_origin() {
        leads("http://a/x/y", "z", "http://a/x/z", true);
        leads("http://a/x", "/z?q", "http://a/z?q", true);
        leads("http://a:80/x", "http://a/z", "http://a/z", true);
        leads("http://a/x", "//b/z", "http://b/z", false);
        leads("http://a/x", "http://a:81/z", "http://a:81/z", false);
        leads("http://a/x", "https://a/z", "https://a/z", false);
    }

    #[test]
    fn fields_that_choose_the_representation_go_along() {
        let public = [
            "Accept",
            "Accept-Charset",
            "Accept-Encoding",
            "Accept-Language",
            "Cache-Control",
            "If-Match",
            "If-Modified-Since",
            "If-None-Match",
            "If-Range",
            "If-Unmodified-Since",
            "Range",
            "User-Agent",
        ];
        let private =
            ["Authorization", "Cookie", "Origin", "Referer", "X-Api-Key", "If-Token", "Accept-Token"];
        let names = public.iter().chain(&private);
        let request = names.fold(Request::get("http://a/"), |request, name| request.header(name, "x"));
        let headers = HeaderMap::from_iter([(LOCATION, "http://b/".parse().unwrap())]);
        let next = follow(&request, StatusCode::FOUND, &headers, false).unwrap().unwrap();
        assert!(public.iter().all(|name| next.has_header(name)), "{next:?}");
        assert!(!private.iter().any(|name| next.has_header(name)), "{next:?}");
        assert_eq!(next.headers.len(), public.len());
        assert!(request.shows_identity() && !next.shows_identity());
    }

    #[test]
    fn locations_may_have_bytes_of_any_encoding() {
        for (location, to) in [
            (&b"/caf\xe9 1?\xfc=\xff"[..], "http://a/caf%E9%201?%FC=%FF"),
            ("/caf\u{e9}?\u{fc}".as_bytes(), "http://a/caf%C3%A9?%C3%BC"),
            (b"http://b/\xe9%20", "http://b/%E9%20"),
        ] {
            let headers =
                HeaderMap::from_iter([(LOCATION, http::HeaderValue::from_bytes(location).unwrap())]);
            let next = follow(&Request::get("http://a/x"), StatusCode::FOUND, &headers, false);
            assert_eq!(next.unwrap().unwrap().url.as_str(), to);
        }
        let headers = HeaderMap::from_iter([(LOCATION, http::HeaderValue::from_bytes(b"//b\xe9/").unwrap())]);
        let refused = follow(&Request::get("http://a/x"), StatusCode::FOUND, &headers, false);
        assert!(matches!(refused, Err(Error::Redirect { .. })), "a host has no such bytes");
    }

    #[test]
    fn fragments_are_inherited() {
        leads("http://a/x#f", "/z", "http://a/z#f", true);
        leads("http://a/x#f", "/z#g", "http://a/z#g", true);
    }

    #[test]
    fn methods_change_as_the_status_says() {
        let method = |method, status| followed("http://a/", method, status, "/b").unwrap().unwrap().method;
        assert_eq!(method(Method::PUT, 303), Method::GET);
        assert_eq!(method(Method::HEAD, 303), Method::HEAD);
        assert_eq!(method(Method::POST, 301), Method::GET);
        assert_eq!(method(Method::PUT, 302), Method::PUT);
        assert_eq!(method(Method::POST, 307), Method::POST);
        assert_eq!(method(Method::POST, 308), Method::POST);
    }

    #[test]
    fn bodies_stay_with_their_method_and_origin() {
        let followed = |status, location: &str, body| {
            let request = Request::new(Method::POST, "http://a/").body(body);
            let request = request.header("Content-Type", "text/plain");
            let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
            follow(&request, StatusCode::from_u16(status).unwrap(), &headers, false)
        };
        let bytes = || RequestBody::bytes("x");
        for (status, has_body) in [(301, false), (302, false), (303, false), (307, true), (308, true)] {
            let next = followed(status, "/b", bytes()).unwrap().unwrap();
            assert_eq!(!next.body.is_nothing(), has_body, "{status}");
            assert_eq!(next.headers.contains_key("content-type"), has_body, "{status}");
        }
        assert!(matches!(followed(307, "http://b/", bytes()), Err(Error::Redirect { .. })));
        assert!(followed(303, "http://b/", bytes()).unwrap().unwrap().body.is_nothing());
        assert!(
            followed(307, "http://b/", RequestBody::default()).is_ok(),
            "without a body there is nothing to keep"
        );
        let spent = RequestBody::reader(std::io::empty());
        assert!(followed(307, "/b", spent.clone()).is_ok());
        drop(haul_io::run_ready(spent.open(&haul_io::Blocking::new(haul_io::Cancel::new().unwrap()))));
        assert!(matches!(followed(307, "/b", spent), Err(Error::BodySpent)));
    }

    #[test]
    fn what_chooses_the_representation_goes_along_and_who_asks_does_not() {
        let mut request = Request::get("https://a/x");
        for (name, value) in [
            ("Range", "bytes=5-"),
            ("If-Range", "\"a\""),
            ("If-None-Match", "\"a\""),
            ("Cache-Control", "no-cache"),
            ("Accept-Encoding", "identity"),
            ("Referer", "https://a/"),
            ("Cookie", "a=b"),
        ] {
            request = request.header(name, value);
        }
        let follow = |request: &Request, to: &str| {
            let headers = HeaderMap::from_iter([(LOCATION, to.parse().unwrap())]);
            follow(request, StatusCode::FOUND, &headers, false).unwrap().unwrap()
        };
        let (same, other) = (follow(&request, "/y"), follow(&request, "https://b/y"));
        assert!(same.headers == request.headers && same.shows_identity());
        let mut names: Vec<_> = other.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept-encoding", "cache-control", "if-none-match", "if-range", "range"]);
        assert!(!other.shows_identity(), "its server isn't shown the client's certificate");
        assert!(follow(&other, "https://a/x").shows_identity(), "the origin that the caller named");
    }

    #[test]
    fn other_redirects_are_refused_or_ignored() {
        for location in
            ["ftp://a/", "file:///etc/passwd", "http://u:p@a/", "http://[::1", "http://\u{e9}\u{0}/"]
        {
            if let Ok(value) = location.parse::<http::HeaderValue>() {
                let headers = HeaderMap::from_iter([(LOCATION, value)]);
                let request = Request::get("http://a/");
                let refused = follow(&request, StatusCode::FOUND, &headers, false);
                assert!(matches!(refused, Err(Error::Redirect { .. })), "{location}");
            }
        }
        assert!(matches!(followed("https://a/", Method::GET, 302, "http://a/"), Err(Error::Redirect { .. })));
        assert!(followed("http://a/", Method::GET, 304, "/b").unwrap().is_none());
        let request = Request::get("http://a/");
        assert!(follow(&request, StatusCode::FOUND, &HeaderMap::new(), false).unwrap().is_none());
        assert!(followed("http://a/", Method::GET, 302, " ").unwrap().is_none());
    }
}
