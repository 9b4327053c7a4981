//! Requests and responses over many connections at once.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use haul_io::{Io, Socket, Uring, UringConfig};
use rustix::event::epoll;

#[path = "receive.rs"]
mod receive;

use receive::Bare;

use super::{Way, compare, ring, run_each};

const EXCHANGES: usize = 30_000;
const REQUEST_BYTES: usize = 100;
const LONG: Duration = Duration::from_secs(60);

pub(super) fn all() {
    for (connections, response_bytes) in [(64, 1_000), (64, 30_000), (512, 1_000), (2_000, 1_000)] {
        let address = start_server(response_bytes);
        let uring = ring(UringConfig { in_flight_max: connections, ..UringConfig::default() });
        let sockets = connect(&uring, address, connections);
        let mut polled = Polled::new(address, connections);
        let mut once = Bare::new(address, connections, false);
        let mut many = Bare::new(address, connections, true);
        let ways = vec![
            Way::new("epoll and plain calls", || polled.exchange(response_bytes)),
            Way::new("ring, one-shot receives", || exchange(&uring, &sockets, response_bytes)),
            Way::new("bare ring, one-shot receives", || once.exchange(response_bytes)),
            Way::new("bare ring, multishot receives and a copy", || many.exchange(response_bytes)),
        ];
        let title = format!(
            "{EXCHANGES} exchanges over {connections} connections, responses of {response_bytes} bytes"
        );
        compare(&title, 9, || {}, ways);
    }
}

/// A server on a thread of its own, which answers until the program ends.
fn start_server(response_bytes: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut ready = Ready::new();
        ready.add(&listener, u64::MAX);
        let response = vec![b'r'; response_bytes];
        let mut streams: Vec<TcpStream> = Vec::new();
        let mut request = [0; REQUEST_BYTES];
        loop {
            for index in ready.wait() {
                if index == u64::MAX {
                    let (stream, _) = listener.accept().expect("a connection");
                    stream.set_nodelay(true).expect("an option");
                    ready.add(&stream, streams.len() as u64);
                    streams.push(stream);
                } else if streams[index as usize].read(&mut request).is_ok_and(|count| count > 0) {
                    streams[index as usize].write_all(&response).expect("a send");
                } else {
                    ready.remove(&streams[index as usize]);
                }
            }
        }
    });
    address
}

fn connect(uring: &Uring, address: SocketAddr, connections: usize) -> Vec<Socket> {
    let sockets = std::cell::RefCell::new(Vec::new());
    run_each(uring, connections, |_| {
        let (io, sockets) = (uring.task(), &sockets);
        Box::pin(async move {
            let socket = io.connect(vec![address], LONG).await.expect("a connection");
            sockets.borrow_mut().push(socket);
        })
    });
    sockets.into_inner()
}

fn exchange(uring: &Uring, sockets: &[Socket], response_bytes: usize) {
    run_each(uring, sockets.len(), |index| {
        let (io, socket) = (uring.task(), sockets[index].clone());
        let exchanges = EXCHANGES / sockets.len() + usize::from(index < EXCHANGES % sockets.len());
        Box::pin(async move {
            for _ in 0..exchanges {
                let request = vec![b'q'; REQUEST_BYTES].into();
                io.send_all(&socket, request, LONG).await.0.expect("a send");
                let mut received = 0;
                while received < response_bytes {
                    let (count, buf) = io.recv(&socket, io.take_buf(16_384), LONG).await;
                    received += count.expect("a receive");
                    io.give_buf(buf);
                }
            }
        })
    });
}

/// The same without this crate: non-blocking calls when `epoll` reports readiness.
struct Polled {
    ready: Ready,
    streams: Vec<TcpStream>,
}

impl Polled {
    fn new(address: SocketAddr, connections: usize) -> Self {
        let mut ready = Ready::new();
        let streams: Vec<_> = (0..connections)
            .map(|index| {
                let stream = TcpStream::connect(address).expect("a connection");
                stream.set_nodelay(true).expect("an option");
                ready.add(&stream, index as u64);
                stream
            })
            .collect();
        Self { ready, streams }
    }

    fn exchange(&mut self, response_bytes: usize) {
        let (request, mut buf) = ([b'q'; REQUEST_BYTES], vec![0; 16_384]);
        let mut missing = vec![response_bytes; self.streams.len()];
        let mut to_begin = EXCHANGES;
        let mut to_end = EXCHANGES;
        for stream in &mut self.streams {
            stream.write_all(&request).expect("a send");
            to_begin -= 1;
        }
        while to_end > 0 {
            for index in self.ready.wait() {
                let stream = &mut self.streams[index as usize];
                missing[index as usize] -= stream.read(&mut buf).expect("a receive");
                if missing[index as usize] == 0 {
                    to_end -= 1;
                    if to_begin > 0 {
                        to_begin -= 1;
                        missing[index as usize] = response_bytes;
                        stream.write_all(&request).expect("a send");
                    }
                }
            }
        }
    }
}

/// An `epoll` instance.
struct Ready {
    epoll: std::os::fd::OwnedFd,
    events: Vec<epoll::Event>,
}

impl Ready {
    fn new() -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("a descriptor");
        Self { epoll, events: Vec::with_capacity(256) }
    }

    fn add(&mut self, stream: &impl std::os::fd::AsFd, index: u64) {
        let data = epoll::EventData::new_u64(index);
        epoll::add(&self.epoll, stream, data, epoll::EventFlags::IN).expect("a registration");
    }

    fn remove(&mut self, stream: &impl std::os::fd::AsFd) {
        epoll::delete(&self.epoll, stream).expect("a registration");
    }

    fn wait(&mut self) -> Vec<u64> {
        self.events.clear();
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, spare, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("epoll: {error}"),
        }
        self.events.iter().map(|event| event.data.u64()).collect()
    }
}
