//! A request and its answer on some connection: one that is kept, or a new one.
//!
//! Owns: which connection a request goes out on, the one replay on a dead one, which connections are kept afterwards.
//! Does not own: the exchange itself ([`crate::exchange`]), what follows from the answer ([`crate::transfer`]).

use haul_http1::{AfterResponse, Authority, Framing, Replay};
use haul_io::Io;
use http::StatusCode;
use url::Url;

use crate::connection::Connection;
use crate::exchange::{Answered, Clock, ask};
use crate::receive::Received;
use crate::route::Route;
use crate::trace::Trace;
use crate::transfer::Shared;
use crate::{Error, Phase, Request};

impl Shared {
    /// A connection on which `request` was answered. A reused connection that turns out to be dead is replaced, once, as
    /// RFC 9112 section 9.3.1 allows.
    pub(crate) async fn answered(
        &self,
        io: &impl Io,
        request: &Request,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<(Connection, Answered), Error> {
        let authority = authority(&request.url)?;
        let (mut replay_count, mut expects) = (0, request.expects_continue);
        loop {
            // What made one connection fail may have happened to the others that were kept.
            let kept = replay_count == 0;
            let mut connection = self.connection(io, request, kept, clock, trace).await?;
            let asked_at = io.now();
            let answered = ask(io, &mut connection, request, &authority, clock, expects).await;
            trace.times.head += io.now() - asked_at;
            let no_head = match answered {
                Ok(answered) if answered.head.framing == Framing::Tunnel => {
                    return Err(Error::Url { reason: "tunnels can't be fetched".to_owned() });
                }
                Ok(answered) => {
                    if let Some(jar) = &self.config.cookies {
                        jar.take_all(&request.url, &answered.head.headers);
                    }
                    // RFC 9110 section 15.5.18. The connection goes, as its body never came.
                    let is_refused =
                        answered.waited && answered.head.status == StatusCode::EXPECTATION_FAILED;
                    if is_refused && request.body.can_be_sent() {
                        expects = false;
                        continue;
                    }
                    return Ok((connection, answered));
                }
                Err(no_head) => no_head,
            };
            let replay = Replay {
                method: &request.method,
                connection_reused: connection.exchange_count > 0,
                response_bytes: no_head.response_bytes,
                replay_count,
            };
            let broken = matches!(&no_head.error, Error::Transport(_))
                || matches!(&no_head.error, Error::Protocol(error) if error.is_truncation());
            if !broken || !replay.is_allowed() || !request.body.can_be_sent() {
                return Err(no_head.error);
            }
            replay_count += 1;
        }
    }

    /// A connection for `request`: one that was `kept` where that will do, or a new one.
    async fn connection(
        &self,
        io: &impl Io,
        request: &Request,
        kept: bool,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<Connection, Error> {
        let route = Route::of(&request.url, &self.config);
        while kept && let Some(mut connection) = self.pool.take(&route) {
            // RFC 9112 section 9.2: bytes that nobody asked for belong to no response.
            if connection.is_quiet(io).await {
                return Ok(connection);
            }
        }
        let timeout = clock.step(io, self.config.connect_timeout)?;
        let goal = (&request.url, route);
        let times = &mut trace.times;
        // On the heap: its state is large, handshakes within handshakes, and most tasks never need it.
        let opened = Box::pin(Connection::open(io, &self.config, &self.tls, goal, timeout, times)).await;
        opened.map_err(|error| match clock.judge(io, error) {
            Error::Timeout(Phase::Transfer) => Error::Timeout(Phase::Connect),
            error => error,
        })
    }

    /// Keeps the connection for another request if the exchange left it fit for one.
    pub(crate) fn keep(&self, request: &Request, mut connection: Connection, received: &Received) {
        let request_headers = &request.headers;
        let after = AfterResponse {
            request_headers,
            request_sent: received.request_sent,
            response: &received.head,
            body: &received.body,
            leftover_bytes: received.leftover_bytes,
        };
        if after.must_close().is_none() {
            connection.exchange_count += 1;
            self.pool.put(connection);
        }
    }
}

/// Host and port of a URL that was checked to have them.
fn authority(url: &Url) -> Result<Authority, Error> {
    let port_default = if url.scheme() == "https" { 443 } else { 80 };
    let port = url.port().unwrap_or(port_default);
    Ok(Authority::new(url.host_str().unwrap_or_default(), port, port_default)?)
}
