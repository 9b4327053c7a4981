//! The client's certificate, and who gets to see it, against scripted servers.

use std::path::Path;

use haul_fetch::{Client, ClientIdentity, Config, Error, Request, Trust};
use haul_testkit::{Answer, Server, Tls};

/// A client with the certificate `pem`.
fn client(dir: &Path, pem: &(String, String)) -> Client {
    let path = dir.join("client.pem");
    std::fs::write(&path, format!("{}{}", pem.0, pem.1)).unwrap();
    let identity = ClientIdentity { certificates: path.clone(), key: path };
    Client::new(Config { client_identity: Some(identity), trust: Trust::Anything, ..Config::default() })
        .unwrap()
}

fn get(client: &Client, url: &str) -> Result<String, Error> {
    let response = client.fetch(Request::get(url))?;
    Ok(String::from_utf8(response.body).unwrap())
}

#[test]
fn a_redirect_to_another_origin_does_not_show_the_client_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::good().require_client();
    let pem = tls.client_pem();
    // All servers trust the same certificate, so that only the client decides.
    let other = Server::builder().tls(Tls::good().require_client_of(&tls)).start(|_| Answer::ok("the other"));
    let open = Server::builder().tls(Tls::good()).start(|_| Answer::ok("open"));
    let (to_other, to_open) = (other.url("/x"), open.url("/x"));
    let named = Server::builder().tls(tls).start(move |request| match request.path() {
        "/other" => Answer::redirect(302, &to_other),
        "/open" => Answer::redirect(302, &to_open),
        _ => Answer::ok("named"),
    });
    let fresh = || client(dir.path(), &pem);
    assert_eq!(get(&fresh(), &named.url("/")).unwrap(), "named");
    assert_eq!(get(&fresh(), &named.url("/open")).unwrap(), "open");
    assert!(get(&fresh(), &named.url("/other")).is_err(), "the other origin asks for a certificate");
    assert!(other.requests().is_empty());
    // Nor does the redirect use a connection on which the certificate was shown.
    let client = fresh();
    assert_eq!(get(&client, &other.url("/")).unwrap(), "the other");
    assert!(get(&client, &named.url("/other")).is_err());
    assert_eq!(get(&client, &other.url("/")).unwrap(), "the other");
    assert_eq!(other.requests().len(), 2);
}

#[test]
fn the_named_origin_sees_the_certificate_again() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::good().require_client();
    let pem = tls.client_pem();
    let login = Server::builder()
        .tls(Tls::good())
        .start(|request| Answer::redirect(302, request.target.split_once("?to=").expect("the way back").1));
    let login_url = login.url("/");
    let named = Server::builder().tls(tls).start(move |request| match request.path() {
        "/" => Answer::redirect(302, &format!("{login_url}?to={}", request.header("x-back").unwrap_or("/"))),
        _ => Answer::ok("back"),
    });
    let request = Request::get(named.url("/")).header("X-Back", &named.url("/back"));
    assert_eq!(client(dir.path(), &pem).fetch(request).unwrap().body, b"back");
    let back = named.requests().pop().unwrap();
    assert_eq!((back.path(), back.header("x-back")), ("/back", None), "fields don't come back");
}
