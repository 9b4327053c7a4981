//! Sockets on a ring: conversations, timeouts, connecting, sharing with blocking operations.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{pair, run_one};
use haul_io::{
    Blocking, Buf, Cancel, Feed, Io, LocalJob, Socket, Uring, UringConfig, is_cancelled, run_ready,
};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

fn ring(config: UringConfig) -> (Uring, Cancel) {
    let cancel = Cancel::new().unwrap();
    (Uring::new(config, cancel.clone(), Arc::default()).expect("a ring"), cancel)
}

/// The response to the request of this number: one byte to a few hundred thousand.
fn answer(number: usize) -> Vec<u8> {
    (0..number * number * 20 + 1).map(|index| (index * 7 + number) as u8).collect()
}

/// A peer: answers numbers of four bytes until the connection ends.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut number = [0; 4];
    while stream.read_exact(&mut number).is_ok() {
        stream.write_all(&answer(u32::from_ne_bytes(number) as usize))?;
    }
    Ok(())
}

async fn ask(io: &impl Io, socket: &Socket, number: usize) -> io::Result<()> {
    let request = (number as u32).to_ne_bytes().to_vec();
    io.send_all(socket, request.into(), LONG).await.0?;
    let (expected, mut said) = (answer(number), Vec::new());
    let mut buf = Buf::with_capacity(4_096);
    while said.len() < expected.len() {
        let (count, back) = io.recv(socket, buf, LONG).await;
        assert_ne!(count?, 0, "the peer ended early");
        said.extend_from_slice(back.filled());
        buf = back;
        buf.clear();
    }
    assert!(said == expected, "the answer to {number} is wrong");
    Ok(())
}

#[test]
fn a_hundred_conversations_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        std::thread::scope(|scope| {
            for _ in 0..100 {
                let (stream, _) = listener.accept().unwrap();
                scope.spawn(|| serve(stream));
            }
        });
    });
    let (uring, _) = ring(UringConfig { in_flight_max: 100, ..UringConfig::default() });
    let ended = Cell::new(0);
    let mut next = 0..100;
    uring.run(|| {
        let Some(index) = next.next() else { return Feed::End };
        let (io, ended) = (uring.task(), &ended);
        Feed::Job(Box::pin(async move {
            let socket = io.connect(vec![address], LONG).await.unwrap();
            for number in [index, 99 - index, 0] {
                ask(&io, &socket, number).await.unwrap();
            }
            let meter = io.take_meter();
            assert!(meter.ops >= 7 && !meter.device.is_zero(), "{meter:?}");
            ended.set(ended.get() + 1);
        }))
    });
    assert_eq!(ended.get(), 100);
    drop(uring);
    server.join().unwrap();
}

#[test]
fn sockets_move_between_executions() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (stream, _) = listener.accept().unwrap();
            serve(stream).unwrap();
        }
    });
    let blocking = Blocking::new(Cancel::new().unwrap());
    let (uring, _) = ring(UringConfig::default());
    let socket = run_one(&uring, async |io| {
        let socket = io.connect(vec![address], LONG).await.unwrap();
        ask(&io, &socket, 5).await.unwrap();
        socket
    });
    run_ready(ask(&blocking, &socket, 6)).unwrap();
    run_one(&uring, async |io| ask(&io, &socket, 7).await.unwrap());
    drop(socket);

    let socket = run_ready(blocking.connect(vec![address], LONG)).unwrap();
    run_one(&uring, async |io| ask(&io, &socket, 8).await.unwrap());
    drop(socket);
    server.join().unwrap();
}

