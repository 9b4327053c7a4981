//! TLS over an [`Io`]: rustls does the cryptography, this module moves the records.
//!
//! Owns: the client's certificate, handshakes, sending and receiving records.
//! Does not own: trust ([`super::trust`]), the wire below ([`crate::route::wire`]), HTTP.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use haul_io::{Buf, Io};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection};

use crate::client::config::ClientIdentity;
use crate::route::tls::trust::verifier;
use crate::route::wire::{Wait, Wire};
use crate::{Error, TlsError, Trust};

/// How a connection is secured.
pub(crate) type TlsConfig = Arc<ClientConfig>;

/// Bytes of records that are received at a time: two records of the greatest length.
const RECORDS_BYTES: usize = 36 * 1024;

/// The TLS settings of a client, made when they are first needed. They hold the sessions, so that a connection to a
/// known server resumes one.
pub(crate) struct TlsSettings {
    trust: Trust,
    identity: Option<ClientIdentity>,
    identified: OnceLock<TlsConfig>,
    anonymous: OnceLock<TlsConfig>,
}

impl TlsSettings {
    pub(crate) fn new(trust: Trust, identity: Option<ClientIdentity>) -> Self {
        Self { trust, identity, identified: OnceLock::new(), anonymous: OnceLock::new() }
    }

    /// For connections to the origins that the caller named.
    pub(crate) fn identified(&self) -> Result<TlsConfig, Error> {
        made(&self.identified, &self.trust, self.identity.as_ref())
    }

    /// For connections to proxies and to origins that a redirect named, which don't get the client's certificate.
    pub(crate) fn anonymous(&self) -> Result<TlsConfig, Error> {
        made(&self.anonymous, &self.trust, None)
    }
}

fn made(
    place: &OnceLock<TlsConfig>,
    trust: &Trust,
    identity: Option<&ClientIdentity>,
) -> Result<TlsConfig, Error> {
    if let Some(config) = place.get() {
        return Ok(config.clone());
    }
    let made = Arc::new(client_config(trust, identity)?);
    Ok(place.get_or_init(|| made).clone())
}

fn client_config(trust: &Trust, identity: Option<&ClientIdentity>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder =
        builder.with_safe_default_protocol_versions().map_err(|error| Error::Tls(TlsError(error)))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier(trust, provider)?);
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

/// A TLS connection over a wire.
pub(crate) struct Tls<W> {
    wire: W,
    connection: ClientConnection,
    /// Received records that rustls hasn't taken: it takes no more until its plaintext is read.
    records: Option<Buf>,
    ended_cleanly: bool,
}

impl<W: Wire> Tls<W> {
    /// Performs the handshake with the server called `host` at the other end of `wire`. `deadline` is by [`Io::now`].
    pub(crate) async fn handshake(
        io: &impl Io,
        config: TlsConfig,
        host: &str,
        wire: W,
        deadline: Duration,
    ) -> Result<Self, Error> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| Error::Host { reason: "the host can't be named in TLS".to_owned() })?;
        let connection = ClientConnection::new(config, name).map_err(|error| Error::Tls(TlsError(error)))?;
        let mut tls = Self { wire, connection, records: None, ended_cleanly: false };
        let wait = Wait::until(deadline);
        while tls.connection.is_handshaking() {
            let step = if tls.connection.wants_write() {
                tls.flush(io, wait).await
            } else {
                tls.receive_records(io, wait).await.and_then(|bytes| match bytes {
                    0 => Err(io::ErrorKind::UnexpectedEof.into()),
                    _ => Ok(()),
                })
            };
            step.map_err(|error| Error::transport(error, crate::Phase::Connect))?;
        }
        Ok(tls)
    }

    /// The version of TLS and the cipher suite, in words.
    pub(crate) fn version_and_cipher(&self) -> String {
        let version = self.connection.protocol_version().and_then(|version| version.as_str());
        let suite = self.connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        format!("{}, {}", version.unwrap_or("TLS"), suite.unwrap_or("unknown cipher suite"))
    }

    /// Whether the end that [`Wire::receive`] saw was announced by close_notify.
    pub(crate) fn ended_cleanly(&self) -> bool {
        self.ended_cleanly
    }

    async fn send_records(&mut self, io: &impl Io, mut bytes: &[u8], wait: Wait) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.connection.writer().write(bytes)?;
            bytes = &bytes[taken..];
            self.flush(io, wait).await?;
        }
        Ok(())
    }

    async fn receive_plain(&mut self, io: &impl Io, buf: &mut Buf, wait: Wait) -> io::Result<usize> {
        let mut is_first = true;
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
            if !is_first {
                // Records without data, or pieces of one, may arrive for ever.
                wait.check(io.now())?;
            }
            is_first = false;
            self.flush(io, wait).await?;
            self.receive_records(io, wait).await?;
        }
    }

    /// Passes received records to rustls, and waits for some if there are none; 0 is the end of the stream.
    async fn receive_records(&mut self, io: &impl Io, wait: Wait) -> io::Result<usize> {
        let mut records = match self.records.take() {
            Some(records) => records,
            None => {
                let (count, records) = self.wire.receive(io, io.take_buf(RECORDS_BYTES), wait).await;
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

    async fn flush(&mut self, io: &impl Io, wait: Wait) -> io::Result<()> {
        while self.connection.wants_write() {
            let mut records = Vec::new();
            self.connection.write_tls(&mut records)?;
            self.wire.send(io, Buf::from(records), wait).await.0?;
        }
        Ok(())
    }
}

impl<W: Wire> Wire for Tls<W> {
    async fn send(&mut self, io: &impl Io, bytes: Buf, wait: Wait) -> (io::Result<()>, Buf) {
        (self.send_records(io, bytes.filled(), wait).await, bytes)
    }

    async fn receive(&mut self, io: &impl Io, mut buf: Buf, wait: Wait) -> (io::Result<usize>, Buf) {
        (self.receive_plain(io, &mut buf, wait).await, buf)
    }
}
