//! TLS over an [`Io`]: rustls does the cryptography, this module moves the records.
//!
//! Owns: trusted certificates, handshakes, sending and receiving records.
//! Does not own: the wire below ([`crate::route::wire`]), HTTP.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use haul_io::{Buf, Io};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::client::config::ClientIdentity;
use crate::route::wire::Wire;
use crate::{Error, Trust};

/// Bytes of records that are received at a time: two records of the greatest length.
const RECORDS_BYTES: usize = 36 * 1024;

/// The TLS settings of a client, made when they are first needed. They hold the sessions, so that a connection to a
/// known server resumes one.
pub(crate) struct TlsSettings {
    trust: Trust,
    identity: Option<ClientIdentity>,
    origins: OnceLock<Arc<ClientConfig>>,
    strangers: OnceLock<Arc<ClientConfig>>,
}

impl TlsSettings {
    pub(crate) fn new(trust: Trust, identity: Option<ClientIdentity>) -> Self {
        Self { trust, identity, origins: OnceLock::new(), strangers: OnceLock::new() }
    }

    /// For connections to origins.
    pub(crate) fn for_origins(&self) -> Result<Arc<ClientConfig>, Error> {
        made(&self.origins, &self.trust, self.identity.as_ref())
    }

    /// For connections to proxies, which don't get the client's certificate.
    pub(crate) fn for_proxies(&self) -> Result<Arc<ClientConfig>, Error> {
        self.for_strangers()
    }

    /// For connections to servers that the client's certificate isn't shown to.
    pub(crate) fn for_strangers(&self) -> Result<Arc<ClientConfig>, Error> {
        made(&self.strangers, &self.trust, None)
    }
}

fn made(
    place: &OnceLock<Arc<ClientConfig>>,
    trust: &Trust,
    identity: Option<&ClientIdentity>,
) -> Result<Arc<ClientConfig>, Error> {
    if let Some(config) = place.get() {
        return Ok(config.clone());
    }
    let made = Arc::new(client_config(trust, identity)?);
    Ok(place.get_or_init(|| made).clone())
}

fn client_config(trust: &Trust, identity: Option<&ClientIdentity>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(Error::Tls)?;
    let builder = match trust {
        Trust::Anything => {
            let verifier = Arc::new(AcceptAnything(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        trust => builder.with_root_certificates(roots(trust)?),
    };
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = load(identity)?;
            let refused = |error: rustls::Error| Error::ClientIdentity(error.to_string());
            builder.with_client_auth_cert(chain, key).map_err(refused)?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn load(identity: &ClientIdentity) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let refused =
        |path: &Path, error: &dyn std::fmt::Display| Error::ClientIdentity(format!("{path:?}: {error}"));
    let path = identity.certificates.as_path();
    let chain = CertificateDer::pem_file_iter(path).map_err(|error| refused(path, &error))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|error| refused(path, &error))?;
    if chain.is_empty() {
        return Err(refused(path, &"contains no certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(&identity.key);
    Ok((chain, key.map_err(|error| refused(&identity.key, &error))?))
}

fn roots(trust: &Trust) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if let Trust::File(path) = trust {
        let refused = |error: &dyn std::fmt::Display| Error::Trust(format!("{path:?}: {error}"));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refused(&error))?;
        for certificate in certificates {
            roots.add(certificate.map_err(|error| refused(&error))?).map_err(|error| refused(&error))?;
        }
        return if roots.is_empty() { Err(refused(&"contains no certificate")) } else { Ok(roots) };
    }
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

/// A TLS connection over a wire.
pub(crate) struct Tls<W> {
    wire: W,
    connection: ClientConnection,
    /// Received records that rustls hasn't taken: it takes no more until its plaintext is read.
    records: Option<Buf>,
    ended_cleanly: bool,
}

impl<W: Wire> Tls<W> {
    /// Performs the handshake with the server called `host` at the other end of `wire`.
    pub(crate) async fn handshake(
        io: &impl Io,
        config: Arc<ClientConfig>,
        host: &str,
        wire: W,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| Error::Host { reason: "the host can't be named in TLS".to_owned() })?;
        let connection = ClientConnection::new(config, name).map_err(Error::Tls)?;
        let mut tls = Self { wire, connection, records: None, ended_cleanly: false };
        let deadline = io.now() + timeout;
        while tls.connection.is_handshaking() {
            let left = deadline.saturating_sub(io.now());
            let step = if tls.connection.wants_write() {
                tls.flush(io, left).await
            } else {
                tls.receive_records(io, left).await.and_then(|bytes| match bytes {
                    0 => Err(io::ErrorKind::UnexpectedEof.into()),
                    _ => Ok(()),
                })
            };
            step.map_err(|error| Error::transport(error, crate::Phase::Connect))?;
        }
        Ok(tls)
    }

    /// Whether the end that [`Wire::receive`] saw was announced by close_notify.
    pub(crate) fn ended_cleanly(&self) -> bool {
        self.ended_cleanly
    }

    async fn send_records(&mut self, io: &impl Io, mut bytes: &[u8], timeout: Duration) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.connection.writer().write(bytes)?;
            bytes = &bytes[taken..];
            self.flush(io, timeout).await?;
        }
        Ok(())
    }

    async fn receive_plain(&mut self, io: &impl Io, buf: &mut Buf, timeout: Duration) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buf.spare_mut()) {
                Ok(count) => {
                    self.ended_cleanly = count == 0;
                    buf.commit(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => {}
            }
            self.flush(io, timeout).await?;
            self.receive_records(io, timeout).await?;
        }
    }

    /// Passes received records to rustls, and waits for some if there are none; 0 is the end of the stream.
    async fn receive_records(&mut self, io: &impl Io, timeout: Duration) -> io::Result<usize> {
        let mut records = match self.records.take() {
            Some(records) => records,
            None => {
                let (count, records) = self.wire.receive(io, io.take_buf(RECORDS_BYTES), timeout).await;
                count?;
                records
            }
        };
        let taken = self.connection.read_tls(&mut records.filled())?;
        records.consume(taken);
        let state = self.connection.process_new_packets();
        if records.filled().is_empty() {
            io.give_buf(records);
        } else {
            self.records = Some(records);
        }
        state.map(|_| taken).map_err(io::Error::other)
    }

    async fn flush(&mut self, io: &impl Io, timeout: Duration) -> io::Result<()> {
        while self.connection.wants_write() {
            let mut records = Vec::new();
            self.connection.write_tls(&mut records)?;
            self.wire.send(io, Buf::from(records), timeout).await.0?;
        }
        Ok(())
    }
}

impl<W: Wire> Wire for Tls<W> {
    async fn send(&mut self, io: &impl Io, bytes: Buf, timeout: Duration) -> (io::Result<()>, Buf) {
        (self.send_records(io, bytes.filled(), timeout).await, bytes)
    }

    async fn receive(&mut self, io: &impl Io, mut buf: Buf, timeout: Duration) -> (io::Result<usize>, Buf) {
        (self.receive_plain(io, &mut buf, timeout).await, buf)
    }
}

/// For `--insecure`: checks signatures, but not identities.
#[derive(Debug)]
struct AcceptAnything(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
