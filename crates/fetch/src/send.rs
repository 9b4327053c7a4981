//! Requests on their way out: the head, then the body piece by piece.
//!
//! Owns: which fields every request has, how the body is framed.
//! Does not own: what is asked ([`crate::Request`]), the answer, waiting for a go-ahead ([`crate::exchange`]).
//!
//! Source: RFC 9112, sections 3 (request line), 6 (framing), 9.5 (answers before the end of the request).

use std::io::{self, Read};

use haul_http1::{Authority, BodyLength, RequestHead, Target, encode_chunk, encode_last_chunk};
use haul_io::{Buf, File, Io, Offset};
use http::HeaderMap;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, COOKIE, EXPECT, HeaderValue, PROXY_AUTHORIZATION, RANGE, USER_AGENT,
};

use crate::body::{Opened, Reader};
use crate::coding::ACCEPTED;
use crate::connection::Connection;
use crate::exchange::Clock;
use crate::route::Route;
use crate::tunnel::authorization;
use crate::{Config, Error, Phase, Request};

/// Bytes of a body that are sent at a time.
const PIECE_BYTES: usize = 128 * 1024;
/// Bodies of so many bytes travel with their head.
const WITH_HEAD_BYTES_MAX: usize = 16 * 1024;

/// A request about to be sent.
pub(crate) struct Outgoing {
    head: Vec<u8>,
    body: Opened,
    /// Whether it says that its body waits for a go-ahead.
    pub(crate) waits: bool,
}

/// What became of a request.
pub(crate) enum Sent {
    Whole,
    /// The connection broke, or took nothing any more, within the body. An answer may have come before.
    Partly(Error),
}

impl Outgoing {
    /// `request` as it goes out on `connection`. It waits for a go-ahead if it `expects` one and has a body.
    pub(crate) async fn open(
        io: &impl Io,
        connection: &Connection,
        request: &Request,
        authority: &Authority,
        config: &Config,
        expects: bool,
    ) -> Result<Self, Error> {
        let body = request.body.open(io).await?;
        // RFC 9110 section 10.1.1: a request without content expects nothing.
        let waits = expects && !body.is_empty();
        let head = encode(request, &body, authority, connection.route(), (config, waits))?;
        Ok(Self { head, body, waits })
    }

    /// Sends the head alone.
    pub(crate) async fn send_head(
        &mut self,
        io: &impl Io,
        connection: &mut Connection,
        clock: Clock<'_>,
    ) -> Result<(), Error> {
        let head = std::mem::take(&mut self.head);
        send_piece(io, connection, head.into(), clock).await
    }

    /// Sends what hasn't been sent.
    pub(crate) async fn send(
        mut self,
        io: &impl Io,
        connection: &mut Connection,
        clock: Clock<'_>,
    ) -> Result<Sent, Error> {
        if !self.head.is_empty() {
            if let Opened::Bytes(bytes) = &self.body
                && bytes.len() <= WITH_HEAD_BYTES_MAX
            {
                self.head.extend_from_slice(bytes);
                self.body = Opened::Nothing;
            }
            self.send_head(io, connection, clock).await?;
        }
        let sent = match self.body {
            Opened::Nothing => Ok(()),
            Opened::Bytes(bytes) => send_bytes(io, connection, &bytes, clock).await,
            Opened::File(file, bytes) => send_file(io, connection, &file, bytes, clock).await,
            Opened::Reader(reader) => send_chunks(io, connection, reader, clock).await,
        };
        match sent {
            Ok(()) => Ok(Sent::Whole),
            Err(error @ (Error::Transport(_) | Error::Timeout(Phase::Transfer))) => Ok(Sent::Partly(error)),
            Err(error) => Err(error),
        }
    }

    /// Gives the body back to `request`: nothing of it was sent.
    pub(crate) fn put_back(self, request: &Request) {
        request.body.put_back(self.body);
    }
}

