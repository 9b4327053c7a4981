//! A response whose body the caller reads as it arrives.
//!
//! The transfer is the same as any other. Its body goes into a [`Handover`], which holds one piece and lets the
//! transfer rest until the caller has read that; reading lets it go on. So redirects, codings, checks and the fate of
//! the connection are decided where they always are, and memory is the one piece.
//!
//! Owns: the place of the piece, letting the transfer go on.
//! Does not own: the transfer ([`crate::transfer::fetch`]).

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use haul_io::{Blocking, Buf, Cancel, Completion, Io, Op, run_ready};

use crate::body::handover::Handover;
use crate::body::sink::Sink;
use crate::client::once::fetch_once;
use crate::transfer::shared::Shared;
use crate::{Error, Request, Response};

/// The body of a response, from [`Client::stream`](crate::Client::stream): read as it arrives, on any thread.
///
/// The end that [`Read::read`] tells is one that was checked: a body that ends early, or breaks its digest or a limit,
/// is an error, with [`Error`] as its inner one, and so is every read after it. What was read before is then not to be
/// relied on.
///
/// Memory is one piece of at most 128 KiB, so that a slow reader slows the server down. Its pauses don't count as the
/// server's silence, but they do for [`Config::total_timeout`](crate::Config::total_timeout). The connection is used
/// again if the body was read to its end; dropping this earlier closes it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = haul_fetch::Client::new(haul_fetch::Config::default())?;
/// let (response, mut body) = client.stream(haul_fetch::Request::get("https://example.org/")?)?;
/// let saving = std::thread::spawn(move || std::io::copy(&mut body, &mut std::fs::File::create("page")?));
/// println!("{}, and the rest follows", response.status);
/// println!("{} bytes", saving.join().expect("no panic")?);
/// # Ok(())
/// # }
/// ```
pub struct BodyReader {
    state: State,
    handover: Handover,
}

type Transfer = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

enum State {
    Running(Transfer),
    Complete,
    Failed,
}

/// Begins `request` and goes on until the head of its response is there.
pub(crate) fn stream(
    shared: Arc<Shared>,
    cancel: Cancel,
    request: Request,
) -> Result<(Response, BodyReader), Error> {
    let handover = Handover::default();
    let sink = Sink::Reader(handover.clone());
    let transfer = async move {
        let io = Movable(Mutex::new(Blocking::new(cancel)));
        fetch_once(&io, &shared, &request, sink).await
    };
    let mut reader = BodyReader { state: State::Running(Box::pin(transfer)), handover };
    let at_its_end = reader.go_on()?;
    let announced = reader.handover.take_response();
    let response = announced.or(at_its_end).expect("a transfer has a response when it hands over or ends");
    Ok((Response { body_bytes: 0, ..response }, reader))
}

/// Blocking operations for a transfer that rests on one thread and goes on, on another. A lock for each costs little
/// beside the system call; workers, whose transfers stay where they are, need none.
struct Movable(Mutex<Blocking>);

impl Movable {
    fn lock(&self) -> MutexGuard<'_, Blocking> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Io for Movable {
    async fn submit(&self, op: Op) -> Completion {
        run_ready(self.lock().submit(op))
    }

    fn now(&self) -> Duration {
        self.lock().now()
    }

    fn random(&self, out: &mut [u8]) {
        self.lock().random(out);
    }

    fn progress(&self, bytes: u64) {
        self.lock().progress(bytes);
    }

    fn take_buf(&self, capacity: usize) -> Buf {
        self.lock().take_buf(capacity)
    }

    fn give_buf(&self, buf: Buf) {
        self.lock().give_buf(buf);
    }
}

impl BodyReader {
    /// Lets the transfer go on to its next piece, or its end.
    fn go_on(&mut self) -> Result<Option<Response>, Error> {
        let State::Running(transfer) = &mut self.state else { return Ok(None) };
        match transfer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(response)) => {
                self.state = State::Complete;
                Ok(Some(response))
            }
            Poll::Ready(Err(error)) => {
                self.state = State::Failed;
                Err(error)
            }
        }
    }
}

impl Read for BodyReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(count) = self.handover.read(out) {
                return Ok(count);
            }
            match self.state {
                State::Running(_) => self.go_on().map_err(into_io)?,
                State::Complete => return Ok(0),
                State::Failed => return Err(io::Error::other("the body failed before its end")),
            };
        }
    }
}

impl std::fmt::Debug for BodyReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyReader").finish_non_exhaustive()
    }
}

/// Of the kind that a reader knows; the inner error tells all.
fn into_io(error: Error) -> io::Error {
    let kind = match &error {
        Error::Timeout(_) | Error::TooSlow { .. } => io::ErrorKind::TimedOut,
        Error::Protocol(error) if error.is_truncation() => io::ErrorKind::UnexpectedEof,
        Error::Transport(source) => source.kind(),
        Error::Cancelled => io::ErrorKind::Other,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_may_go_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<BodyReader>();
    }
}
