//! Cookies between requests, against scripted servers.

use std::sync::Arc;
use std::time::SystemTime;

use haul_fetch::{Client, Config, CookieJar, HostOverride, Request, Trust};
use haul_testkit::{Answer, Server, Tls};

fn config(jar: &Arc<CookieJar>) -> Config {
    Config { cookies: Some(jar.clone()), trust: Trust::Anything, ..Config::default() }
}

fn jar() -> Arc<CookieJar> {
    Arc::new(CookieJar::new(SystemTime::now))
}

/// Returns the cookies of the request; sets those in the query; redirects from `/to?…`.
fn echo() -> Server {
    Server::start(|request| {
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        match request.path() {
            "/set" => Answer::ok("set").header("Set-Cookie", query).header("Set-Cookie", "other=2"),
            "/fail" => Answer::new(404).header("Set-Cookie", query),
            "/to" => Answer::redirect(302, query).header("Set-Cookie", "hop=1"),
            _ => Answer::ok(request.header_all("cookie").collect::<Vec<_>>().join(" | ")),
        }
    })
}

#[test]
fn a_cookie_is_sent_with_the_next_request() {
    let (server, jar) = (echo(), jar());
    let client = Client::new(config(&jar)).unwrap();
    let said = |path: &str| {
        let response = client.fetch(Request::get(server.url(path)));
        response.map_or_else(|error| error.to_string(), |response| String::from_utf8(response.body).unwrap())
    };
    assert_eq!(said("/"), "");
    let set = client.fetch(Request::get(server.url("/set?one=secret"))).unwrap();
    assert!(!format!("{:?}", set.headers).contains("secret"), "values aren't shown");
    assert_eq!(said("/"), "one=secret; other=2");
    assert_eq!(said("/fail?late=3"), "the server answered 404 Not Found");
    assert_eq!(said("/"), "one=secret; other=2; late=3");
    assert_eq!(said("/to?/"), "one=secret; other=2; late=3; hop=1", "a redirect sets cookies as well");
    // Another client with the same jar, and one without.
    let other = Client::new(config(&jar)).unwrap();
    let get = || Request::get(server.url("/"));
    assert_eq!(other.fetch(get()).unwrap().body, b"one=secret; other=2; late=3; hop=1");
    assert_eq!(Client::new(Config::default()).unwrap().fetch(get()).unwrap().body, b"");
}

#[test]
fn each_hop_has_the_cookies_of_its_own_host() {
    let (here, there, jar) = (echo(), echo(), jar());
    let known = |host: &str, server: &Server| HostOverride {
        host: host.to_owned(),
        port: server.address().port(),
        addresses: vec![server.address().ip()],
    };
    let host_overrides = vec![known("one.example", &here), known("two.example", &there)];
    let client = Client::new(Config { host_overrides, ..config(&jar) }).unwrap();
    let one = |path: &str| format!("http://one.example:{}{path}", here.address().port());
    let two = |path: &str| format!("http://two.example:{}{path}", there.address().port());
    let said = |url: String, own: Option<&str>| {
        let request = Request::get(&url);
        let request = own.map_or(request.clone(), |own| request.clone().header("Cookie", own));
        String::from_utf8(client.fetch(request).unwrap().body).unwrap()
    };
    said(one("/set?a=one"), None);
    said(two("/set?a=two"), None);
    let away = one(&format!("/to?{}", two("/")));
    assert_eq!(said(away.clone(), None), "a=two; other=2");
    assert_eq!(said(one("/"), Some("own=x")), "own=x", "what the user says stands for itself");
    assert_eq!(said(away, Some("own=x")), "a=two; other=2", "and stays with its origin");
    assert_eq!(said(one("/to?/"), Some("own=x")), "own=x");
    assert_eq!(said(one("/"), None), "a=one; other=2; hop=1");
    assert_eq!(here.requests().last().unwrap().header_all("cookie").count(), 1, "there is one field");
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn secure_cookies_are_sent_over_tls_and_to_this_machine() {
    let (plain, jar) = (echo(), jar());
    let secure = Server::builder().tls(Tls::good()).start(|request| match request.path() {
        "/set" => Answer::ok("set").header("Set-Cookie", "a=secret; Secure; Path=/"),
        _ => Answer::ok(request.header("cookie").unwrap_or_default()),
    });
    let client = Client::new(config(&jar)).unwrap();
    let said = |url: &str| client.fetch(Request::get(url)).unwrap().body;
    said(&secure.url("/set"));
    assert_eq!(said(&secure.url("/")), b"a=secret");
    assert_eq!(
        said(&plain.url("/")),
        b"a=secret",
        "the connection to this machine itself can't be read by others"
    );
    said(&plain.url("/set?a=bad;%20Path=/"));
    assert_eq!(said(&secure.url("/")), b"a=bad; other=2", "a server of this machine may replace it");
}

#[test]
fn secure_cookies_of_other_machines_never_leave_tls() {
    let (plain, jar) = (echo(), jar());
    jar.read(b"one.example\tFALSE\t/\tTRUE\t4102444800\ta\tsecret\n").unwrap();
    let host_overrides = vec![HostOverride {
        host: "one.example".to_owned(),
        port: plain.address().port(),
        addresses: vec![plain.address().ip()],
    }];
    let client = Client::new(Config { host_overrides, ..config(&jar) }).unwrap();
    let said = |path: &str| {
        let url = format!("http://one.example:{}{path}", plain.address().port());
        client.fetch(Request::get(&url)).unwrap().body
    };
    assert_eq!(said("/"), b"", "a port makes no other host, but the scheme counts");
    said("/set?a=bad;%20Path=/");
    assert_eq!(said("/"), b"other=2", "a response without TLS doesn't replace it");
}
