//! The choice of a proxy for each request.
//!
//! Owns: the URLs of proxies, which requests use which proxy, the hosts that bypass it.
//! Does not own: the protocols of proxies ([`crate::route::tunnel`], [`crate::route::socks`]), the environment (the
//! program reads it).
//!
//! Source: curl's manual ("Environment" and `--noproxy`), as there is no other standard.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// A proxy. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy(Arc<Inner>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Inner {
    /// Where the caller's user set it.
    setting: String,
    kind: ProxyKind,
    host: Host<String>,
    port: u16,
    /// User name and password.
    credentials: Option<(String, String)>,
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyKind {
    /// HTTP: absolute URLs for http, CONNECT for https.
    Http,
    /// HTTP over TLS; the certificate must be valid for the proxy's name.
    Https,
    /// SOCKS 5, with addresses resolved by the client.
    Socks5,
    /// SOCKS 5, with names resolved by the proxy.
    Socks5h,
}

impl ProxyKind {
    /// Whether the proxy forwards requests, and not only bytes.
    pub(crate) fn reads_requests(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

/// A text that doesn't name a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadProxy;

/// The proxies for each scheme. Defaults to none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The proxy for http URLs.
    pub http: Option<Proxy>,
    /// The proxy for https URLs.
    pub https: Option<Proxy>,
    /// Hosts that are reached without a proxy.
    pub bypass: Bypass,
}

/// Hosts that are reached without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bypass(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    All,
    /// This name and all names below it, in lower case.
    Domain(String),
    /// The network with this prefix, of so many bits.
    Network(IpAddr, u8),
}

/// The default port of a proxy, as in curl.
const PORT_DEFAULT: u16 = 1080;
/// The default port of a proxy over TLS.
const TLS_PORT_DEFAULT: u16 = 443;

impl Proxy {
    /// The protocol.
    pub fn kind(&self) -> ProxyKind {
        self.0.kind
    }

    /// The same proxy, with the name of the setting that it comes from, for messages.
    pub fn set_by(self, setting: impl Into<String>) -> Self {
        Self(Arc::new(Inner { setting: setting.into(), ..(*self.0).clone() }))
    }

    /// The name of the setting that it comes from; empty if none was given.
    pub fn setting(&self) -> &str {
        &self.0.setting
    }

    /// The host and port.
    pub fn address(&self) -> String {
        format!("{}:{}", self.0.host, self.0.port)
    }

    pub(crate) fn host(&self) -> &Host<String> {
        &self.0.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        self.0.credentials.as_ref().map(|(name, password)| (name.as_str(), password.as_str()))
    }

    /// The value of Proxy-Authorization (RFC 9110, section 11.7.1), by the scheme Basic (RFC 7617).
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let (name, password) = self.credentials()?;
        let credentials = BASE64_STANDARD.encode(format!("{name}:{password}"));
        let mut value = HeaderValue::try_from(format!("Basic {credentials}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl FromStr for Proxy {
    type Err = BadProxy;

    /// `[http|https|socks5|socks5h]://[NAME:PASSWORD@]HOST[:PORT]`. The scheme defaults to http; the port defaults to
    /// 1080, for https to 443.
    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let (scheme, rest) = text.split_once("://").ok_or(BadProxy)?;
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "http" => ProxyKind::Http,
            "https" => ProxyKind::Https,
            "socks5" => ProxyKind::Socks5,
            "socks5h" => ProxyKind::Socks5h,
            _ => return Err(BadProxy),
        };
        // Parsed under another scheme with the same syntax of hosts, whose default port no proxy URL is likely to name.
        let url = Url::parse(&format!("ftp://{rest}")).map_err(|_| BadProxy)?;
        let says_port = rest.split(['/', '?', '#']).next().unwrap_or(rest).ends_with(":21");
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(BadProxy);
        }
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().map_err(|_| BadProxy)?;
            if text.chars().any(char::is_control) { Err(BadProxy) } else { Ok(text.into_owned()) }
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (name, password) => Some((decoded(name)?, decoded(password.unwrap_or_default())?)),
        };
        let host = url.host().ok_or(BadProxy)?.to_owned();
        let default = if kind == ProxyKind::Https { TLS_PORT_DEFAULT } else { PORT_DEFAULT };
        let port = url.port().unwrap_or(if says_port { 21 } else { default });
        Ok(Self(Arc::new(Inner { setting: String::new(), kind, host, port, credentials })))
    }
}

impl fmt::Display for BadProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a proxy is http://, https://, socks5:// or socks5h://, then [NAME:PASSWORD@]HOST[:PORT]")
    }
}

impl std::error::Error for BadProxy {}

impl fmt::Debug for Proxy {
    /// Without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} proxy {}:{}", self.0.kind, self.0.host, self.0.port)
    }
}

impl Proxies {
    /// Uses `proxy` for all schemes.
    pub fn all(proxy: Proxy) -> Self {
        Self { http: Some(proxy.clone()), https: Some(proxy), bypass: Bypass::default() }
    }

    /// The proxy for `url`.
    pub fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = self.of_scheme(url.scheme() == "https");
        proxy.filter(|_| !url.host().is_some_and(|host| self.bypass.has(&host)))
    }

    /// The proxy for URLs of `host`.
    pub(crate) fn of_host(&self, tls: bool, host: &Host<String>) -> Option<&Proxy> {
        self.of_scheme(tls).filter(|_| !self.bypass.has(host))
    }

    fn of_scheme(&self, tls: bool) -> Option<&Proxy> {
        if tls { self.https.as_ref() } else { self.http.as_ref() }
    }
}

