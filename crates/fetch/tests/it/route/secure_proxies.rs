//! Requests through scripted proxies over TLS. Only the proxy can resolve the origins' names.

use std::path::Path;

use haul_fetch::{Client, ClientIdentity, Config, Error, Proxies, ProxyError, Request, Trust};
use haul_testkit::{Answer, End, Fault, Server, Tls, seeded_bytes};

fn through(proxy: &Server, credentials: &str, trust: Trust) -> Config {
    let url = format!("https://{credentials}{}", proxy.address());
    Config { proxies: Proxies::all(url.parse().unwrap()), trust, ..Config::default() }
}

/// A proxy that opens tunnels to `origin`, and answers requests that it should forward with their target.
fn proxy(tls: Tls, origin: &Server) -> Server {
    let origin = origin.address();
    Server::builder().tls(tls).start(move |request| match request.method.as_str() {
        "CONNECT" => Answer::tunnel(origin),
        _ => Answer::ok(format!("passed on {}", request.target)),
    })
}

fn fetch(config: Config, url: &str) -> Result<String, Error> {
    let response = Client::new(config).unwrap().fetch(Request::get(url))?;
    Ok(String::from_utf8(response.body).unwrap())
}

/// Trusts the test authorities of all `servers`.
fn trust(dir: &Path, servers: &[&Server]) -> Trust {
    let path = dir.join("ca.pem");
    std::fs::write(&path, servers.iter().map(|server| server.ca_pem()).collect::<String>()).unwrap();
    Trust::File(path)
}

#[test]
fn tls_to_the_origin_runs_within_tls_to_the_proxy() {
    let body = seeded_bytes(3, 3_000_000);
    let sent = body.clone();
    let origin = Server::builder().tls(Tls::good()).start(move |request| match request.path() {
        "/chunked" => Answer::ok(sent.clone()).chunked(&[1, 70_000]),
        "/cut" => Answer::ok("cut").until_close().without_close_notify(),
        "/ends" => Answer::ok("ends").until_close(),
        _ => Answer::ok(request.body.clone()),
    });
    let proxy = proxy(Tls::good(), &origin);
    let client = Client::new(through(&proxy, "", Trust::Anything)).unwrap();
    let get = |path: &str| Request::get(format!("https://two.invalid{path}"));
    for path in ["/chunked", "/chunked"] {
        assert!(client.fetch(get(path)).unwrap().body == body);
    }
    let put = Request::new(haul_fetch::Method::PUT, "https://two.invalid/");
    let echoed = client.fetch(put.body(haul_fetch::RequestBody::bytes(body.clone()))).unwrap();
    assert!(echoed.body == body);
    assert_eq!((proxy.connection_count(), origin.connection_count()), (1, 1), "both are used again");
    assert_eq!(client.fetch(get("/ends")).unwrap().body, b"ends");
    assert!(matches!(client.fetch(get("/cut")), Err(Error::Protocol(_))), "the origin's own end counts");
    let (tunnel, inner) = (&proxy.requests()[0], &origin.requests()[0]);
    assert_eq!((tunnel.method.as_str(), tunnel.target.as_str()), ("CONNECT", "two.invalid:443"));
    assert_eq!((inner.target.as_str(), inner.header("host")), ("/chunked", Some("two.invalid")));
    let (outer_tls, inner_tls) = (tunnel.tls.as_ref().unwrap(), inner.tls.as_ref().unwrap());
    assert_eq!((outer_tls.alpn.as_deref(), outer_tls.name.as_deref()), (Some("http/1.1"), None));
    assert_eq!(
        (inner_tls.alpn.as_deref(), inner_tls.name.as_deref()),
        (Some("http/1.1"), Some("two.invalid"))
    );
}

