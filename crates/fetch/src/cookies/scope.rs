//! The scope of a cookie: hosts and paths.
//!
//! Owns: matching domains and paths, public suffixes, the default path.
//! Does not own: cookies ([`super::cookie`]).
//!
//! Source: RFC 6265bis, sections 5.1.3 (domains) and 5.1.4 (paths); publicsuffix.org.

use std::net::Ipv4Addr;

use url::{Host, Url};

/// Whether `host`, as in a URL, is an IP address.
pub(super) fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

/// Whether nobody between this machine and the server of `url` can read or change what is sent: over https, or to this
/// machine itself (RFC 6265bis section 5.8.3 leaves that to the client).
pub(super) fn is_secure(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
}

/// Whether `host` is `domain` or a name below it.
pub(super) fn domain_matches(host: &str, domain: &str) -> bool {
    let above = host.strip_suffix(domain);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.') && !is_address(host))
}

/// Whether the names below `domain` may belong to different owners. An unlisted name of one label is a public suffix.
pub(super) fn is_public_suffix(domain: &str) -> bool {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    !is_address(domain) && psl::suffix_str(domain).is_none_or(|suffix| suffix == domain)
}

/// The registrable domain of `host`, or `host` itself if it has none.
pub(super) fn site(host: &str) -> &str {
    if is_address(host) { host } else { psl::domain_str(host).unwrap_or(host) }
}

/// Whether `path` is `cookie_path` or is below it.
pub(super) fn path_matches(path: &[u8], cookie_path: &[u8]) -> bool {
    let below = path.strip_prefix(cookie_path);
    below.is_some_and(|below| below.is_empty() || cookie_path.ends_with(b"/") || below[0] == b'/')
}

/// The path of a cookie without a path attribute: everything before the last slash.
pub(super) fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(last) => &path[..last],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_secure_without_tls() {
        for (url, secure) in [
            ("https://h/", true),
            ("http://h/", false),
            ("http://127.3.2.1/", true),
            ("http://[::1]/", true),
            ("http://localhost:8080/", true),
            ("http://a.localhost/", true),
            ("http://localhost.example/", false),
            ("http://128.0.0.1/", false),
        ] {
            assert_eq!(is_secure(&Url::parse(url).unwrap()), secure, "{url}");
        }
    }

    #[test]
    fn domains_match_at_dots() {
        for (host, domain, matches) in [
            ("example.org", "example.org", true),
            ("www.example.org", "example.org", true),
            ("badexample.org", "example.org", false),
            ("example.org", "www.example.org", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "0.0.1", false),
            ("[::1]", "[::1]", true),
        ] {
            assert_eq!(domain_matches(host, domain), matches, "{host} and {domain}");
        }
    }

    #[test]
    fn suffixes_are_those_of_the_list() {
        for domain in
            ["com", "co.uk", "github.io", "com.", "localhost", "b.ck", "xn--55qx5d.cn", "s3.amazonaws.com"]
        {
            assert!(is_public_suffix(domain), "{domain}");
        }
        for domain in
            ["example.com", "example.co.uk", "me.github.io", "www.ck", "127.0.0.1", "1.2.3.4", "[::1]"]
        {
            assert!(!is_public_suffix(domain), "{domain}");
        }
        assert_eq!(site("a.b.example.co.uk"), "example.co.uk");
        assert_eq!((site("co.uk"), site("10.0.0.1"), site("localhost")), ("co.uk", "10.0.0.1", "localhost"));
    }

    #[test]
    fn paths_match_at_slashes() {
        for (path, cookie_path, matches) in [
            ("/", "/", true),
            ("/a", "/", true),
            ("/a", "/a", true),
            ("/a/b", "/a", true),
            ("/a/b", "/a/", true),
            ("/ab", "/a", false),
            ("/a", "/a/", false),
            ("/", "/a", false),
        ] {
            assert_eq!(
                path_matches(path.as_bytes(), cookie_path.as_bytes()),
                matches,
                "{path} and {cookie_path}"
            );
        }
        for (path, default) in [("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b", "/a"), ("", "/")] {
            assert_eq!(default_path(path), default, "{path}");
        }
    }
}