#[test]
fn what_does_not_arrive_in_time_is_a_timeout() {
    let (uring, _) = ring(UringConfig::default());
    let (socket, mut peer) = pair();
    run_one(&uring, async |io| {
        for timeout in [SHORT, Duration::ZERO] {
            let before = Instant::now();
            let (result, buf) = io.recv(&socket, Buf::with_capacity(10), timeout).await;
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!((buf.capacity(), buf.filled()), (10, b"".as_slice()));
            assert!(before.elapsed() >= timeout);
        }
        peer.write_all(b"late").unwrap();
        let (count, buf) = io.recv(&socket, Buf::with_capacity(10), Duration::ZERO).await;
        assert_eq!((count.unwrap(), buf.filled()), (4, b"late".as_slice()), "nothing is lost by a timeout");
        let flood = loop {
            let (result, _) = io.send_all(&socket, Buf::with_capacity(1 << 20).full(), SHORT).await;
            if let Err(error) = result {
                break error;
            }
        };
        assert_eq!(flood.kind(), io::ErrorKind::TimedOut, "the peer does not read");
    });
}

trait Full {
    fn full(self) -> Self;
}

impl Full for Buf {
    fn full(mut self) -> Self {
        self.commit(self.capacity());
        self
    }
}

#[test]
fn the_end_of_the_peer_is_an_end_and_then_an_error() {
    let (uring, _) = ring(UringConfig::default());
    let (socket, peer) = pair();
    drop(peer);
    run_one(&uring, async |io| {
        let (count, _) = io.recv(&socket, Buf::with_capacity(10), LONG).await;
        assert_eq!(count.unwrap(), 0);
        let broken = loop {
            if let (Err(error), _) = io.send_all(&socket, Buf::from(vec![0; 10]), LONG).await {
                break error;
            }
        };
        assert!(
            matches!(broken.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
            "{broken}"
        );
    });
}

/// A bound socket that never listens: its port is reserved, and connecting to it is refused.
fn refusing() -> (OwnedFd, SocketAddr) {
    use rustix::net::{AddressFamily, SocketType};
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &"127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    let address = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
    (socket, address)
}

#[test]
fn a_refused_address_leads_on_to_the_next() {
    let (_held, gone) = refusing();
    let alive = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = alive.local_addr().unwrap();
    let (uring, _) = ring(UringConfig::default());
    run_one(&uring, async |io| {
        io.connect(vec![gone, address], LONG).await.expect("the second address answers");
        let error = io.connect(vec![gone], LONG).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = io.connect(Vec::new(), LONG).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

/// A listener whose queue is full: it neither accepts nor refuses, so an attempt hangs.
fn silent() -> (TcpListener, Vec<OwnedFd>, SocketAddr) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &"127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let fill = || {
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None);
        let socket = socket.unwrap();
        let _ = rustix::net::connect(&socket, &address);
        socket
    };
    let filling = (0..4).map(|_| fill()).collect();
    (listener, filling, address)
}

#[test]
fn a_silent_address_loses_to_the_next_one_and_times_out_alone() {
    let (_listener, _filling, quiet) = silent();
    let alive = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = alive.local_addr().unwrap();
    let (uring, _) = ring(UringConfig::default());
    run_one(&uring, async |io| {
        let before = Instant::now();
        io.connect(vec![quiet, address], LONG).await.expect("the second address answers");
        assert!(before.elapsed() >= Duration::from_millis(250), "the first has its time alone");
        let error = io.connect(vec![quiet], SHORT).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn cancellation_ends_a_connection_attempt() {
    let (_listener, _filling, quiet) = silent();
    let (uring, cancel) = ring(UringConfig { in_flight_max: 2, ..UringConfig::default() });
    let errors = Cell::new(0);
    let mut jobs: Vec<LocalJob<'_>> = vec![
        Box::pin(async {
            let error = uring.task().connect(vec![quiet], LONG).await.unwrap_err();
            assert!(is_cancelled(&error));
            errors.set(1);
        }),
        Box::pin(async {
            uring.task().yield_now().await;
            cancel.trigger();
        }),
    ];
    uring.run(|| if jobs.is_empty() { Feed::End } else { Feed::Job(jobs.remove(0)) });
    drop(jobs);
    assert_eq!(errors.get(), 1);
}
