//! Client certificates, Unix domain sockets, name resolution.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul_fetch::{Client, ClientIdentity, Config, Error, HostOverride, Names, NamesLimits, Request, Trust};
use haul_testkit::{Answer, Server, Tls};

fn client(config: Config) -> Client {
    Client::new(config).unwrap()
}

fn get(server: &Server, path: &str) -> Request {
    Request::get(server.url(path))
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn a_client_presents_its_certificate_if_asked() {
    let tls = Tls::good().require_client();
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = tls.client_pem();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("ca"), tls.ca_pem()).unwrap();
    std::fs::write(path("cert"), &certificate).unwrap();
    std::fs::write(path("key"), &key).unwrap();
    std::fs::write(path("both"), certificate + &key).unwrap();
    std::fs::write(path("other-key"), Tls::good().client_pem().1).unwrap();
    let server = Server::builder().tls(tls).start(|_| Answer::ok("known"));
    let fetch = |files: Option<(&str, &str)>| {
        let client_identity = files
            .map(|(certificates, key)| ClientIdentity { certificates: path(certificates), key: path(key) });
        let config = Config { trust: Trust::File(path("ca")), client_identity, ..Config::default() };
        client(config).fetch(get(&server, "/"))
    };
    assert_eq!(fetch(Some(("cert", "key"))).unwrap().body, b"known");
    assert_eq!(fetch(Some(("both", "both"))).unwrap().body, b"known");
    assert!(matches!(fetch(None), Err(Error::Tls(_) | Error::Transport(_))), "the server refuses strangers");
    for files in
        [("missing", "key"), ("key", "key"), ("cert", "missing"), ("cert", "cert"), ("cert", "other-key")]
    {
        assert!(matches!(fetch(Some(files)), Err(Error::ClientIdentity(_))), "{files:?}");
    }
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn a_client_shows_its_certificate_only_to_the_origin_that_the_user_named() {
    let tls = Tls::good().require_client();
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = tls.client_pem();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("ca"), tls.ca_pem()).unwrap();
    std::fs::write(path("both"), certificate + &key).unwrap();
    let server = Server::builder().tls(tls).start(|request| match request.path() {
        "/same" => Answer::redirect(302, "/known"),
        "/other" => {
            let port = request.header("host").unwrap().rsplit(':').next().unwrap();
            Answer::redirect(302, &format!("https://localhost:{port}/known"))
        }
        _ => Answer::ok("known"),
    });
    let identity = ClientIdentity { certificates: path("both"), key: path("both") };
    let config =
        Config { trust: Trust::File(path("ca")), client_identity: Some(identity), ..Config::default() };
    let client = client(config);
    assert_eq!(client.fetch(get(&server, "/same")).unwrap().body, b"known");
    // Not even where a connection that has shown it is idle.
    let by_name = format!("https://localhost:{}/known", server.address().port());
    assert_eq!(client.fetch(Request::get(&by_name)).unwrap().body, b"known");
    let refused = client.fetch(get(&server, "/other"));
    assert!(matches!(refused, Err(Error::Tls(_) | Error::Transport(_))), "{refused:?}");
}

/// Answers one request on a Unix domain socket; returns its text.
fn serve_locally(path: &Path) -> std::thread::JoinHandle<String> {
    use std::io::{Read, Write};
    let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            asked.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlocal").unwrap();
        String::from_utf8(asked).unwrap()
    })
}

#[test]
fn a_unix_socket_replaces_every_host() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let served = serve_locally(&path);
    let proxies = haul_fetch::Proxies::all("never.invalid".parse().unwrap());
    let config = Config { unix_socket: Some(path.clone()), proxies, ..Config::default() };
    let response = client(config.clone()).fetch(Request::get("http://one.invalid/x")).unwrap();
    assert_eq!(response.body, b"local");
    assert!(served.join().unwrap().starts_with("GET /x HTTP/1.1\r\nHost: one.invalid\r\n"));
    let gone = client(config).fetch(Request::get("http://one.invalid/x")).unwrap_err();
    assert!(matches!(gone, Error::Connect(_)), "{gone}");
}

#[test]
fn concurrent_requests_resolve_a_name_once() {
    let server = Server::start(|request| Answer::ok(request.path()));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let resolver = move |name: &str| {
        counted.fetch_add(1, Ordering::SeqCst);
        assert_eq!(name, "site.test", "what is known isn't looked up");
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))])
    };
    let names = Names::new(resolver, || Duration::ZERO, NamesLimits::default());
    let port = server.address().port();
    let known =
        HostOverride { host: "known.test".to_owned(), port, addresses: vec![Ipv4Addr::LOCALHOST.into()] };
    let config = Config {
        names,
        host_overrides: vec![known],
        idle_connections_max: 0,
        workers: 8,
        ..Config::default()
    };
    let url = |host: &str, index: usize| format!("http://{host}:{port}/{index}");
    // Two clients with one configuration share the cache.
    for _ in 0..2 {
        let client = Client::new(config.clone()).unwrap();
        let requests = (0..500).map(|index| Request::get(url("site.test", index)));
        assert!(client.fetch_each(requests).all(|(_, result)| result.is_ok()));
        client.fetch(Request::get(url("known.test", 0))).unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn what_a_build_lacks_is_named_before_anything_is_connected() {
    let server = Server::start(|_| Answer::ok("x"));
    let address = server.address();
    let through = |scheme: &str| {
        let proxies = haul_fetch::Proxies::all(format!("{scheme}://{address}").parse().unwrap());
        Config { proxies, ..Config::default() }
    };
    let plain = "http://one.invalid/".to_owned();
    for (config, url, feature, is_built) in [
        (Config::default(), format!("https://{address}/"), "tls", cfg!(feature = "tls")),
        (through("https"), plain.clone(), "tls", cfg!(feature = "tls")),
        (through("socks5"), plain.clone(), "socks", cfg!(feature = "socks")),
        (through("socks5h"), plain, "socks", cfg!(feature = "socks")),
    ] {
        if !is_built {
            let error = client(config).fetch(Request::get(&url)).unwrap_err();
            assert!(matches!(error, Error::NotBuilt { feature: named } if named == feature), "{error}");
        }
    }
    assert_eq!(server.connection_count(), 0);
    let error = Error::NotBuilt { feature: "tls" };
    assert_eq!(error.to_string(), "this needs the feature `tls` of haul-fetch");
}
