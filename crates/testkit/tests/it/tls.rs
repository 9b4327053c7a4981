//! The promises of TLS: a valid certificate is accepted, and each faulty one is refused for its fault.
//!
//! Owns: a minimal TLS client.
//! Does not own: what is served (see `server.rs`).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use haul_testkit::{Answer, End, Fault, Server, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn connect(server: &Server, identity: Option<(String, String)>) -> Stream {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).expect("PEM");
    roots.add(ca).expect("a certificate of an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("default versions")
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(chain, key).expect("a pair")
        }
    };
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let session = ClientConnection::new(Arc::new(config), name).expect("a client");
    StreamOwned::new(session, TcpStream::connect(server.address()).expect("the server listens"))
}

fn fetch(mut stream: Stream) -> std::io::Result<String> {
    stream.write_all(GET)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_good_certificate_is_accepted() {
    let server = Server::builder().tls(Tls::good()).start(|_| Answer::ok("hello").close());
    assert!(server.url("/").starts_with("https://127.0.0.1:"));
    let answer = fetch(connect(&server, None)).expect("a whole answer");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
}

#[test]
fn each_fault_is_refused_for_what_it_is() {
    let cases = [
        (Fault::Expired, "Expired"),
        (Fault::NotYetValid, "NotValidYet"),
        (Fault::WrongName, "NotValidForName"),
        (Fault::SelfSigned, "UnknownIssuer"),
        (Fault::WrongAddress, "NotValidForName"),
        (Fault::NoName, "NotValidForName"),
        (Fault::UntrustedAuthority, "BadSignature"),
        (Fault::UnknownAuthority, "UnknownIssuer"),
    ];
    for (fault, want) in cases {
        let server = Server::builder().tls(Tls::with(fault)).start(|_| Answer::ok("hello").close());
        let refusal = fetch(connect(&server, None)).expect_err("the client refuses");
        assert!(format!("{refusal:?}").contains(want), "{fault:?}: {refusal:?}");
        assert_eq!(server.requests().len(), 0);
    }
}

#[test]
fn a_client_certificate_can_be_demanded() {
    let tls = Tls::good().require_client();
    let identity = tls.client_pem();
    let server = Server::builder().tls(tls).start(|_| Answer::ok("hello").close());
    assert!(fetch(connect(&server, None)).is_err());
    assert!(fetch(connect(&server, Some(identity))).is_ok());
}

#[test]
fn a_truncation_shows_as_one() {
    let server = Server::builder()
        .tls(Tls::good())
        .start(|_| Answer::ok("hello").cut_after(2, End::Close).without_close_notify());
    let end = fetch(connect(&server, None)).expect_err("no closing alert");
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn dropping_ends_a_handshake_that_never_comes() {
    let server = Server::builder().tls(Tls::good()).start(|_| Answer::never());
    let silent = TcpStream::connect(server.address()).expect("the server listens");
    let mut asking = connect(&server, None);
    asking.write_all(GET).expect("the server reads");
    server.wait_requests(1);
    drop(server);
    drop(silent);
}
