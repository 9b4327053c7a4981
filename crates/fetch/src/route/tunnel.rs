//! Tunnels through HTTP proxies: CONNECT.
//!
//! Owns: requesting a tunnel, judging the response.
//! Does not own: SOCKS ([`crate::route::socks`]), the bytes that go through the tunnel.
//!
//! Source: RFC 9110, section 9.3.6 (CONNECT).

use std::time::Duration;

use haul_http1::{Authority, BodyLength, Exchange, Framing, Head, RequestHead, Target};
use haul_io::{Buf, Io};
use http::header::{HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, Method};

use crate::route::origin::Origin;
use crate::route::proxy::Proxy;
use crate::route::wire::{Wait, Wire};
use crate::{Config, Error, Phase, ProxyError};

/// Bytes of the response that are received at a time.
const ANSWER_BYTES: usize = 16 * 1024;

/// Extends `wire`, which ends at `proxy`, to `origin`. `deadline` is by [`Io::now`].
pub(crate) async fn connect(
    io: &impl Io,
    config: &Config,
    wire: &mut impl Wire,
    proxy: &Proxy,
    origin: &Origin,
    deadline: Duration,
) -> Result<(), Error> {
    // RFC 9110 section 9.3.6: the target, and thus Host, always includes the port.
    let authority = Authority::new(&origin.host, origin.port, 0)?;
    let mut headers = HeaderMap::new();
    headers.extend(proxy.authorization().map(|value| (PROXY_AUTHORIZATION, value)));
    headers.extend(HeaderValue::from_str(&config.user_agent).ok().map(|value| (USER_AGENT, value)));
    let mut head = Vec::new();
    RequestHead {
        method: &Method::CONNECT,
        target: Target::Authority,
        authority: &authority,
        headers: &headers,
        spellings: &[],
        host: None,
        body: BodyLength::None,
    }
    .encode(&mut head)?;
    send(io, wire, head, deadline).await?;
    consent(io, config, wire, deadline).await
}

async fn consent(
    io: &impl Io,
    config: &Config,
    wire: &mut impl Wire,
    deadline: Duration,
) -> Result<(), Error> {
    let mut exchange = Exchange::new(&Method::CONNECT, config.limits);
    let mut input = io.take_buf(ANSWER_BYTES.max(config.limits.head_bytes_max));
    loop {
        match exchange.head(input.filled())? {
            Head::Interim { len, .. } => input.consume(len),
            Head::Complete { response, len, .. } => {
                input.consume(len);
                return match response.framing {
                    // The server has received no request yet, so any bytes are not from it.
                    Framing::Tunnel if input.filled().is_empty() => Ok(()),
                    Framing::Tunnel => Err(ProxyError::Malformed.into()),
                    _ => Err(ProxyError::Status(response.status).into()),
                };
            }
            Head::NeedMore => {
                input.compact();
                input = receive(io, wire, input, deadline).await?;
            }
        }
    }
}

/// Sends `bytes` to a proxy.
pub(crate) async fn send(
    io: &impl Io,
    wire: &mut impl Wire,
    bytes: Vec<u8>,
    deadline: Duration,
) -> Result<(), Error> {
    let sent = wire.send(io, bytes.into(), Wait::until(deadline)).await.0;
    sent.map_err(|error| Error::transport(error, Phase::Connect))
}

/// Appends bytes from a proxy to `input`; the end of the connection is an error.
pub(crate) async fn receive(
    io: &impl Io,
    wire: &mut impl Wire,
    input: Buf,
    deadline: Duration,
) -> Result<Buf, Error> {
    let (count, input) = wire.receive(io, input, Wait::until(deadline)).await;
    match count.map_err(|error| Error::transport(error, Phase::Connect))? {
        0 => Err(Error::Connect(std::io::ErrorKind::UnexpectedEof.into())),
        _ => Ok(input),
    }
}
