//! Rings that end with operations in flight, and rings that are refused.

// The filter is installed by system calls that have no safe interface.
#![allow(unsafe_code)]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::pair;
use haul_io::{
    Blocking, Buf, Cancel, Feed, Io, LocalJob, Names, Offset, Refusal, RingRefused, Socket, TaskIo, Uring,
    UringConfig, run_ready,
};

const LONG: Duration = Duration::from_secs(20);

fn ring() -> Result<Uring, RingRefused> {
    Uring::new(UringConfig::default(), Cancel::new().unwrap(), Arc::default())
}

/// Starts `jobs`, lets the ring turn, and drops all of them in flight.
fn abandon(uring: &Uring, jobs: Vec<LocalJob<'_>>) {
    let mut jobs = jobs.into_iter();
    let mut turns = 0;
    let ran = catch_unwind(AssertUnwindSafe(|| {
        uring.run(|| match jobs.next() {
            Some(job) => Feed::Job(job),
            None if turns == 3 => std::panic::resume_unwind(Box::new("enough")),
            None => {
                turns += 1;
                Feed::Wait(Duration::ZERO)
            }
        });
    }));
    assert!(ran.is_err());
}

/// Data that arrives after the ring is gone must be left for the next receiver. (The driver's tests, where freed
/// memory is watched, show that the ring doesn't write into it.)
#[test]
fn a_ring_that_has_ended_receives_nothing() {
    for round in 0..20 {
        let mut pairs: Vec<_> = (0..50).map(|_| pair()).collect();
        let uring = ring().unwrap();
        let receive = |(socket, _): &(Socket, TcpStream)| -> LocalJob<'_> {
            let (io, socket) = (uring.task(), socket.clone());
            Box::pin(async move { drop(io.recv(&socket, Buf::with_capacity(64), LONG).await) })
        };
        abandon(&uring, pairs.iter().map(receive).collect());
        drop(uring);
        for (_, peer) in &mut pairs {
            peer.write_all(b"x").unwrap();
        }
        let blocking = Blocking::new(Cancel::new().unwrap());
        for (index, (socket, _)) in pairs.iter().enumerate() {
            let (count, _) = run_ready(blocking.recv(socket, Buf::with_capacity(64), Duration::from_secs(1)));
            assert_eq!(count.ok(), Some(1), "round {round}, socket {index}: the ring took it");
        }
    }
}

#[test]
fn every_kind_of_operation_can_be_abandoned() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (reader, _writer) = rustix::pipe::pipe().unwrap();
    let (socket, _peer) = pair();
    let uring = ring().unwrap();
    let io = || uring.task();
    let (a, b, c, d, e, f) = (io(), io(), io(), io(), io(), io());
    let file = std::fs::File::create(dir.path().join("file")).unwrap();
    let (file, pipe) = (haul_io::File::from(file), haul_io::File::from(std::fs::File::from(reader)));
    let jobs: Vec<LocalJob<'_>> = vec![
        Box::pin(async move { drop(a.sleep(LONG).await) }),
        Box::pin(async move { drop(b.connect(vec![address], LONG).await) }),
        Box::pin(async move { drop(c.read_full(&pipe, Buf::with_capacity(8), 8, Offset::Stream).await) }),
        Box::pin(async move {
            loop {
                drop(d.sync(&file).await);
            }
        }),
        Box::pin(async move {
            loop {
                let (sent, _) = e.send_all(&socket, vec![0; 100_000].into(), LONG).await;
                drop(sent);
            }
        }),
        Box::pin(async move {
            loop {
                drop(f.resolve(&Names::default(), "127.0.0.1", 80, Duration::from_secs(30)).await);
            }
        }),
    ];
    abandon(&uring, jobs);
    let kept = uring.task();
    drop(uring);
    drop(kept);
}

