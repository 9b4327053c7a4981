//! Connecting to the first of several addresses that answers, by the ring.
//!
//! An attempt is begun by a system call that doesn't wait, and its end is awaited as readiness for writing; so the sockets are
//! the same as those of the blocking race, with the same order and delays.
//!
//! Owns: the race between attempts in flight.
//! Does not own: the order of addresses, beginning an attempt ([`crate::connect`]).
//!
//! Source: RFC 8305 (Happy Eyeballs), section 5.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use super::request::Request;
use super::task::{InFlight, TaskIo};
use crate::connect::{ATTEMPT_DELAY, Attempt, interleaved, no_addresses, start};
use crate::{Socket, is_cancelled};

/// A connected socket to the first address that answers within `timeout`.
pub(super) async fn race(io: &TaskIo, addresses: &[SocketAddr], timeout: Duration) -> io::Result<Socket> {
    let deadline = Instant::now().checked_add(timeout);
    let mut waiting = interleaved(addresses).into_iter();
    let mut attempts: Vec<InFlight<'_>> = Vec::new();
    let mut last_error = no_addresses();
    let mut next_start = Instant::now();
    loop {
        if (attempts.is_empty() || next_start <= Instant::now())
            && let Some(address) = waiting.next()
        {
            next_start = Instant::now() + ATTEMPT_DELAY;
            match start(&address) {
                Ok(Attempt::Connected(socket)) => return Ok(socket.into()),
                Ok(Attempt::Underway(socket)) => attempts.push(io.start(Request::Connected { socket }, None)),
                Err(error) => last_error = error,
            }
            continue;
        }
        if attempts.is_empty() {
            return Err(last_error);
        }
        let until = if waiting.len() == 0 { deadline } else { earlier(deadline, next_start) };
        match first_ended(io, &mut attempts, until).await {
            Some(Ok(socket)) => return Ok(socket.into()),
            Some(Err(error)) if is_cancelled(&error) => return Err(error),
            Some(Err(error)) => last_error = error,
            None if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            None => {}
        }
    }
}

fn earlier(deadline: Option<Instant>, moment: Instant) -> Option<Instant> {
    Some(deadline.map_or(moment, |deadline| deadline.min(moment)))
}

/// Takes out the attempt that comes to an end first; `None` if none does until then.
async fn first_ended(
    io: &TaskIo,
    attempts: &mut Vec<InFlight<'_>>,
    until: Option<Instant>,
) -> Option<io::Result<OwnedFd>> {
    let mut timer = until.map(|until| io.start(Request::Timer, Some(until)));
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
    let Request::Connected { socket } = request else { unreachable!("only attempts are awaited here") };
    result?;
    sockopt::socket_error(&socket)??;
    Ok(socket)
}
