//! A response whose body is read by the caller as it arrives.
//!
//! The transfer is the same as any other, and its body goes into a [`Handover`], which suspends it after each piece
//! until the caller has read that. So redirects, codings, checks and the reuse of the connection need no code here, and
//! memory is bounded by one piece.
//!
//! Owns: resuming the transfer, errors as [`std::io::Error`].
//! Does not own: the transfer ([`crate::transfer::fetch`]), the piece ([`crate::body::handover`]).

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use haul_io::{Blocking, Buf, BufResult, Cancel, Completion, Io, Op, Publish, Published, run_ready};

use crate::body::handover::Handover;
use crate::body::sink::Sink;
use crate::client::once::{Turn, fetch_once};
use crate::transfer::shared::Shared;
use crate::{Error, Request, Response};

/// The body of a response from [`Client::stream`](crate::Client::stream), to be read as it arrives, on any thread.
///
/// When [`Read::read`] returns 0, the body is complete and was checked. A body that ends early, doesn't match its
/// digest or exceeds a limit is an error, with [`Error`] as its inner error, and so is every later read. The bytes read
/// before must then not be relied on.
///
/// Cost: memory for one piece of at most 128 KiB, so that a slow reader slows the server down. Its pauses don't count
/// for [`Config::read_timeout`](crate::Config::read_timeout), but for
/// [`Config::total_timeout`](crate::Config::total_timeout). The connection is reused if the body was read to its end;
/// dropping the reader earlier closes it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = haul_fetch::Client::new(haul_fetch::Config::default())?;
/// let (response, mut body) = client.stream(haul_fetch::Request::get("https://example.org/"))?;
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

/// Begins `request`, and returns when the head of its response has arrived.
pub(crate) fn stream(
    shared: Arc<Shared>,
    cancel: Cancel,
    request: Request,
) -> Result<(Response, BodyReader), Error> {
    let handover = Handover::default();
    let sink = Sink::Reader(handover.clone());
    let transfer = async move {
        let io = SendBlocking(Mutex::new(Blocking::new(cancel)));
        fetch_once(&io, &shared, &request, sink, Turn::default()).await
    };
    let mut reader = BodyReader { state: State::Running(Box::pin(transfer)), handover };
    let at_end = reader.resume()?;
    let announced = reader.handover.take_response();
    let response = announced.or(at_end).expect("a transfer has a response when it hands over or ends");
    Ok((Response { body_bytes: 0, ..response }, reader))
}

/// Blocking I/O for a transfer that may be resumed on another thread. The lock for each operation costs little compared
/// to the system call. Workers don't need it, as their transfers stay on one thread.
struct SendBlocking(Mutex<Blocking>);

impl SendBlocking {
    fn lock(&self) -> MutexGuard<'_, Blocking> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Io for SendBlocking {
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

    async fn write_file(&self, publish: Publish, content: Buf) -> BufResult<Published> {
        haul_io::write_file(self, publish, content).await
    }

    fn take_buf(&self, capacity: usize) -> Buf {
        self.lock().take_buf(capacity)
    }

    fn give_buf(&self, buf: Buf) {
        self.lock().give_buf(buf);
    }
}

impl BodyReader {
    /// Resumes the transfer until its next piece, or its end.
    fn resume(&mut self) -> Result<Option<Response>, Error> {
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
                State::Running(_) => self.resume().map_err(into_io)?,
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

/// Converts to an I/O error of the matching kind, with `error` inside.
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

/// The error in an I/O error of a [`BodyReader`].
pub(crate) fn from_io(error: io::Error) -> Error {
    error.downcast().unwrap_or_else(Error::Transport)
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
