//! The simulated machine, and [`Io`] on it.
//!
//! Every operation takes a random latency in virtual time, and reads and writes come back short at random. Any
//! operation can be made to fail, and the power can be cut or the run be cancelled while any operation is in flight.
//! The same seed gives the same run.
//!
//! Owns: virtual time, the order of completions, injected faults.
//! Does not own: the behaviour of files ([`Files`]) and peers ([`Peers`]).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::files::Files;
use super::peers::Peers;
use super::random::Random;
use crate::values::handle::Descriptor;
use crate::{Buf, BufResult, Completion, Io, Op, Publish, Published, Socket, Value, cancelled};

/// A simulated machine. Clones share it.
#[derive(Clone)]
pub struct Sim(Rc<RefCell<World>>);

/// A change to the files by another program.
type Change = Box<dyn FnOnce(&mut Files)>;

struct World {
    random: Random,
    now: Duration,
    /// Operations in flight by the moment they complete; the number identifies the operation and makes the key unique.
    in_flight: BTreeMap<(Duration, u64), InFlight>,
    completed: BTreeMap<u64, Completion>,
    submitted: u64,
    faults: BTreeMap<u64, io::ErrorKind>,
    changes: BTreeMap<u64, Change>,
    power_cut_at: Option<u64>,
    cancelled_at: Option<u64>,
    cancelled: bool,
    progress_bytes: u64,
    files: Files,
    peers: Peers,
}

/// An operation that has not completed.
enum InFlight {
    /// It is carried out when it is due.
    Due(Op),
    /// It has found nothing, and gives up when it is due.
    TimesOut(Op),
    /// It was interrupted and had no effect.
    Interrupted(Op),
}

impl Sim {
    /// A machine with an empty file system and no peers.
    pub fn new(seed: u64) -> Self {
        Self::with_files(seed, Files::default())
    }

    /// A machine with the files of another, for instance those after [`Sim::after_power_cut`].
    pub fn with_files(seed: u64, files: Files) -> Self {
        Self(Rc::new(RefCell::new(World {
            random: Random::new(seed),
            now: Duration::ZERO,
            in_flight: BTreeMap::new(),
            completed: BTreeMap::new(),
            submitted: 0,
            faults: BTreeMap::new(),
            changes: BTreeMap::new(),
            power_cut_at: None,
            cancelled_at: None,
            cancelled: false,
            progress_bytes: 0,
            files,
            peers: Peers::default(),
        })))
    }

