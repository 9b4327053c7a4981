//! Shortages of the system, on both executions.
//!
//! Owns: which operations wait, and which don't.
//! Does not own: how long a worker waits ([`crate::system::shortage`]).

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use super::TaskIo;
use crate::system::shortage::faults;
use crate::{Blocking, Buf, Cancel, Feed, Io, Offset, OpenMode, Uring, UringConfig, run_ready};

const LONG: Duration = Duration::from_secs(20);
const SHORTAGES: [Errno; 5] = [Errno::NOMEM, Errno::NOBUFS, Errno::AGAIN, Errno::NFILE, Errno::MFILE];

/// Every operation succeeds at its third attempt.
async fn operations_wait(io: &impl Io, dir: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = io.connect(vec![listener.local_addr().unwrap()], LONG).await.unwrap();
    let (peer, _) = listener.accept().unwrap();
    for errno in SHORTAGES {
        let short = || {
            assert_eq!(faults::left(), 0, "{errno:?}: not met");
            faults::inject(errno, 2);
        };
        short();
        let file = io.open(None, &dir.join("file"), OpenMode::ReadWrite { follow: false }).await.unwrap();
        short();
        io.stat(&file).await.unwrap();
        short();
        io.stat_at(None, &dir.join("file")).await.unwrap();
        short();
        let (written, _) = io.write_all(&file, b"content".to_vec().into(), Offset::At(0)).await;
        written.unwrap();
        short();
        let (read, buf) = io.read_full(&file, Buf::with_capacity(7), 7, Offset::At(0)).await;
        assert_eq!((read.unwrap(), buf.filled()), (7, &b"content"[..]));
        short();
        let (sent, _) = io.send_all(&socket, b"question".to_vec().into(), LONG).await;
        sent.unwrap();
        std::io::Write::write_all(&mut &peer, b"answer").unwrap();
        short();
        let (received, buf) = io.recv(&socket, Buf::with_capacity(8), LONG).await;
        assert_eq!((received.unwrap(), buf.filled()), (6, &b"answer"[..]));
        assert_eq!(faults::left(), 0);
    }
}

/// A failed sync is no shortage, whatever its error, and a shortage that lasts is an error.
async fn some_errors_end_the_wait(io: &impl Io, dir: &Path, exhaust: impl Fn()) {
    let path = dir.join("file");
    let file = io.open(None, &path, OpenMode::Read { follow: false }).await.unwrap();
    faults::inject(Errno::NOMEM, 1);
    assert_eq!(io.sync(&file).await.unwrap_err().raw_os_error(), Some(Errno::NOMEM.raw_os_error()));
    // Two: a ring first tries without waiting.
    faults::inject(Errno::AGAIN, 2);
    let held = io.open(None, &path, OpenMode::Locked).await.unwrap_err();
    assert_eq!(held.kind(), std::io::ErrorKind::WouldBlock);
    faults::inject(Errno::MFILE, 2);
    io.open(None, &path, OpenMode::Locked).await.unwrap();
    exhaust();
    faults::inject(Errno::NOBUFS, 2);
    let (read, buf) = io.read_full(&file, Buf::with_capacity(7), 1, Offset::At(0)).await;
    assert_eq!(read.unwrap_err().raw_os_error(), Some(Errno::NOBUFS.raw_os_error()));
    assert_eq!(buf.capacity(), 7, "the buffer comes back");
    faults::inject(Errno::NOBUFS, 0);
    // Only another success of this kind shows that the shortage is over.
    io.stat(&file).await.unwrap();
    faults::inject(Errno::NFILE, 2);
    io.open(None, &path, OpenMode::Read { follow: false }).await.unwrap_err();
    faults::inject(Errno::NFILE, 0);
    io.open(None, &path, OpenMode::Read { follow: false }).await.unwrap();
    faults::inject(Errno::NFILE, 1);
    io.open(None, &path, OpenMode::Read { follow: false }).await.unwrap();
    assert_eq!(faults::left(), 0);
}

/// Runs `job` on a ring.
fn on_ring(job: impl AsyncFn(&TaskIo)) {
    let uring = Uring::new(UringConfig::default(), Cancel::new().unwrap(), Arc::default()).unwrap();
    let mut is_fed = false;
    uring.run(|| {
        if std::mem::replace(&mut is_fed, true) {
            return Feed::End;
        }
        let (io, job) = (uring.task(), &job);
        Feed::Job(Box::pin(async move { job(&io).await }))
    });
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    dir
}

#[test]
fn operations_wait_while_something_is_short() {
    let dir = directory();
    run_ready(operations_wait(&Blocking::new(Cancel::new().unwrap()), dir.path()));
    on_ring(async |io| operations_wait(io, dir.path()).await);
}

#[test]
fn a_failed_sync_and_a_lasting_shortage_are_errors() {
    let dir = directory();
    let blocking = Blocking::new(Cancel::new().unwrap());
    run_ready(some_errors_end_the_wait(&blocking, dir.path(), || blocking.patience.exhaust()));
    on_ring(async |io| {
        some_errors_end_the_wait(io, dir.path(), || io.0.core.patience.exhaust()).await;
    });
}
