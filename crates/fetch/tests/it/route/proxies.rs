//! Requests through scripted proxies. Only the proxy can resolve the origins' names.

use haul_fetch::{Client, Config, Error, Proxies, ProxyError, Request, Trust};
use haul_testkit::{Answer, End, Fault, Server, Socks, Tls};

fn through(proxy: &str) -> Config {
    Config { proxies: Proxies::all(proxy.parse().unwrap()), trust: Trust::Anything, ..Config::default() }
}

fn fetch(config: Config, url: &str) -> Result<String, Error> {
    let response = Client::new(config).unwrap().fetch(Request::get(url))?;
    Ok(String::from_utf8(response.body).unwrap())
}

/// A proxy that opens tunnels to `origin`, and answers requests that it should forward with their target.
fn proxy(origin: std::net::SocketAddr) -> Server {
    Server::start(move |request| match request.method.as_str() {
        "CONNECT" => Answer::tunnel(origin),
        _ => Answer::ok(format!("passed on {}", request.target)),
    })
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn http_is_forwarded_and_https_is_tunnelled() {
    let origin = Server::builder().tls(Tls::good()).start(|_| Answer::ok("secret"));
    let proxy = proxy(origin.address());
    let url = format!("http://{}", proxy.address());
    assert_eq!(
        fetch(through(&url), "http://one.invalid:81/a?b#c").unwrap(),
        "passed on http://one.invalid:81/a?b"
    );
    assert_eq!(fetch(through(&url), "https://two.invalid/").unwrap(), "secret");
    let [passed, tunnel] = proxy.requests().try_into().unwrap();
    assert_eq!((passed.header("host"), passed.header("proxy-authorization")), (Some("one.invalid:81"), None));
    assert_eq!((tunnel.target.as_str(), tunnel.header("host")), ("two.invalid:443", Some("two.invalid:443")));
    let [inner] = origin.requests().try_into().unwrap();
    assert_eq!((inner.target.as_str(), inner.header("host")), ("/", Some("two.invalid")));
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn certificates_must_be_those_of_the_origin() {
    let tls = Tls::with(Fault::WrongName);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ca.pem"), tls.ca_pem()).unwrap();
    let origin = Server::builder().tls(tls).start(|_| Answer::ok("secret"));
    let proxy = proxy(origin.address());
    let config = Config {
        trust: Trust::File(dir.path().join("ca.pem")),
        ..through(&format!("http://{}", proxy.address()))
    };
    assert_eq!(fetch(config.clone(), "https://elsewhere.example/").unwrap(), "secret");
    assert!(matches!(fetch(config, "https://127.0.0.1/"), Err(Error::Tls(_))));
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn proxy_credentials_go_to_the_proxy_only() {
    let origin = Server::builder().tls(Tls::good()).start(|request| {
        assert_eq!(request.header("proxy-authorization"), None);
        Answer::ok("secret")
    });
    let (direct, address) = (
        Server::start(|request| {
            assert_eq!(request.header("proxy-authorization"), None);
            Answer::ok("direct")
        }),
        origin.address(),
    );
    let away = direct.url("/");
    let proxy = Server::start(move |request| match request.header("proxy-authorization") {
        Some("Basic bWU6cEBzcw==") if request.method == "CONNECT" => Answer::tunnel(address),
        Some("Basic bWU6cEBzcw==") => Answer::redirect(302, &away),
        _ => Answer::new(407),
    });
    let with = |credentials: &str| through(&format!("http://{credentials}{}", proxy.address()));
    assert_eq!(fetch(with("me:p%40ss@"), "https://two.invalid/").unwrap(), "secret");
    let mut config = with("me:p%40ss@");
    config.proxies.bypass = haul_fetch::Bypass::parse("127.0.0.1");
    assert_eq!(fetch(config, "http://one.invalid/").unwrap(), "direct", "beyond a redirect, past the proxy");
    let refused = fetch(with("me:wrong@"), "https://two.invalid/").unwrap_err();
    assert!(
        matches!(refused, Error::Proxy(ProxyError::Status(status)) if status.as_u16() == 407),
        "{refused}"
    );
    assert!(
        matches!(fetch(with(""), "http://one.invalid/"), Err(Error::Status(answer)) if answer.status.as_u16() == 407)
    );
    assert!(Request::get("http://a/").header("Proxy-Authorization", "Basic x").checked().is_err());
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn a_refused_connect_opens_no_tunnel() {
    for (answer, malformed) in [
        (Answer::new(502), false),
        (Answer::raw("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), true),
        (Answer::redirect(302, "https://elsewhere.invalid/"), false),
    ] {
        let proxy = Server::start(move |_| answer.clone());
        let error =
            fetch(through(&format!("http://{}", proxy.address())), "https://two.invalid/").unwrap_err();
        match error {
            Error::Proxy(ProxyError::Malformed) => assert!(malformed),
            Error::Proxy(ProxyError::Status(_)) => assert!(!malformed),
            other => panic!("{other}"),
        }
    }
    let silent = Server::start(|_| Answer::nothing(End::Close));
    let error = fetch(through(&format!("http://{}", silent.address())), "https://two.invalid/").unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error}");
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn connections_are_reused_for_the_same_route_only() {
    let origin = Server::builder().tls(Tls::good()).start(|request| Answer::ok(request.path()));
    let proxy = proxy(origin.address());
    let client = Client::new(through(&format!("http://{}", proxy.address()))).unwrap();
    let get = |url: &str| client.fetch(Request::get(url)).unwrap();
    for url in ["http://one.invalid/", "http://two.invalid/", "http://one.invalid/"] {
        get(url);
    }
    assert_eq!(proxy.connection_count(), 1, "what a proxy passes on shares its connection");
    for url in ["https://one.invalid/", "https://one.invalid/", "https://two.invalid/"] {
        get(url);
    }
    assert_eq!(proxy.connection_count(), 3, "a tunnel belongs to its origin");
    assert_eq!(origin.connection_count(), 2);
    // The same origin by another route, in the same client: the bypass list affects one host only.
    let plain = Server::start(|_| Answer::ok("plain"));
    let mut config = through(&format!("http://{}", proxy.address()));
    config.proxies.bypass = haul_fetch::Bypass::parse("127.0.0.1");
    let client = Client::new(config).unwrap();
    assert_eq!(client.fetch(Request::get(plain.url("/"))).unwrap().body, b"plain");
    assert_eq!((plain.connection_count(), proxy.connection_count()), (1, 3));
}

#[test]
#[cfg_attr(not(all(feature = "tls", feature = "socks")), ignore = "needs `tls` and `socks`")]
fn socks_connects_to_names_and_addresses() {
    let origin = Server::start(|_| Answer::ok("behind"));
    let secure = Server::builder().tls(Tls::good()).start(|_| Answer::ok("secret behind"));
    for (server, scheme, said) in [(&origin, "http", "behind"), (&secure, "https", "secret behind")] {
        let open = Socks::start(server.address());
        let by_name = through(&format!("socks5h://{}", open.address()));
        assert_eq!(fetch(by_name.clone(), &format!("{scheme}://one.invalid:99/")).unwrap(), said);
        let here = through(&format!("socks5://{}", open.address()));
        assert!(matches!(fetch(here.clone(), &format!("{scheme}://one.invalid/")), Err(Error::Resolve(_))));
        let known = haul_fetch::HostOverride {
            host: "one.invalid".to_owned(),
            port: 99,
            addresses: vec!["10.1.2.3".parse().unwrap()],
        };
        let here = Config { host_overrides: vec![known], ..here };
        assert_eq!(fetch(here, &format!("{scheme}://one.invalid:99/")).unwrap(), said);
        assert_eq!(fetch(by_name, &format!("{scheme}://[::5]:99/")).unwrap(), said);
        assert_eq!(open.asked(), ["one.invalid:99", "10.1.2.3:99", "[::5]:99"]);
    }
}

#[test]
#[cfg_attr(not(feature = "socks"), ignore = "needs the feature `socks`")]
fn socks_authenticates_and_reports_failures() {
    let origin = Server::start(|request| {
        assert_eq!(request.header("proxy-authorization"), None);
        Answer::ok("behind")
    });
    let proxy = Socks::with_credentials(origin.address(), "me", "p@ss");
    let by = |credentials: &str| {
        fetch(through(&format!("socks5h://{credentials}{}", proxy.address())), "http://a.invalid/")
    };
    assert_eq!(by("me:p%40ss@").unwrap(), "behind");
    assert!(matches!(by("me:wrong@"), Err(Error::Proxy(ProxyError::Denied))));
    assert!(matches!(by(""), Err(Error::Proxy(ProxyError::Denied))));
    let refusing = Socks::refusing(2);
    let error =
        fetch(through(&format!("socks5h://{}", refusing.address())), "http://a.invalid/").unwrap_err();
    assert_eq!(error.to_string(), "the proxy doesn't allow it");
    let no_socks = Server::start(|_| Answer::ok("x"));
    let config = Config {
        connect_timeout: std::time::Duration::from_millis(100),
        ..through(&format!("socks5h://{}", no_socks.address()))
    };
    let error = fetch(config, "http://a.invalid/").unwrap_err();
    assert!(matches!(error, Error::Timeout(_) | Error::Proxy(_) | Error::Connect(_)), "{error}");
}