    /// Runs `job` to its end; `None` if the power was cut before.
    ///
    /// # Panics
    /// If the job waits for something that isn't an operation.
    pub fn run<F: Future>(&self, job: F) -> Option<F::Output> {
        let mut job = pin!(job);
        loop {
            match job.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(output) => return Some(output),
                Poll::Pending if self.0.borrow_mut().advance() => {}
                Poll::Pending => return None,
            }
        }
    }

    /// Runs `jobs` concurrently and returns their outputs in the same order; `None` if the power was cut before all
    /// ended.
    pub fn run_all<T>(&self, jobs: Vec<impl Future<Output = T>>) -> Option<Vec<T>> {
        let mut jobs: Vec<_> = jobs.into_iter().map(|job| Joined::Running(Box::pin(job))).collect();
        self.run(std::future::poll_fn(move |context| {
            let mut all_done = true;
            for job in &mut jobs {
                all_done &= job.poll(context);
            }
            if all_done { Poll::Ready(jobs.iter_mut().map(Joined::take).collect()) } else { Poll::Pending }
        }))
    }

    /// Makes the operation with this number (from 0, in order of submission) fail.
    pub fn fail_operation(&self, number: u64, kind: io::ErrorKind) {
        self.0.borrow_mut().faults.insert(number, kind);
    }

    /// Applies `change`, as another program would, just before the operation with this number is carried out.
    pub fn change_files_at(&self, number: u64, change: impl FnOnce(&mut Files) + 'static) {
        self.0.borrow_mut().changes.insert(number, Box::new(change));
    }

    /// Cuts the power while the operation with this number is in flight.
    pub fn cut_power_at(&self, number: u64) {
        self.0.borrow_mut().power_cut_at = Some(number);
    }

    /// Cancels the run from now on. An operation in flight that a cancelled run refuses is interrupted before it has
    /// any effect, or completes, at random.
    pub fn cancel(&self) {
        self.0.borrow_mut().cancel();
    }

    /// Cancels the run while the operation with this number is in flight.
    pub fn cancel_at(&self, number: u64) {
        self.0.borrow_mut().cancelled_at = Some(number);
    }

    /// The number of operations submitted so far.
    pub fn submitted(&self) -> u64 {
        self.0.borrow().submitted
    }

    /// Payload bytes that jobs reported.
    pub fn progress_bytes(&self) -> u64 {
        self.0.borrow().progress_bytes
    }

    /// The files as they are now.
    pub fn files(&self) -> std::cell::RefMut<'_, Files> {
        std::cell::RefMut::map(self.0.borrow_mut(), |world| &mut world.files)
    }

    /// The peers that can be connected to.
    pub fn peers(&self) -> std::cell::RefMut<'_, Peers> {
        std::cell::RefMut::map(self.0.borrow_mut(), |world| &mut world.peers)
    }

    /// A possible state of the files after a power cut at this moment: all that was synced, and a random part of the
    /// rest. Operations in flight are carried out, in part (writes), or not; their jobs don't hear of it any more.
    pub fn after_power_cut(&self) -> Files {
        let mut world = self.0.borrow_mut();
        let World { random, files, in_flight, .. } = &mut *world;
        let mut left = files.clone();
        let mut carried_out = Vec::new();
        for in_flight in std::mem::take(in_flight).into_values() {
            if let InFlight::Due(op) = in_flight
                && is_on_files(&op)
                && random.below(2) == 0
            {
                let place = random.below(carried_out.len() as u64 + 1) as usize;
                carried_out.insert(place, op);
            }
        }
        for op in carried_out {
            // It may fail, of which nobody hears.
            left.perform(op, random);
        }
        left.after_power_cut(random)
    }
}

fn is_on_files(op: &Op) -> bool {
    !matches!(
        op,
        Op::Resolve { .. }
            | Op::Connect { .. }
            | Op::ConnectLocal { .. }
            | Op::Recv { .. }
            | Op::Move { .. }
            | Op::Send { .. }
            | Op::Sleep { .. }
    )
}

enum Joined<F: Future> {
    Running(Pin<Box<F>>),
    Ended(Option<F::Output>),
}

impl<F: Future> Joined<F> {
    /// Whether it has ended.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        if let Self::Running(job) = self {
            match job.as_mut().poll(context) {
                Poll::Ready(output) => *self = Self::Ended(Some(output)),
                Poll::Pending => return false,
            }
        }
        true
    }

    fn take(&mut self) -> F::Output {
        match self {
            Self::Ended(output) => output.take().expect("outputs are taken once"),
            Self::Running(_) => unreachable!("taken before it ended"),
        }
    }
}

impl Io for Sim {
    async fn submit(&self, op: Op) -> Completion {
        let number = match self.0.borrow_mut().start(op) {
            Ok(number) => number,
            Err(completion) => return completion,
        };
        std::future::poll_fn(|_| match self.0.borrow_mut().completed.remove(&number) {
            Some(completion) => Poll::Ready(completion),
            None => Poll::Pending,
        })
        .await
    }

    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    fn random(&self, out: &mut [u8]) {
        let mut world = self.0.borrow_mut();
        out.fill_with(|| world.random.below(256) as u8);
    }

    fn progress(&self, bytes: u64) {
        self.0.borrow_mut().progress_bytes += bytes;
    }

    async fn write_file(&self, publish: Publish, content: Buf) -> BufResult<Published> {
        crate::write_file(self, publish, content).await
    }

    async fn yield_now(&self) {
        let _ = self.sleep(Duration::ZERO).await;
    }
}

