//! Certificates for scripted servers, valid and faulty, generated for each test.
//!
//! Owns: a test authority and the certificates it signs or doesn't sign.
//! Does not own: the server that presents them (see [`crate::Server`]).

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

/// The name of the test authority.
const AUTHORITY: &str = "haul test authority";

/// The fault of the server's certificate, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault: signed by the test authority for `localhost` and 127.0.0.1, valid for decades.
    None,
    /// It expired in 2001.
    Expired,
    /// It becomes valid in 2200.
    NotYetValid,
    /// It names another host.
    WrongName,
    /// It names another address.
    WrongAddress,
    /// It has no subject alternative name; only its common name is `localhost`.
    NoName,
    /// It is signed by its own key.
    SelfSigned,
    /// It is signed by another authority with the same name.
    UntrustedAuthority,
    /// It is signed by an unknown authority.
    UnknownAuthority,
}

/// A test authority and a server certificate.
#[derive(Debug)]
pub struct Tls {
    authority: Authority,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// The certificate and its key as PEM.
    pem: (String, String),
    /// The authority of the clients' certificates, if the server asks for one.
    clients: Option<CertificateDer<'static>>,
}

impl Tls {
    /// A valid certificate.
    pub fn good() -> Self {
        Self::with(Fault::None)
    }

    /// A certificate with this fault.
    pub fn with(fault: Fault) -> Self {
        let authority = Authority::new(AUTHORITY);
        let key = new_key();
        let params = leaf(fault);
        let certificate = match fault {
            Fault::SelfSigned => params.self_signed(&key),
            Fault::UntrustedAuthority => params.signed_by(&key, &Authority::new(AUTHORITY).issuer),
            Fault::UnknownAuthority => params.signed_by(&key, &Authority::new("unknown authority").issuer),
            _ => params.signed_by(&key, &authority.issuer),
        };
        Self::of(authority, &certificate.expect("a certificate can be signed"), &key)
    }

    /// A valid certificate for `host`.
    pub fn for_host(host: &str) -> Self {
        let (authority, key) = (Authority::new(AUTHORITY), new_key());
        let certificate = leaf_for(vec![host.to_owned()]).signed_by(&key, &authority.issuer);
        Self::of(authority, &certificate.expect("a certificate can be signed"), &key)
    }

    /// A certificate with this fault that is an authority and signed by its own key, as `openssl req -x509` makes it.
    pub fn self_signed_authority(fault: Fault) -> Self {
        let key = new_key();
        let mut params = leaf(fault);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate can sign itself");
        Self::of(Authority::new(AUTHORITY), &certificate, &key)
    }

    fn of(authority: Authority, certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            authority,
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            pem: (certificate.pem(), key.serialize_pem()),
            clients: None,
        }
    }

    /// Requires a client certificate signed by the same test authority.
    pub fn require_client(mut self) -> Self {
        self.clients = Some(self.authority.certificate.der().clone());
        self
    }

    /// Requires a client certificate that `other` accepts.
    pub fn require_client_of(mut self, other: &Self) -> Self {
        self.clients = Some(other.authority.certificate.der().clone());
        self
    }

    /// A certificate and its key for a client that [`Tls::require_client`] accepts, as PEM.
    pub fn client_pem(&self) -> (String, String) {
        let key = new_key();
        let mut params = leaf(Fault::None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate =
            params.signed_by(&key, &self.authority.issuer).expect("a certificate can be signed");
        (certificate.pem(), key.serialize_pem())
    }

    /// The server's certificate and key as PEM, for other server programs.
    pub fn server_pem(&self) -> (&str, &str) {
        (&self.pem.0, &self.pem.1)
    }

    /// The certificate of the test authority, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.authority.pem
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions");
        let builder = if let Some(authority) = &self.clients {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority.clone()).expect("our own authority is well-formed");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("one root is enough"))
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(self.chain.clone(), self.key.clone_key());
        let mut config = config.expect("the key belongs to the certificate");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

#[derive(Debug)]
struct Authority {
    certificate: Certificate,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = valid(CertificateParams::default());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key();
        let certificate = params.self_signed(&key).expect("an authority can sign itself");
        Self { pem: certificate.pem(), certificate, issuer: Issuer::new(params, key) }
    }
}

fn leaf(fault: Fault) -> CertificateParams {
    let names = match fault {
        Fault::WrongName => vec!["elsewhere.example".to_owned()],
        Fault::WrongAddress => vec!["127.0.0.2".to_owned()],
        Fault::NoName => vec![],
        _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
    };
    let mut params = leaf_for(names);
    let subject = if fault == Fault::NoName { "localhost" } else { "haul test server" };
    params.distinguished_name.push(DnType::CommonName, subject);
    match fault {
        Fault::Expired => params.not_after = date_time_ymd(2001, 1, 1),
        Fault::NotYetValid => params.not_before = date_time_ymd(2200, 1, 1),
        _ => {}
    }
    params
}

fn leaf_for(names: Vec<String>) -> CertificateParams {
    let mut params = valid(CertificateParams::new(names).expect("the names are well-formed"));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn valid(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2300, 1, 1);
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the system has randomness")
}
