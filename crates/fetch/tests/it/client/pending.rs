//! Handles of submitted requests: waiting, polling, awaiting, cancelling, dropping.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use haul_fetch::{Client, Closing, Config, Error, Method, NoRoom, Pending, Request, RequestBody};
use haul_testkit::{Answer, Gate, Server};

const LONG: Duration = Duration::from_secs(30);

fn client(workers: usize) -> Client {
    Client::new(Config { workers, queue_max: 4_096, ..Config::default() }).unwrap()
}

fn submit(client: &Client, server: &Server, path: &str) -> Pending {
    client.submit(Request::get(server.url(path))).unwrap()
}

/// A server that holds requests below `/held` at a gate.
fn gated() -> (Server, Gate) {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        path if path.starts_with("/held") => Answer::ok(path).gate_at_start(&held),
        path => Answer::ok(path),
    });
    (server, gate)
}

/// Wakes a thread, and counts.
struct Bell {
    thread: Thread,
    count: AtomicUsize,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self { thread: thread::current(), count: AtomicUsize::new(0) })
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

/// The smallest executor: it polls only when woken.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let bell = Bell::new();
    let waker = Waker::from(bell.clone());
    let mut seen = 0;
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        while bell.count() == seen {
            thread::park_timeout(LONG);
        }
        seen = bell.count();
    }
}

#[test]
fn any_thread_can_wait_for_a_result() {
    let (server, gate) = gated();
    let client = client(2);
    let held = submit(&client, &server, "/held");
    let waiter = thread::spawn(move || held.wait());
    assert_eq!(submit(&client, &server, "/x").wait().unwrap().body, b"/x");
    gate.open();
    assert_eq!(waiter.join().unwrap().unwrap().body, b"/held");
    let (_held, refused) = haul_testkit::refused_address();
    let refused = Request::get(format!("http://{refused}/"));
    assert!(matches!(client.submit(refused).unwrap().wait(), Err(Error::Connect(_))));
}

#[test]
fn a_result_is_returned_once() {
    let (server, gate) = gated();
    let client = client(1);
    let mut held = submit(&client, &server, "/held");
    server.wait_requests(1);
    assert!(!held.is_done() && held.try_take().is_none());
    assert!(held.wait_timeout(Duration::ZERO).is_none() && !held.is_done());
    gate.open();
    assert_eq!(held.wait_timeout(LONG).unwrap().unwrap().body, b"/held");
    assert!(held.is_done());
    assert!(held.try_take().is_none() && held.wait_timeout(LONG).is_none(), "only once");
    held.cancel();
    assert!(held.try_take().is_none());
}

#[test]
fn a_future_is_polled_by_any_executor() {
    let (server, gate) = gated();
    let client = client(4);
    let mut pending: Vec<_> = (0..20).map(|index| submit(&client, &server, &format!("/{index}"))).collect();
    pending.push(submit(&client, &server, "/held"));
    gate.open();
    let bodies = block_on(async {
        let mut bodies = Vec::new();
        for one in pending {
            bodies.push(String::from_utf8(one.await.unwrap().body).unwrap());
        }
        bodies
    });
    let expected = (0..20).map(|index| format!("/{index}")).chain(["/held".to_owned()]);
    assert_eq!(bodies, expected.collect::<Vec<_>>());
}

#[test]
fn only_the_last_waker_is_woken() {
    let (server, gate) = gated();
    let client = client(1);
    let mut held = pin!(submit(&client, &server, "/held"));
    let (first, second) = (Bell::new(), Bell::new());
    for bell in [&first, &second] {
        let waker = Waker::from(bell.clone());
        assert!(held.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&first), 1, "a waker that was replaced is dropped");
    gate.open();
    while second.count() == 0 {
        thread::park_timeout(LONG);
    }
    assert_eq!((first.count(), second.count()), (0, 1));
    let Poll::Ready(result) = held.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("woken without a result");
    };
    assert_eq!(result.unwrap().body, b"/held");
}

