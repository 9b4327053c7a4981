//! The race of connection attempts, by the ring.
//!
//! An attempt is started by a system call that doesn't wait; the ring then polls its socket for writability. Sockets,
//! order and delays are those of the blocking execution.
//!
//! Owns: the attempts in progress and the timer beside them.
//! Does not own: the order and timing of attempts ([`crate::connect::race`]).

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use super::in_flight::{InFlight, JobContext};
use super::ring::request::Request;
use crate::connect::race::{Race, Step};
use crate::connect::socket::{Attempt, start};
use crate::{Socket, is_cancelled};

/// A connected socket to the first address that answers within `timeout`.
pub(super) async fn connect(
    job: &JobContext,
    addresses: &[SocketAddr],
    timeout: Duration,
) -> io::Result<Socket> {
    let mut race = Race::new(addresses, timeout, Instant::now());
    let mut attempts: Vec<InFlight<'_>> = Vec::new();
    loop {
        match race.next(Instant::now()) {
            Step::Start(address) => match start(&address) {
                Ok(Attempt::Connected(socket)) => return Ok(socket.into()),
                Ok(Attempt::InProgress(socket)) => {
                    attempts.push(job.start(Request::Connect { socket }, None))
                }
                Err(error) => race.failed(error),
            },
            Step::Wait { until } => match first_ended(job, &mut attempts, until).await {
                Some(Ok(socket)) => return Ok(socket.into()),
                Some(Err(error)) if is_cancelled(&error) => return Err(error),
                Some(Err(error)) => race.failed(error),
                None => race.waited(Instant::now()),
            },
            Step::Failed(error) => return Err(error),
        }
    }
}

/// Removes the attempt that ends first; `None` if none has ended at `until`.
async fn first_ended(
    job: &JobContext,
    attempts: &mut Vec<InFlight<'_>>,
    until: Option<Instant>,
) -> Option<io::Result<OwnedFd>> {
    let mut timer = until.map(|until| job.start(Request::Timer, Some(until)));
    poll_fn(|context| {
        for index in 0..attempts.len() {
            if let Poll::Ready((request, result)) = Pin::new(&mut attempts[index]).poll(context) {
                attempts.swap_remove(index);
                return Poll::Ready(Some(connected(request, result)));
            }
        }
        match timer.as_mut().map(|timer| poll_timer(timer, context)) {
            Some(Poll::Ready(Err(error))) => Poll::Ready(Some(Err(error))),
            Some(Poll::Ready(Ok(()))) => Poll::Ready(None),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    })
    .await
}

fn poll_timer(timer: &mut InFlight<'_>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
    Pin::new(timer).poll(context).map(|(_, result)| result.map(|_| ()))
}

fn connected(request: Request, result: io::Result<u32>) -> io::Result<OwnedFd> {
    let Request::Connect { socket } = request else { unreachable!("only attempts are awaited here") };
    result?;
    sockopt::socket_error(&socket)??;
    Ok(socket)
}