impl World {
    fn start(&mut self, op: Op) -> Result<u64, Completion> {
        if self.cancelled && op.is_refused_when_cancelled() {
            return Err(op.refuse(cancelled()));
        }
        let number = self.submitted;
        self.submitted += 1;
        let latency = match &op {
            Op::Sleep { duration } => *duration,
            _ => Duration::from_micros(self.random.below(1_000)),
        };
        self.in_flight.insert((self.now + latency, number), InFlight::Due(op));
        if self.cancelled_at == Some(number) {
            self.cancel();
        }
        Ok(number)
    }

    fn cancel(&mut self) {
        self.cancelled = true;
        for in_flight in self.in_flight.values_mut() {
            let (InFlight::Due(op) | InFlight::TimesOut(op)) = in_flight else { continue };
            if op.is_refused_when_cancelled() && self.random.below(2) == 0 {
                let op = std::mem::replace(op, Op::Sleep { duration: Duration::ZERO });
                *in_flight = InFlight::Interrupted(op);
            }
        }
    }

    /// Completes the operation that is due next; false if the power is cut.
    fn advance(&mut self) -> bool {
        if self.power_cut_at.is_some_and(|number| self.submitted > number) {
            return false;
        }
        let Some(((due, number), in_flight)) = self.in_flight.pop_first() else {
            panic!("a job awaits something that isn't an operation");
        };
        assert!(due >= self.now, "the clock runs back from {:?} to {due:?}", self.now);
        self.now = due;
        let op = match in_flight {
            InFlight::Due(op) => op,
            InFlight::TimesOut(op) => {
                return self.complete(number, op.refuse(io::ErrorKind::TimedOut.into()));
            }
            InFlight::Interrupted(op) => return self.complete(number, op.refuse(cancelled())),
        };
        if let Some(change) = self.changes.remove(&number) {
            change(&mut self.files);
        }
        if let Some(kind) = self.faults.get(&number) {
            if let Op::Sync { file } = &op {
                self.files.fail_sync(file.0.simulated(), &mut self.random);
            }
            return self.complete(number, op.refuse((*kind).into()));
        }
        if let Op::Recv { socket, timeout, .. } = &op
            && self.peers.is_silent(socket.0.simulated())
        {
            // Others go on meanwhile.
            self.in_flight.insert((self.now.saturating_add(*timeout), number), InFlight::TimesOut(op));
            return true;
        }
        let completion = self.perform(op);
        self.complete(number, completion)
    }

    fn complete(&mut self, number: u64, completion: Completion) -> bool {
        self.completed.insert(number, completion);
        true
    }

    fn perform(&mut self, op: Op) -> Completion {
        match op {
            // The simulated peers are resolved without a cache.
            Op::Resolve { host, port, .. } => {
                Completion::new(self.peers.resolve(&host, port).map(Value::Addresses))
            }
            Op::Connect { addresses, .. } => Completion::new(
                self.peers
                    .connect(&addresses)
                    .map(|id| Value::Socket(Socket(Descriptor::Simulated(id).into()))),
            ),
            Op::ConnectLocal { .. } => Completion::new(Err(io::ErrorKind::NotFound.into())),
            Op::Recv { socket, mut buf, .. } => {
                let result = self.peers.recv(socket.0.simulated(), &mut buf, &mut self.random);
                Completion::counted(result, buf)
            }
            Op::Move { socket, file, offset, bytes_max, .. } => {
                let mut buf = Buf::with_capacity(bytes_max);
                let arrived = self.peers.recv(socket.0.simulated(), &mut buf, &mut self.random);
                // Receiving says what else there is.
                let count = arrived.unwrap_or(0);
                let written = self.files.write_whole(&file, buf.filled(), offset, &mut self.random);
                Completion::new(written.map(|()| Value::Count(count)))
            }
            Op::Send { socket, buf, .. } => {
                let count = self.random.short(buf.filled().len());
                let result = self.peers.send(socket.0.simulated(), &buf.filled()[..count]);
                Completion::counted(result.map(|()| count), buf)
            }
            Op::Sleep { .. } => Completion::new(Ok(Value::Done)),
            file_op => self.files.perform(file_op, &mut self.random),
        }
    }
}
