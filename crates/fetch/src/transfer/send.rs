//! Sending a request: the head, then the body piece by piece.
//!
//! Owns: the fields that every request has, the framing of its body.
//! Does not own: the request ([`crate::Request`]), its response, waiting for 100 (Continue)
//! ([`crate::transfer::exchange`]).
//!
//! Source: RFC 9112, sections 3 (request line), 6 (framing), 9.5 (responses to incomplete requests).

use std::io::{self, Read};

use haul_http1::{Authority, BodyLength, RequestHead, Target, encode_chunk, encode_last_chunk};
use haul_io::{Buf, File, Io, Offset};
use http::HeaderMap;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, EXPECT, HeaderName, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT,
};

use crate::body::coding::archive;
use crate::body::coding::decoder::ACCEPTED;
use crate::client::request::body::{OutgoingBody, Reader};
use crate::route::connection::Connection;
use crate::route::hops::Route;
use crate::transfer::attempt::Attempt;
use crate::{Config, Error, Phase, Request};

/// Bytes of a body that are sent at a time.
const PIECE_BYTES: usize = 128 * 1024;
/// Bodies of up to this many bytes are sent together with the head.
const WITH_HEAD_BYTES_MAX: usize = 16 * 1024;

/// A request about to be sent.
pub(crate) struct Outgoing {
    head: Vec<u8>,
    body: OutgoingBody,
    expects_continue: bool,
}

/// How much of a request was sent.
pub(crate) enum Sent {
    Whole,
    /// The connection broke, or the server stopped reading, within the body. A response may have arrived before.
    Partly(Error),
}

impl Outgoing {
    /// `request` as it is sent by `route`. With `expects_continue`, a body waits for 100 (Continue).
    pub(crate) async fn open<I: Io>(
        attempt: &Attempt<'_, I>,
        route: &Route,
        request: &Request,
        authority: &Authority,
        expects_continue: bool,
    ) -> Result<Self, Error> {
        let body = request.body.open(attempt.io).await?;
        // RFC 9110 section 10.1.1: a request without content expects nothing.
        let expects_continue = expects_continue && !body.is_empty();
        let headers = headers(request, attempt.config(), route, expects_continue)?;
        let head = encode(request, authority, route, &headers, &body)?;
        Ok(Self { head, body, expects_continue })
    }

    /// Whether the request says that its body waits for 100 (Continue).
    pub(crate) fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// The head, if it hasn't been sent.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Sends the head alone.
    pub(crate) async fn send_head<I: Io>(
        &mut self,
        attempt: &Attempt<'_, I>,
        connection: &mut Connection,
    ) -> Result<(), Error> {
        let head = std::mem::take(&mut self.head);
        send_piece(attempt, connection, head.into()).await
    }

    /// Sends whatever hasn't been sent.
    pub(crate) async fn send<I: Io>(
        mut self,
        attempt: &Attempt<'_, I>,
        connection: &mut Connection,
    ) -> Result<Sent, Error> {
        if !self.head.is_empty() {
            if let OutgoingBody::Bytes(bytes) = &self.body
                && bytes.len() <= WITH_HEAD_BYTES_MAX
            {
                self.head.extend_from_slice(bytes);
                self.body = OutgoingBody::Nothing;
            }
            self.send_head(attempt, connection).await?;
        }
        let sent = match self.body {
            OutgoingBody::Nothing => Ok(()),
            OutgoingBody::Bytes(bytes) => send_bytes(attempt, connection, &bytes).await,
            OutgoingBody::File(file, bytes) => send_file(attempt, connection, &file, bytes).await,
            OutgoingBody::Reader(reader) => send_chunks(attempt, connection, reader).await,
        };
        match sent {
            Ok(()) => Ok(Sent::Whole),
            Err(error @ (Error::Transport(_) | Error::Timeout(Phase::Transfer))) => Ok(Sent::Partly(error)),
            Err(error) => Err(error),
        }
    }

    /// Returns the body, of which nothing was sent, to `request`.
    pub(crate) fn put_back(self, request: &Request) {
        request.body.put_back(self.body);
    }
}

