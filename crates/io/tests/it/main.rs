//! The crate from outside: operations, jobs and files on each execution.
//!
//! Owns: the fixtures that several test modules share.
//! Does not own: the limit on heaps (`tests/heaps.rs`), which needs a process with a single thread.

mod executions;
mod moving;
mod staged_names;
mod uring;
mod uring_end;
mod uring_sockets;

use std::cell::Cell;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use haul_io::{Feed, LocalJob, Socket, TaskIo, Uring};

/// Runs `jobs` to their end.
fn run_all<'a>(uring: &Uring, jobs: Vec<LocalJob<'a>>) {
    let mut jobs = jobs.into_iter();
    uring.run(|| jobs.next().map_or(Feed::End, Feed::Job));
}

/// The result of one job.
fn run_one<T>(uring: &Uring, job: impl AsyncFnOnce(TaskIo) -> T) -> T {
    let result = Cell::new(None);
    run_all(uring, vec![Box::pin(async { result.set(Some(job(uring.task()).await)) })]);
    result.into_inner().expect("the job ended")
}

/// A connected socket and its peer.
fn pair() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (OwnedFd::from(stream).into(), listener.accept().unwrap().0)
}