#[test]
fn dropping_or_cancelling_frees_the_worker_at_once() {
    let (server, _never_opened) = gated();
    let client = client(1);
    let running = submit(&client, &server, "/held/1");
    server.wait_requests(1);
    let waiting = submit(&client, &server, "/dropped");
    let mut cancelled = submit(&client, &server, "/cancelled");
    cancelled.cancel();
    assert!(matches!(cancelled.try_take(), Some(Err(Error::Cancelled))), "at once");
    drop(waiting);
    drop(running);
    assert_eq!(submit(&client, &server, "/x").wait().unwrap().body, b"/x", "the worker is free");

    let running = submit(&client, &server, "/held/2");
    server.wait_requests(3);
    running.cancel();
    assert!(matches!(running.wait(), Err(Error::Cancelled)));
    assert_eq!(submit(&client, &server, "/y").wait().unwrap().body, b"/y", "and only one request was hit");
    let asked: Vec<_> = server.requests().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(asked, ["/held/1", "/x", "/held/2", "/y"]);
}

#[test]
fn closing_answers_every_handle() {
    for closing in [Closing::Finish, Closing::Cancel] {
        let (server, gate) = gated();
        let client = client(2);
        let pending: Vec<_> = (0..10).map(|_| submit(&client, &server, "/held")).collect();
        server.wait_requests(2);
        if closing == Closing::Finish {
            gate.open();
        }
        client.close(closing);
        assert!(pending.iter().all(Pending::is_done));
        for result in pending.into_iter().map(Pending::wait) {
            match closing {
                Closing::Finish => assert_eq!(result.unwrap().body, b"/held"),
                Closing::Cancel => assert!(matches!(result, Err(Error::Cancelled))),
            }
        }
        gate.open();
    }
}

#[test]
fn thousands_of_handles_are_cheap() {
    let (server, _) = gated();
    let client = client(4);
    let pending: Vec<_> = (0..4_000).map(|index| submit(&client, &server, &format!("/{index}"))).collect();
    for (index, one) in pending.into_iter().enumerate() {
        // Every third handle is dropped, whatever the state of its request.
        if index % 3 > 0 {
            assert_eq!(one.wait().unwrap().body, format!("/{index}").as_bytes());
        }
    }
}

#[test]
fn a_full_queue_returns_the_request() {
    let (server, _never_opened) = gated();
    let client = Client::new(Config { workers: 1, queue_max: 1, ..Config::default() }).unwrap();
    let mut taken = Vec::new();
    let refused = loop {
        match client.submit(Request::get(server.url("/held"))) {
            Ok(pending) => taken.push(pending),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused.reason, NoRoom::Full) && taken.len() <= 2);
    assert_eq!(refused.request.url().path(), "/held");
    assert_eq!(refused.to_string(), "the request queue is full");
}

/// A body that panics when it is read.
struct Panics;

impl std::io::Read for Panics {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("on purpose");
    }
}

#[test]
fn a_panic_is_reported_too() {
    let (server, _) = gated();
    let client = client(1);
    let request = Request::new(Method::POST, server.url("/x"));
    let request = request.body(RequestBody::reader(Panics));
    assert!(matches!(client.submit(request).unwrap().wait(), Err(Error::WorkerPanicked)));
    assert_eq!(submit(&client, &server, "/y").wait().unwrap().body, b"/y", "the worker lives");
}

/// A body whose reader panics.
fn panicking(server: &Server) -> Request {
    struct Panics;
    impl std::io::Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("the reader of a body");
        }
    }
    Request::new(Method::POST, server.url("/")).body(RequestBody::reader(Panics))
}

#[test]
fn every_request_has_an_end_where_a_reader_panics() {
    let server = Server::start(|_| Answer::ok("x"));
    let client = Client::new(Config { workers: 2, ..Config::default() }).unwrap();
    let good = || Request::get(server.url("/"));
    let requests = [good(), panicking(&server), good(), panicking(&server), good()];
    let mut ends: Vec<_> = client.fetch_each(requests).collect();
    ends.sort_by_key(|(index, _)| *index);
    let failed: Vec<_> = ends.iter().filter(|(_, end)| end.is_err()).map(|(index, _)| *index).collect();
    assert_eq!((ends.len(), failed), (5, vec![1, 3]));
    assert!(matches!(ends[1].1, Err(Error::WorkerPanicked)));
    assert!(matches!(client.submit(panicking(&server)).unwrap().wait(), Err(Error::WorkerPanicked)));
    let (sender, receiver) = std::sync::mpsc::channel();
    client.fetch_async(panicking(&server), move |end| sender.send(end).unwrap()).unwrap();
    assert!(matches!(receiver.recv().unwrap(), Err(Error::WorkerPanicked)));
    assert!(client.submit(good()).unwrap().wait().is_ok(), "the workers go on");
}