/// The fields of `request`, with those that the client adds.
fn headers(
    request: &Request,
    config: &Config,
    route: &Route,
    expects_continue: bool,
) -> Result<HeaderMap, Error> {
    let mut headers = request.headers.clone();
    let agent = HeaderValue::from_str(&config.user_agent);
    let agent = agent.map_err(|_| Error::Header { reason: "the user agent can't be sent" })?;
    let mut default = |name: HeaderName, value| {
        if !request.omits(name.as_str()) {
            headers.entry(name).or_insert(value);
        }
    };
    default(USER_AGENT, agent);
    default(ACCEPT, HeaderValue::from_static("*/*"));
    // Only parts of content without a coding can be combined.
    let is_coded = config.compressed && (config.decode_archives || !archive::is_archive_name(&request.url));
    let codings = if is_coded && !request.has_header("range") { ACCEPTED } else { "identity" };
    default(ACCEPT_ENCODING, HeaderValue::from_static(codings));
    if expects_continue {
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
    // RFC 6265bis section 5.8.1 allows one Cookie field: that of the caller replaces the jar's.
    #[cfg(feature = "cookies")]
    if let Some(jar) = &config.cookies
        && !headers.contains_key(http::header::COOKIE)
        && !request.omits("cookie")
    {
        headers.extend(jar.field(&request.url).map(|field| (http::header::COOKIE, field)));
    }
    if let Some(proxy) = route.forwarder() {
        headers.extend(proxy.authorization().map(|value| (PROXY_AUTHORIZATION, value)));
    }
    Ok(headers)
}

fn encode(
    request: &Request,
    authority: &Authority,
    route: &Route,
    headers: &HeaderMap,
    body: &OutgoingBody,
) -> Result<Vec<u8>, Error> {
    let url = &request.url;
    let path_and_query = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let target = match route.forwarder() {
        None => Target::Origin { path_and_query },
        Some(_) => Target::Absolute { scheme: url.scheme(), path_and_query },
    };
    let body = match body {
        OutgoingBody::Nothing => BodyLength::None,
        OutgoingBody::Bytes(bytes) => BodyLength::Length(bytes.len() as u64),
        OutgoingBody::File(_, bytes) => BodyLength::Length(*bytes),
        OutgoingBody::Reader(_) => BodyLength::Chunked,
    };
    let mut bytes = Vec::with_capacity(512);
    let (method, spellings, host) = (&request.method, &*request.spellings, request.host.as_deref());
    RequestHead { method, target, authority, headers, spellings, host, body }.encode(&mut bytes)?;
    Ok(bytes)
}

async fn send_piece<I: Io>(
    attempt: &Attempt<'_, I>,
    connection: &mut Connection,
    piece: Buf,
) -> Result<(), Error> {
    let wait = attempt.wait(attempt.config().read_timeout)?;
    let (sent, piece) = connection.send(attempt.io, piece, wait).await;
    attempt.io.give_buf(piece);
    sent.map_err(|error| attempt.judge(Error::transport(error, Phase::Transfer)))
}

async fn send_bytes<I: Io>(
    attempt: &Attempt<'_, I>,
    connection: &mut Connection,
    bytes: &[u8],
) -> Result<(), Error> {
    for piece in bytes.chunks(PIECE_BYTES) {
        let mut buf = attempt.io.take_buf(PIECE_BYTES);
        buf.append(piece);
        send_piece(attempt, connection, buf).await?;
    }
    Ok(())
}

/// Sends the first `bytes` of `file`. A shorter file is an error, as Content-Length was sent already.
async fn send_file<I: Io>(
    attempt: &Attempt<'_, I>,
    connection: &mut Connection,
    file: &File,
    bytes: u64,
) -> Result<(), Error> {
    let mut offset = 0;
    while offset < bytes {
        let piece_bytes = PIECE_BYTES.min(usize::try_from(bytes - offset).unwrap_or(PIECE_BYTES));
        let buf = attempt.io.take_buf(PIECE_BYTES);
        let (count, buf) = attempt.io.read_full(file, buf, piece_bytes, Offset::At(offset)).await;
        if count.map_err(Error::body)? < piece_bytes {
            return Err(Error::body(io::ErrorKind::UnexpectedEof.into()));
        }
        send_piece(attempt, connection, buf).await?;
        offset += piece_bytes as u64;
    }
    Ok(())
}

/// Sends what `reader` yields, in chunks (RFC 9112, section 7.1).
async fn send_chunks<I: Io>(
    attempt: &Attempt<'_, I>,
    connection: &mut Connection,
    mut reader: Reader,
) -> Result<(), Error> {
    let mut data = vec![0; PIECE_BYTES];
    loop {
        let count = match reader.read(&mut data) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(Error::Timeout(Phase::Total));
            }
            Err(error) => return Err(Error::body(error)),
        };
        let mut piece = Vec::new();
        if count == 0 {
            encode_last_chunk(&HeaderMap::new(), &mut piece)?;
        } else {
            encode_chunk(&data[..count], &mut piece);
        }
        send_piece(attempt, connection, piece.into()).await?;
        if count == 0 {
            return Ok(());
        }
    }
}
