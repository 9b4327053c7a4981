//! A request and the head of its response, on a connection from the pool or a new one.
//!
//! Owns: the choice of the connection, the one replay after a reused connection proved stale, which connections are
//! kept for reuse.
//! Does not own: the exchange itself ([`crate::transfer::exchange`]), what follows from the response
//! ([`crate::transfer::fetch`]).
//!
//! Source: RFC 9112, section 9.3.1 (retrying requests); RFC 9110, section 15.5.18 (417).

use haul_http1::{AfterResponse, Authority, Framing, Replay, ResponseHead};
use haul_io::{Io, is_shortage};
use http::StatusCode;
use url::Url;

use crate::body::shortage::Shortage;
use crate::client::details;
use crate::client::zone;
use crate::route::connection::{Connection, Dial};
use crate::route::hops::Route;
use crate::transfer::attempt::Attempt;
use crate::transfer::exchange::Answered;
use crate::transfer::receive::Received;
use crate::{Error, Phase, Request};

impl<I: Io> Attempt<'_, I> {
    /// Sends `request` and receives the head of the response. If a reused connection proves dead, or carries bytes that
    /// are no response, the request is sent once more on another, where RFC 9112 section 9.3.1 allows that.
    pub(crate) async fn answered(&mut self, request: &Request) -> Result<Answered, Error> {
        request.check()?;
        let authority = authority(&request.url)?;
        let (mut replay_count, mut expects_continue) = (0, request.expects_continue);
        self.trace.requests += 1;
        loop {
            // The cause of one dead connection may affect all others in the pool.
            let reuse = replay_count == 0;
            let connection = self.connection(request, reuse).await?;
            let connection_reused = connection.exchange_count > 0;
            let asked_at = self.io.now();
            let answered = self.ask(connection, request, &authority, expects_continue).await;
            self.trace.times.head += self.io.now() - asked_at;
            let no_head = match answered {
                Ok(answered) if answered.head.framing == Framing::Tunnel => {
                    return Err(Error::Method { reason: "tunnels can't be fetched" });
                }
                Ok(answered) => {
                    self.config().observer.tell_detail(|| details::received(&request.url, &answered.head));
                    #[cfg(feature = "cookies")]
                    if let Some(jar) = &self.config().cookies {
                        jar.take_all(&request.url, &answered.head.headers);
                    }
                    // RFC 9110 section 15.5.18. The connection is closed, as the body that it announced was never sent.
                    let is_refused =
                        answered.expected_continue && answered.head.status == StatusCode::EXPECTATION_FAILED;
                    if is_refused && request.body.can_be_sent() {
                        expects_continue = false;
                        continue;
                    }
                    return Ok(answered);
                }
                Err(no_head) => no_head,
            };
            let replay = Replay {
                method: &request.method,
                connection_reused,
                response_begun: no_head.response_begun,
                replay_count,
            };
            if !no_head.is_broken() || !replay.is_allowed() || !request.body.can_be_sent() {
                return Err(no_head.error);
            }
            replay_count += 1;
        }
    }

    /// A connection for `request`: one from the pool if `reuse` allows that and there is one, or a new one.
    async fn connection(&mut self, request: &Request, reuse: bool) -> Result<Connection, Error> {
        let (io, shared) = (self.io, self.shared);
        let route = Route::of(request, &shared.config);
        let has_identity = request.url.scheme() == "https" && shared.config.client_identity.is_some();
        let shows_identity = has_identity && request.shows_identity();
        while reuse && let Some(mut connection) = shared.pool.take(&route, shows_identity) {
            // RFC 9112 section 9.2: unsolicited bytes belong to no response.
            if connection.is_quiet(io).await {
                return Ok(connection);
            }
        }
        let shortage = Shortage::new(io);
        loop {
            let deadline = io.now() + self.limit(shared.config.connect_timeout)?;
            let times = &mut self.trace.times;
            let dial = Dial { io, config: &shared.config, tls: &shared.tls, shows_identity, deadline, times };
            // On the heap: its state is large (handshakes within handshakes), and most tasks never need it.
            let opened = Box::pin(Connection::open(dial, &request.url, route.clone())).await;
            if let Some(error) = opened.as_ref().err().and_then(Error::of_first_hop)
                && is_shortage(error)
                && (shared.pool.close_oldest() || shortage.waits(io, error).await)
            {
                continue;
            }
            return opened.map_err(|error| match self.judge(error) {
                Error::Timeout(Phase::Transfer) => Error::Timeout(Phase::Connect),
                error => error,
            });
        }
    }

    /// Returns the connection to the pool if the exchange left it reusable, and gives back the head of the response.
    pub(crate) fn keep(&self, request: &Request, received: Received) -> ResponseHead {
        let Received { mut connection, head, body, leftover_bytes, request_sent } = received;
        let request_headers = &request.headers;
        let after =
            AfterResponse { request_headers, request_sent, response: &head, body: &body, leftover_bytes };
        if after.must_close().is_none() {
            connection.exchange_count += 1;
            self.shared.pool.put(connection);
        }
        head
    }
}

/// The host and port of a URL that was checked to have them.
fn authority(url: &Url) -> Result<Authority, Error> {
    let port_default = if url.scheme() == "https" { 443 } else { 80 };
    let port = url.port().unwrap_or(port_default);
    Ok(Authority::new(&zone::visible(url.host_str().unwrap_or_default()), port, port_default)?)
}
