//! Measures one queue in one workload: threads pass numbers through it, or two threads pass one number back and forth.
//!
//! Owns: the cases, the queues.
//! Does not own: starting threads together ([`super::team`]), rounds and printing.

use haul_queue::{Ring, oracle::Oracle};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use super::team::{Start, together};

/// Slots of every queue, except in ping-pong, where queues have one.
const CAPACITY: usize = 1024;

/// The number of threads at each end; ping-pong is two queues between two threads.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    producers: usize,
    consumers: usize,
    ping_pong: bool,
}

impl Workload {
    /// The unit of the figures.
    pub(crate) fn unit(&self) -> &'static str {
        if self.ping_pong { "ns/trip" } else { "ns/msg" }
    }
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "1p1c", producers: 1, consumers: 1, ping_pong: false },
    Workload { name: "1p2c", producers: 1, consumers: 2, ping_pong: false },
    Workload { name: "2p2c", producers: 2, consumers: 2, ping_pong: false },
    Workload { name: "4p4c", producers: 4, consumers: 4, ping_pong: false },
    Workload { name: "ping-pong", producers: 1, consumers: 1, ping_pong: true },
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueKind {
    Ring,
    Crossbeam,
    SyncChannel,
    Oracle,
}

/// The queues to compare. Ratios relate to the first.
pub(crate) const KINDS: &[QueueKind] =
    &[QueueKind::Crossbeam, QueueKind::Ring, QueueKind::SyncChannel, QueueKind::Oracle];

impl QueueKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ring => "haul_queue::Ring",
            Self::Crossbeam => "crossbeam-channel",
            Self::SyncChannel => "std sync_channel",
            Self::Oracle => "mutex + condvars",
        }
    }

    /// Whether the queue supports the workload: `sync_channel` has a single consumer.
    pub(crate) fn fits(self, workload: &Workload) -> bool {
        self != Self::SyncChannel || workload.consumers == 1
    }
}

/// A producer's handle. Channels close when the last one is dropped.
trait Push: Send {
    fn push(&self, value: u64);
    /// Closes the queue, if dropping the handles does not.
    fn close(&self) {}
}

/// A consumer's handle.
trait Pop: Send {
    /// `None` once the queue is closed and drained.
    fn pop(&self) -> Option<u64>;
}

/// Nanoseconds per message, or per round trip in ping-pong.
///
/// # Errors
/// If the system refuses a thread.
pub(crate) fn run(kind: QueueKind, workload: &Workload, messages: usize) -> io::Result<f64> {
    match kind {
        QueueKind::Ring => {
            with_shared(workload, messages, |capacity| Arc::new(Ring::with_capacity(capacity)))
        }
        QueueKind::Oracle => {
            with_shared(workload, messages, |capacity| Arc::new(Oracle::with_capacity(capacity)))
        }
        QueueKind::Crossbeam => with_pair(workload, messages, crossbeam_channel::bounded, Clone::clone),
        QueueKind::SyncChannel => {
            let only = |_: &mpsc::Receiver<u64>| unreachable!("one consumer, see QueueKind::fits");
            with_pair(workload, messages, mpsc::sync_channel, only)
        }
    }
}

fn with_shared<Q: Push + Pop + Clone>(
    workload: &Workload,
    messages: usize,
    new: impl Fn(usize) -> Q,
) -> io::Result<f64> {
    let pair = |capacity| {
        let queue = new(capacity);
        (queue.clone(), queue)
    };
    with_pair(workload, messages, pair, Clone::clone)
}

fn with_pair<S: Push + Clone, R: Pop>(
    workload: &Workload,
    messages: usize,
    new: impl Fn(usize) -> (S, R),
    another: impl Fn(&R) -> R,
) -> io::Result<f64> {
    if workload.ping_pong {
        let [ping, pong] = [new(1), new(1)].map(|(sender, receiver)| Channel { sender, receiver });
        return ping_pong(ping, pong, messages / 10);
    }
    let (sender, receiver) = new(CAPACITY);
    let mut receivers: Vec<R> = (1..workload.consumers).map(|_| another(&receiver)).collect();
    receivers.push(receiver);
    flow(vec![sender; workload.producers], receivers, messages / workload.producers)
}

fn flow<S: Push, R: Pop>(senders: Vec<S>, receivers: Vec<R>, each: usize) -> io::Result<f64> {
    let (producers, sent) = (senders.len(), senders.len() * each);
    let start = &Start::default();
    let still_sending = &AtomicUsize::new(producers);
    let (sums, taken) = together(start, |team| {
        for sender in senders {
            team.add(move || {
                if start.wait() {
                    (0..each as u64).for_each(|value| sender.push(value));
                }
                if still_sending.fetch_sub(1, Ordering::AcqRel) == 1 {
                    sender.close();
                }
                0
            })?;
        }
        receivers.into_iter().try_for_each(|receiver| {
            team.add(move || {
                start.wait();
                let mut sum = 0;
                while let Some(value) = receiver.pop() {
                    sum += value;
                }
                sum
            })
        })
    })?;
    let expected = (each as u64 * (each as u64 - 1) / 2) * producers as u64;
    assert_eq!(sums.into_iter().sum::<u64>(), expected, "lost or doubled");
    Ok(taken.as_nanos() as f64 / sent as f64)
}

/// Both ends of a queue.
struct Channel<S, R> {
    sender: S,
    receiver: R,
}

fn ping_pong<S: Push, R: Pop>(ping: Channel<S, R>, pong: Channel<S, R>, trips: usize) -> io::Result<f64> {
    let Channel { sender: ping, receiver: ping_exit } = ping;
    let Channel { sender: pong, receiver: pong_exit } = pong;
    std::thread::scope(|scope| {
        let echo = move || {
            while let Some(value) = ping_exit.pop() {
                pong.push(value);
            }
        };
        std::thread::Builder::new().spawn_scoped(scope, echo)?;
        let started = Instant::now();
        for value in 0..trips as u64 {
            ping.push(value);
            assert_eq!(pong_exit.pop(), Some(value));
        }
        let taken = started.elapsed().as_nanos() as f64;
        ping.close();
        drop(ping);
        Ok(taken / trips as f64)
    })
}

impl Push for Arc<Ring<u64>> {
    fn push(&self, value: u64) {
        Ring::push(self, value).expect("open");
    }

    fn close(&self) {
        Ring::close(self);
    }
}

impl Pop for Arc<Ring<u64>> {
    fn pop(&self) -> Option<u64> {
        Ring::pop(self)
    }
}

impl Push for Arc<Oracle<u64>> {
    fn push(&self, value: u64) {
        Oracle::push(self, value).expect("open");
    }

    fn close(&self) {
        Oracle::close(self);
    }
}

impl Pop for Arc<Oracle<u64>> {
    fn pop(&self) -> Option<u64> {
        Oracle::pop(self)
    }
}

impl Push for crossbeam_channel::Sender<u64> {
    fn push(&self, value: u64) {
        self.send(value).expect("open");
    }
}

impl Pop for crossbeam_channel::Receiver<u64> {
    fn pop(&self) -> Option<u64> {
        self.recv().ok()
    }
}

impl Push for mpsc::SyncSender<u64> {
    fn push(&self, value: u64) {
        self.send(value).expect("open");
    }
}

impl Pop for mpsc::Receiver<u64> {
    fn pop(&self) -> Option<u64> {
        self.recv().ok()
    }
}