/// Makes the system call with the number `call` fail with `errno` on this thread from now on.
fn forbid(call: i64, errno: u32) {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let statement = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        // The number of the system call is the first word that a filter sees.
        statement(LOAD_WORD, 0, 0, 0),
        statement(JUMP_IF_EQUAL, 0, 1, call as u32),
        statement(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno),
        statement(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: this option takes four numbers.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: `program` and the instructions it points at live until the call has returned; the kernel copies them.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn each_refusal_of_a_ring_has_its_meaning() {
    for (errno, meaning) in [
        (libc::EPERM, Refusal::Forbidden),
        (libc::ENOSYS, Refusal::Absent),
        (libc::EINVAL, Refusal::TooOld),
        (libc::ENOMEM, Refusal::Exhausted),
        (libc::EIO, Refusal::Other),
    ] {
        // A filter applies to the thread that installs it.
        let refused = std::thread::spawn(move || {
            forbid(libc::SYS_io_uring_setup, errno as u32);
            ring().err()
        });
        assert_eq!(refused.join().unwrap(), Some(RingRefused { errno, meaning }));
    }
    ring().expect("other threads still get one");
}

/// Runs `rest` on a ring that breaks with `errno` while a receive is in flight.
fn break_ring(errno: i32, cancel: &Cancel, rest: impl AsyncFn(&TaskIo) + Sync) {
    let ring_thread = || {
        let uring = Uring::new(UringConfig::default(), cancel.clone(), Arc::default()).unwrap();
        let (silent, _peer) = pair();
        let mut feeds = 0;
        uring.run(|| {
            feeds += 1;
            let io = uring.task();
            match feeds {
                1 => Feed::Job(Box::pin(async {
                    let io = io;
                    let (received, _) = io.recv(&silent, Buf::with_capacity(8), LONG).await;
                    let said = received.unwrap_err().to_string();
                    let meaning = haul_io::reason(&std::io::Error::from_raw_os_error(errno));
                    assert_eq!(said, format!("io_uring stopped working: {meaning}"));
                })),
                2 => Feed::Job(Box::pin(async {
                    let io = io;
                    // The ring turns, and the kernel begins to receive.
                    io.yield_now().await;
                    forbid(libc::SYS_io_uring_enter, errno as u32);
                    io.sleep(Duration::from_millis(1)).await.unwrap();
                    rest(&io).await;
                })),
                _ => Feed::End,
            }
        });
        assert!(uring.failure().is_some());
    };
    // A filter applies to the thread that installs it.
    std::thread::scope(|scope| scope.spawn(ring_thread).join().unwrap());
}

#[test]
fn a_ring_that_breaks_in_the_middle_of_a_run_ends_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for errno in [libc::EPERM, libc::ENOSYS, libc::EINVAL, libc::EBADR, libc::EBADF] {
        break_ring(errno, &Cancel::new().unwrap(), async |io| {
            let file = haul_io::File::from(std::fs::File::create(dir.path().join("file")).unwrap());
            io.sync(&file).await.unwrap();
            let socket = io.connect(vec![address], LONG).await.unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            peer.write_all(b"hello").unwrap();
            let (received, buf) = io.recv(&socket, Buf::with_capacity(8), LONG).await;
            assert_eq!((received.unwrap(), buf.filled()), (5, &b"hello"[..]));
            let (sent, _) = io.send_all(&socket, b"bye".to_vec().into(), LONG).await;
            sent.unwrap();
            io.resolve(&Names::default(), "127.0.0.1", 80, LONG).await.unwrap();
        });
    }
}

#[test]
fn a_broken_ring_hears_that_the_run_was_cancelled() {
    let cancel = Cancel::new().unwrap();
    let trigger = cancel.clone();
    break_ring(libc::EPERM, &cancel, async |io| {
        let (silent, _peer) = pair();
        let trigger = trigger.clone();
        let triggering = std::thread::spawn(move || trigger.trigger());
        let (received, _) = io.recv(&silent, Buf::with_capacity(8), LONG).await;
        assert!(haul_io::is_cancelled(&received.unwrap_err()));
        assert!(haul_io::is_cancelled(&io.sleep(LONG).await.unwrap_err()));
        triggering.join().unwrap();
    });
}

const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";

/// Restores the setting, even after a panic.
struct Restored(Vec<u8>);

impl Drop for Restored {
    fn drop(&mut self) {
        std::fs::write(SWITCH, &self.0).expect("what could be changed can be changed back");
    }
}

#[test]
#[ignore = "soak: needs root, and forbids io_uring to the whole system while it runs"]
#[allow(clippy::print_stderr, reason = "a test that can't run says so")]
fn the_setting_of_the_system_forbids_rings() {
    let Ok(before) = std::fs::read(SWITCH) else { return eprintln!("SKIPPED: this kernel has no {SWITCH}") };
    if let Err(error) = std::fs::write(SWITCH, "2") {
        return eprintln!("SKIPPED: {SWITCH} can't be written: {error}");
    }
    let restored = Restored(before);
    assert_eq!(ring().err(), Some(RingRefused { errno: libc::EPERM, meaning: Refusal::Forbidden }));
    drop(restored);
    ring().expect("allowed again");
}