#[test]
fn http_is_forwarded_within_tls_and_credentials_go_no_further() {
    let origin = Server::builder().tls(Tls::good()).start(|request| {
        assert_eq!(request.header("proxy-authorization"), None);
        Answer::ok("secret")
    });
    let address = origin.address();
    let proxy = Server::builder().tls(Tls::good()).start(move |request| {
        match request.header("proxy-authorization") {
            Some("Basic bWU6cEBzcw==") if request.method == "CONNECT" => Answer::tunnel(address),
            Some("Basic bWU6cEBzcw==") => Answer::ok(format!("passed on {}", request.target)),
            _ => Answer::new(407),
        }
    });
    let by = |credentials: &str, url: &str| fetch(through(&proxy, credentials, Trust::Anything), url);
    assert_eq!(by("me:p%40ss@", "http://one.invalid:81/a?b").unwrap(), "passed on http://one.invalid:81/a?b");
    assert_eq!(by("me:p%40ss@", "https://two.invalid/").unwrap(), "secret");
    let refused = by("me:wrong@", "https://two.invalid/").unwrap_err();
    assert!(
        matches!(refused, Error::Proxy(ProxyError::Status(status)) if status.as_u16() == 407),
        "{refused}"
    );
}

#[test]
fn each_certificate_must_match_its_own_name() {
    let dir = tempfile::tempdir().unwrap();
    let origin = |fault| Server::builder().tls(Tls::with(fault)).start(|_| Answer::ok("secret"));
    // The origin's certificate is for elsewhere.example, as requested; the proxy's is for its address.
    let elsewhere = origin(Fault::WrongName);
    let good = proxy(Tls::good(), &elsewhere);
    let config = through(&good, "", trust(dir.path(), &[&elsewhere, &good]));
    assert_eq!(fetch(config.clone(), "https://elsewhere.example/").unwrap(), "secret");
    assert!(matches!(fetch(config, "https://127.0.0.1/"), Err(Error::Tls(_))));
    // Now the proxy's certificate is for elsewhere.example, which is right for the origin only.
    let here = origin(Fault::None);
    let bad = proxy(Tls::with(Fault::WrongName), &here);
    let config = through(&bad, "", trust(dir.path(), &[&here, &bad]));
    for url in ["https://127.0.0.1/", "https://elsewhere.example/", "http://elsewhere.example/"] {
        let error = fetch(config.clone(), url).unwrap_err();
        assert!(matches!(error, Error::ProxyTls(_)), "{url}: {error}");
        assert!(error.to_string().starts_with("TLS to the proxy: "), "{error}");
    }
    assert!(bad.requests().is_empty(), "nothing was asked of it, credentials neither");
}

#[test]
fn the_client_certificate_is_for_origins_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("both");
    let fetch_with = |proxy: &Server, (certificate, key): (String, String)| {
        std::fs::write(&path, certificate + &key).unwrap();
        let identity = ClientIdentity { certificates: path.clone(), key: path.clone() };
        let config = Config { client_identity: Some(identity), ..through(proxy, "", Trust::Anything) };
        fetch(config, "https://two.invalid/")
    };
    let tls = Tls::good().require_client();
    let identity = tls.client_pem();
    let origin = Server::builder().tls(tls).start(|_| Answer::ok("known"));
    assert_eq!(fetch_with(&proxy(Tls::good(), &origin), identity).unwrap(), "known");
    // A proxy that would accept the certificate, for an origin that doesn't ask for one.
    let curious = Tls::good().require_client();
    let identity = curious.client_pem();
    let open = Server::builder().tls(Tls::good()).start(|_| Answer::ok("open"));
    let error = fetch_with(&proxy(curious, &open), identity).unwrap_err();
    assert!(matches!(error, Error::ProxyTls(_) | Error::Connect(_)), "{error}");
}

#[test]
fn a_proxy_without_tls_is_reported() {
    let plain = Server::start(|_| Answer::raw("HTTP/1.1 400 No\r\n\r\n").then(End::Close));
    let config = Config {
        connect_timeout: std::time::Duration::from_millis(200),
        ..through(&plain, "", Trust::Anything)
    };
    let error = fetch(config, "https://two.invalid/").unwrap_err();
    assert!(matches!(error, Error::ProxyTls(_) | Error::Connect(_) | Error::Timeout(_)), "{error}");
}