impl Bypass {
    /// Parses a list of names, addresses and networks (`10.0.0.0/8`), separated by commas or blanks. A name includes
    /// all names below it, with or without a leading dot; a single `*` includes all hosts. Words that can't be parsed
    /// are ignored.
    pub fn parse(text: &str) -> Self {
        let words = text.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        Self(if text.trim() == "*" { vec![Rule::All] } else { words.filter_map(Rule::parse).collect() })
    }

    /// Whether `host` is reached without a proxy.
    pub fn has<S: AsRef<str>>(&self, host: &Host<S>) -> bool {
        self.0.iter().any(|rule| match (rule, host) {
            (Rule::All, _) => true,
            (Rule::Domain(domain), Host::Domain(name)) => is_below(name.as_ref(), domain),
            (Rule::Network(network, bits), Host::Ipv4(address)) => {
                same_bits((*address).into(), *network, *bits)
            }
            (Rule::Network(network, bits), Host::Ipv6(address)) => {
                same_bits((*address).into(), *network, *bits)
            }
            _ => false,
        })
    }
}

impl Rule {
    fn parse(word: &str) -> Option<Self> {
        let (address, bits) = match word.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (word, None),
        };
        match address.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => {
                let bits_max = if address.is_ipv4() { 32 } else { 128 };
                let bits = bits.unwrap_or(bits_max);
                (bits <= bits_max).then_some(Self::Network(address, bits))
            }
            Err(_) if bits.is_some() => None,
            Err(_) => {
                let domain = word.strip_prefix('.').unwrap_or(word);
                let domain = domain.strip_suffix('.').unwrap_or(domain);
                (!domain.is_empty()).then(|| Self::Domain(domain.to_ascii_lowercase()))
            }
        }
    }
}

/// Whether `name` is `domain`, or a name below it.
fn is_below(name: &str, domain: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let above = name.strip_suffix(domain);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

fn same_bits(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let differing = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(one.to_bits() ^ other.to_bits()) << 96,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        _ => return false,
    };
    differing.leading_zeros() >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read() {
        for (text, kind, host, port, credentials) in [
            ("http://p:8080", ProxyKind::Http, "p", 8080, None),
            ("http://p:80/", ProxyKind::Http, "p", 80, None),
            ("http://p:21", ProxyKind::Http, "p", 21, None),
            ("p", ProxyKind::Http, "p", 1080, None),
            ("HTTPS://me:x@p", ProxyKind::Https, "p", 443, Some(("me", "x"))),
            ("https://p:8443", ProxyKind::Https, "p", 8443, None),
            ("10.0.0.1:3128", ProxyKind::Http, "10.0.0.1", 3128, None),
            ("SOCKS5://[::1]:9", ProxyKind::Socks5, "[::1]", 9, None),
            ("socks5h://a%40b:c%3Ad@p", ProxyKind::Socks5h, "p", 1080, Some(("a@b", "c:d"))),
            ("u@p", ProxyKind::Http, "p", 1080, Some(("u", ""))),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            let found = (proxy.kind(), proxy.host().to_string(), proxy.port(), proxy.credentials());
            assert_eq!(found, (kind, host.to_owned(), port, credentials), "{text}");
        }
        for text in ["", "ftp://p", "socks4://p", "http://", "http://p/path", "http://p?x", "http://a%0a@p"] {
            assert_eq!(text.parse::<Proxy>(), Err(BadProxy), "{text}");
        }
        let secret: Proxy = "http://name:hush@p".parse().unwrap();
        assert_eq!(format!("{secret:?}"), "Http proxy p:1080");
    }

    #[test]
    fn hosts_are_exempt_as_curl_has_it() {
        for (list, host, exempt) in [
            ("", "a", false),
            ("*", "a", true),
            ("*,b", "a", false),
            ("example.org", "example.org", true),
            ("example.org", "www.example.org", true),
            ("example.org", "badexample.org", false),
            (".example.org", "example.org", true),
            (" a.b,\tEXAMPLE.org.", "WWW.Example.ORG", true),
            ("www.example.org", "example.org", false),
            ("localhost,127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "10.200.1.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("0.0.0.0/0", "9.9.9.9", true),
            ("0.0.0.0/0", "[::1]", false),
            ("::1", "[::1]", true),
            ("[fe80::]/10", "[fe80::5]", true),
            ("fe80::/10", "[fec0::5]", false),
            ("1", "11", false),
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(Bypass::parse(list).has(&url.host().unwrap()), exempt, "{list} and {host}");
        }
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let (one, other): (Proxy, Proxy) = ("one".parse().unwrap(), "socks5://other".parse().unwrap());
        let proxies =
            Proxies { http: Some(one.clone()), https: Some(other.clone()), bypass: Bypass::parse("b") };
        let of = |url| proxies.of(&Url::parse(url).unwrap()).cloned();
        assert_eq!((of("http://a"), of("https://a")), (Some(one.clone()), Some(other)));
        assert_eq!((of("http://b"), of("https://x.b")), (None, None));
        assert_eq!(Proxies::all(one.clone()).of(&Url::parse("https://a").unwrap()), Some(&one));
        assert_eq!(Proxies::default().of(&Url::parse("https://a").unwrap()), None);
    }
}
