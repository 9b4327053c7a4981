//! Server certificates and TLS sessions, against scripted servers.

use std::path::Path;

use haul_fetch::{CertificateFault, Client, Config, Error, Request, Trust};
use haul_testkit::{Answer, Fault, Server, Tls};

fn client(dir: &Path, server: &Server) -> Client {
    let path = dir.join("ca.pem");
    std::fs::write(&path, server.ca_pem()).unwrap();
    Client::new(Config { trust: Trust::File(path), ..Config::default() }).unwrap()
}

#[test]
fn each_fault_has_its_own_error() {
    let dir = tempfile::tempdir().unwrap();
    let ends = "the certificate was valid until Mon, 01 Jan 2001 00:00:00 GMT";
    let begins = "the certificate is valid from Wed, 01 Jan 2200 00:00:00 GMT";
    let not_for = "the certificate is not for \"127.0.0.1\", but for";
    let (elsewhere, address) =
        (format!("{not_for} \"elsewhere.example\""), format!("{not_for} \"127.0.0.2\""));
    let nothing = format!("{not_for} no name at all");
    let nobody = "the certificate is not signed by a trusted authority";
    for (fault, kind, words) in [
        (Fault::Expired, CertificateFault::Expired, ends),
        (Fault::NotYetValid, CertificateFault::NotYetValid, begins),
        (Fault::WrongName, CertificateFault::OtherName, &elsewhere),
        (Fault::WrongAddress, CertificateFault::OtherName, &address),
        (Fault::NoName, CertificateFault::Nameless, &nothing),
        (Fault::SelfSigned, CertificateFault::Untrusted, nobody),
        (Fault::UntrustedAuthority, CertificateFault::Untrusted, nobody),
        (Fault::UnknownAuthority, CertificateFault::Untrusted, nobody),
    ] {
        let server = Server::builder().tls(Tls::with(fault)).start(|_| Answer::ok("secret"));
        let error = client(dir.path(), &server).fetch(Request::get(server.url("/"))).unwrap_err();
        assert!(matches!(error, Error::Tls(_)), "{fault:?}: {error}");
        assert_eq!(error.certificate_fault(), Some(kind), "{fault:?}");
        assert_eq!(error.fault(), haul_fetch::Fault::Server, "{fault:?}");
        assert_eq!(error.to_string(), format!("TLS: {words}"), "{fault:?}");
        assert!(server.requests().is_empty(), "nothing is asked of who isn't known");
    }
}

#[test]
fn the_subject_name_is_ignored() {
    // The certificate without names has the subject localhost.
    let dir = tempfile::tempdir().unwrap();
    let server = Server::builder().tls(Tls::with(Fault::NoName)).start(|_| Answer::ok("secret"));
    let url = format!("https://localhost:{}/", server.address().port());
    let error = client(dir.path(), &server).fetch(Request::get(&url)).unwrap_err();
    assert_eq!(error.certificate_fault(), Some(CertificateFault::Nameless), "{error}");
    let good = Server::builder().tls(Tls::good()).start(|_| Answer::ok("known"));
    let url = format!("https://localhost:{}/", good.address().port());
    assert_eq!(client(dir.path(), &good).fetch(Request::get(&url)).unwrap().body, b"known");
}

#[test]
fn a_second_connection_resumes_the_session() {
    let dir = tempfile::tempdir().unwrap();
    let server = |tls| Server::builder().tls(tls).start(|_| Answer::ok("x").close());
    let (one, other) = (server(Tls::good()), server(Tls::good()));
    let client = client(dir.path(), &one);
    let get = |url: &str| client.fetch(Request::get(url));
    for _ in 0..4 {
        get(&one.url("/")).unwrap();
    }
    let handshakes: Vec<_> = one.requests().into_iter().map(|request| request.tls.unwrap()).collect();
    let resumed: Vec<_> = handshakes.iter().map(|handshake| handshake.resumed).collect();
    assert_eq!(resumed, [false, true, true, true]);
    assert!(handshakes.iter().all(|handshake| handshake.alpn.as_deref() == Some("http/1.1")));
    // Another server at the same address can't resume the session, and has to present its certificate.
    assert!(get(&other.url("/")).is_err());
    // A session belongs to a name: another name of the same server starts a new one.
    get(&format!("https://localhost:{}/", one.address().port())).unwrap();
    let last = one.requests().pop().unwrap().tls.unwrap();
    assert_eq!((last.resumed, last.name.as_deref()), (false, Some("localhost")));
    // So does another client.
    self::client(dir.path(), &one).fetch(Request::get(one.url("/"))).unwrap();
    assert!(!one.requests().pop().unwrap().tls.unwrap().resumed);
}

/// A client that trusts the server's own certificate.
fn trusting(dir: &Path, pem: &str) -> Client {
    let path = dir.join("own.pem");
    std::fs::write(&path, pem).unwrap();
    Client::new(Config { trust: Trust::File(path), ..Config::default() }).unwrap()
}

#[test]
fn a_self_signed_certificate_is_trusted_if_it_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    for tls in [Tls::self_signed_authority(Fault::None), Tls::with(Fault::SelfSigned)] {
        let pem = tls.server_pem().0.to_owned();
        let server = Server::builder().tls(tls).start(|_| Answer::ok("known").close());
        let client = trusting(dir.path(), &pem);
        for _ in 0..2 {
            assert_eq!(client.fetch(Request::get(server.url("/"))).unwrap().body, b"known");
        }
        // Others of the same names and with the same subject aren't.
        let other = Tls::self_signed_authority(Fault::None);
        let client = trusting(dir.path(), other.server_pem().0);
        let error = client.fetch(Request::get(server.url("/"))).unwrap_err();
        assert_eq!(error.certificate_fault(), Some(CertificateFault::Untrusted), "{error}");
    }
}

#[test]
fn the_name_and_dates_of_a_self_signed_certificate_count() {
    let dir = tempfile::tempdir().unwrap();
    for (fault, kind) in [
        (Fault::Expired, CertificateFault::Expired),
        (Fault::NotYetValid, CertificateFault::NotYetValid),
        (Fault::WrongName, CertificateFault::OtherName),
        (Fault::WrongAddress, CertificateFault::OtherName),
        (Fault::NoName, CertificateFault::Nameless),
    ] {
        let tls = Tls::self_signed_authority(fault);
        let pem = tls.server_pem().0.to_owned();
        let server = Server::builder().tls(tls).start(|_| Answer::ok("secret"));
        let error = trusting(dir.path(), &pem).fetch(Request::get(server.url("/"))).unwrap_err();
        assert_eq!(error.certificate_fault(), Some(kind), "{fault:?}: {error}");
        assert!(server.requests().is_empty(), "{fault:?}");
    }
}