fn encode(
    request: &Request,
    body: &Opened,
    authority: &Authority,
    route: &Route,
    (config, waits): (&Config, bool),
) -> Result<Vec<u8>, Error> {
    let mut headers = request.headers.clone();
    let agent = HeaderValue::from_str(&config.user_agent);
    let agent = agent.map_err(|_| Error::Url { reason: "the user agent can't be sent".to_owned() })?;
    headers.entry(USER_AGENT).or_insert(agent);
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    // Parts are put together only of what was not encoded.
    let codings = if config.compressed && !headers.contains_key(RANGE) { ACCEPTED } else { "identity" };
    headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static(codings));
    if waits {
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
    let url = &request.url;
    // RFC 6265bis section 5.8.1 has one Cookie field: what the user says stands for itself.
    if let (Some(jar), false) = (&config.cookies, headers.contains_key(COOKIE)) {
        headers.extend(jar.field(url).map(|field| (COOKIE, field)));
    }
    let path_and_query = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let target = match route.forwarder() {
        None => Target::Origin { path_and_query },
        Some(proxy) => {
            headers.extend(authorization(proxy).map(|value| (PROXY_AUTHORIZATION, value)));
            Target::Absolute { scheme: url.scheme(), path_and_query }
        }
    };
    let head = RequestHead {
        method: &request.method,
        target,
        authority,
        headers: &headers,
        body: match body {
            Opened::Nothing => BodyLength::None,
            Opened::Bytes(bytes) => BodyLength::Length(bytes.len() as u64),
            Opened::File(_, bytes) => BodyLength::Length(*bytes),
            Opened::Reader(_) => BodyLength::Chunked,
        },
    };
    let mut bytes = Vec::with_capacity(512);
    head.encode(&mut bytes)?;
    Ok(bytes)
}

async fn send_piece(
    io: &impl Io,
    connection: &mut Connection,
    piece: Buf,
    clock: Clock<'_>,
) -> Result<(), Error> {
    let timeout = clock.step(io, clock.config.read_timeout)?;
    let (sent, piece) = connection.send(io, piece, timeout).await;
    io.give_buf(piece);
    sent.map_err(|error| clock.judge(io, Error::transport(error, Phase::Transfer)))
}

async fn send_bytes(
    io: &impl Io,
    connection: &mut Connection,
    bytes: &[u8],
    clock: Clock<'_>,
) -> Result<(), Error> {
    for piece in bytes.chunks(PIECE_BYTES) {
        let mut buf = io.take_buf(PIECE_BYTES);
        buf.append(piece);
        send_piece(io, connection, buf, clock).await?;
    }
    Ok(())
}

/// Sends the first `bytes` of `file`; fewer are an error, as that many were promised.
async fn send_file(
    io: &impl Io,
    connection: &mut Connection,
    file: &File,
    bytes: u64,
    clock: Clock<'_>,
) -> Result<(), Error> {
    let mut offset = 0;
    while offset < bytes {
        let piece_bytes = PIECE_BYTES.min(usize::try_from(bytes - offset).unwrap_or(PIECE_BYTES));
        let buf = io.take_buf(PIECE_BYTES);
        let (count, buf) = io.read_full(file, buf, piece_bytes, Offset::At(offset)).await;
        if count.map_err(Error::body)? < piece_bytes {
            return Err(Error::body(io::ErrorKind::UnexpectedEof.into()));
        }
        send_piece(io, connection, buf, clock).await?;
        offset += piece_bytes as u64;
    }
    Ok(())
}

/// Sends what `reader` gives as chunks (RFC 9112, section 7.1).
async fn send_chunks(
    io: &impl Io,
    connection: &mut Connection,
    mut reader: Reader,
    clock: Clock<'_>,
) -> Result<(), Error> {
    let mut data = vec![0; PIECE_BYTES];
    loop {
        let count = match reader.read(&mut data) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::body(error)),
        };
        let mut piece = Vec::new();
        match count {
            0 => encode_last_chunk(&HeaderMap::new(), &mut piece)?,
            count => encode_chunk(&data[..count], &mut piece),
        }
        send_piece(io, connection, piece.into(), clock).await?;
        if count == 0 {
            return Ok(());
        }
    }
}
