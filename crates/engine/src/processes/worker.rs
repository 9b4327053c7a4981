//! A worker process, from its start to its end.
//!
//! Owns: attaching to the table, the process's threads, reacting to cancellation and to the supervisor's death,
//! carrying out orders.
//! Does not own: the job; exiting, which the program's `main` does when [`work`] returns.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, TryLockError};
use std::time::{Duration, Instant};

use haul_io::{Blocking, Cancel, Io, run_ready};
use haul_queue::lease::{FinishError, Lease, TableError, Worker};
use rustix::process::{Signal, set_parent_process_death_signal};
use zeroize::Zeroizing;

use crate::execute::{Stage, Track, Work, catch, execute};
use crate::job::contract::{Job, TaskId};
use crate::job::phases::Phases;
use crate::job::piece::shared_clock;
use crate::job::portable::Portable;
use crate::processes::encoding::{from_bytes, to_bytes};
use crate::processes::intent::{IntentIo, Left, examine};
use crate::processes::order::{
    Handshake, OrderOf, OrderStage, Reply, ReplyFailure, ReplyOf, ReplyValue, Span, reply_for,
};
use crate::processes::worker_pool::WORKER_NAME;

/// For how long an idle worker keeps the state of the last split task, in case more parts of it come.
const JOINED_TIME: Duration = Duration::from_millis(5);

/// Why a process can't serve as a worker.
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkError {
    /// Standard input is no lease table, or standard output carries no handshake: the process was not started as a
    /// worker.
    NotAWorker,
    /// The lease table can't be attached.
    Table(TableError),
    /// The job's specification can't be used; the text says why.
    JobSpec(String),
    /// The system refused an operation.
    Io(io::Error),
}

impl fmt::Display for WorkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAWorker => f.write_str("a worker process is started by haul itself, not by hand"),
            Self::Table(error) => error.fmt(f),
            Self::JobSpec(reason) => write!(f, "the job's specification can't be used: {reason}"),
            Self::Io(error) => f.write_str(&haul_io::reason(error)),
        }
    }
}

impl std::error::Error for WorkError {}

impl From<io::Error> for WorkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Serves the supervisor that started this process by a [`WorkerCommand`](crate::WorkerCommand); returns when the
/// supervisor closes the lease table or dies. Standard input and standard output are reserved for the protocol
/// between the two. The kernel kills the process when the thread that started it ends.
///
/// # Errors
/// [`WorkError::NotAWorker`] if the process was not started as a worker; else the reason why it can't serve.
pub fn work<J: Portable>() -> Result<(), WorkError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    // Only a help for people: failing changes nothing.
    let _ = std::fs::write("/proc/self/comm", WORKER_NAME);
    let memfd = io::stdin().as_fd().try_clone_to_owned()?;
    let mut pipe = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let table = match Worker::attach(&memfd) {
        Ok(table) => table,
        Err(TableError::NotSealed) => return Err(WorkError::NotAWorker),
        Err(error) => return Err(WorkError::Table(error)),
    };
    let handshake = read_handshake(&mut pipe)?;
    let (head, spec): (Handshake, _) =
        postcard::take_from_bytes(&handshake).map_err(|_| WorkError::NotAWorker)?;
    if rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(head.supervisor_pid) {
        // The supervisor died before the death signal was set.
        return Ok(());
    }
    let spec = from_bytes(spec).ok_or_else(|| WorkError::JobSpec("it cannot be decoded".to_owned()))?;
    let job = J::from_job_spec(spec).map_err(WorkError::JobSpec)?;
    drop(handshake);
    let process = WorkerProcess {
        table: Arc::new(table),
        owner: head.owner,
        is_traced: head.is_traced,
        cancel: Cancel::new()?,
        never: Cancel::new()?,
        company: RwLock::default(),
    };
    process.listen(pipe)?;
    std::thread::scope(|scope| {
        let (process, job) = (&process, &job);
        for number in 1..head.threads {
            // Those that can be had share the work.
            let serve = move || process.serve(job, number as u32);
            if std::thread::Builder::new().spawn_scoped(scope, serve).is_err() {
                break;
            }
        }
        process.serve(job, 0);
    });
    Ok(())
}

/// Whether this process was started as a worker.
pub(crate) fn is_worker() -> bool {
    Worker::attach(io::stdin()).is_ok()
}

fn read_handshake(pipe: &mut impl Read) -> Result<Zeroizing<Vec<u8>>, WorkError> {
    let mut length = [0; 8];
    pipe.read_exact(&mut length).map_err(|_| WorkError::NotAWorker)?;
    let mut handshake = Zeroizing::new(Vec::new());
    let length = u64::from_le_bytes(length);
    // Reserved at once: growing the buffer would leave copies of the secrets behind.
    handshake.reserve_exact(usize::try_from(length.min(1 << 30)).map_err(|_| WorkError::NotAWorker)?);
    match pipe.take(length).read_to_end(&mut handshake) {
        Ok(count) if count as u64 == length => Ok(handshake),
        _ => Err(WorkError::NotAWorker),
    }
}

/// This process: its end of the table, shared by its threads.
struct WorkerProcess {
    table: Arc<Worker>,
    owner: u16,
    is_traced: bool,
    cancel: Cancel,
    /// A switch that is never triggered, for the steps that end a task.
    never: Cancel,
    /// Held for reading from before an order is claimed until it is carried out, never by a thread that sleeps for
    /// work; for writing by an order that must be alone.
    company: RwLock<()>,
}

/// The split task that a thread worked on last.
struct Joined<J: Job> {
    start: StartOf,
    state: Arc<J::State>,
}

/// One start of a task. A task that starts again has another state, so its number alone doesn't identify a state.
/// Nor does the token, which may differ for each order.
#[derive(Clone, Copy, PartialEq, Eq)]
struct StartOf {
    id: u64,
    attempt: u32,
}

impl WorkerProcess {
    /// Starts a thread that reads the supervisor's pipe. A byte means that the run was cancelled; the end of the pipe
    /// means that the supervisor has died.
    fn listen(&self, mut pipe: impl Read + Send + 'static) -> io::Result<()> {
        let (cancel, table) = (self.cancel.clone(), self.table.clone());
        let listen = move || {
            let mut byte = [0; 1];
            while matches!(pipe.read(&mut byte), Ok(1)) {
                cancel.trigger();
            }
            cancel.trigger();
            table.close();
        };
        std::thread::Builder::new().name("haul-listen".to_owned()).spawn(listen).map(drop)
    }

    fn serve<J: Portable>(&self, job: &J, number: u32) {
        let (io, uncancelled) = (Blocking::new(self.cancel.clone()), Blocking::new(self.never.clone()));
        let mut thread =
            WorkerThread { process: self, number, job, io, uncancelled, joined: None, order: Vec::new() };
        loop {
            let seen = self.table.observe();
            let company = self.join_company();
            if let Some(lease) = self.table.claim(self.owner) {
                thread.carry_out(&lease, company);
                continue;
            }
            drop(company);
            if seen.is_closed() {
                return;
            }
            let keeping = thread.joined.is_some().then_some(JOINED_TIME);
            if !self.table.sleep(seen, keeping) {
                // Its open files may have been removed meanwhile; closing them frees their space.
                thread.forget_joined();
            }
        }
    }

    /// Waits while an order of this process must be alone. The wake-up that this thread may have been given goes to
    /// another thread, in the end to one of another process.
    fn join_company(&self) -> RwLockReadGuard<'_, ()> {
        match self.company.try_read() {
            Ok(company) => company,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.table.pass_on();
                self.company.read().unwrap_or_else(PoisonError::into_inner)
            }
        }
    }
}

struct WorkerThread<'a, J: Portable> {
    process: &'a WorkerProcess,
    /// The thread's number in this process.
    number: u32,
    job: &'a J,
    io: Blocking,
    /// For operations that are carried out even when the run is cancelled.
    uncancelled: Blocking,
    joined: Option<Joined<J>>,
    order: Vec<u8>,
}

impl<J: Portable> WorkerThread<'_, J> {
    /// Carries out the order of `lease`. `company` keeps away orders that must be alone.
    fn carry_out(&mut self, lease: &Lease, company: RwLockReadGuard<'_, ()>) {
        let table = &self.process.table;
        let mut order = std::mem::take(&mut self.order);
        if table.read_task(lease, &mut order).is_err() {
            end_corrupt_lease();
        }
        let reply = catch(|| match from_bytes::<OrderOf<J>>(&order) {
            Some(order) if order.alone => {
                drop(company);
                let _alone = self.process.company.write().unwrap_or_else(PoisonError::into_inner);
                to_bytes(&run_ready(self.reply_to(lease, order)))
            }
            Some(order) => to_bytes(&run_ready(self.reply_to(lease, order))),
            None => to_bytes(&refusal::<J>("the order cannot be decoded")),
        });
        self.order = order;
        let reply = reply.unwrap_or_else(|message| {
            self.forget_joined();
            to_bytes(&refusal::<J>(&message))
        });
        let finished = table.finish(lease, &reply).or_else(|error| match error {
            FinishError::TooLong { .. } => {
                table.finish(lease, &to_bytes(&refusal::<J>("the reply is too long")))
            }
            error => Err(error),
        });
        if finished.is_err() {
            end_corrupt_lease();
        }
    }

    /// Drops the state of the last split task. A panic of its destructor has no task to fail: the supervising process
    /// has the state that counts.
    fn forget_joined(&mut self) {
        let joined = self.joined.take();
        let _ = catch(|| drop(joined));
    }

    async fn reply_to(&mut self, lease: &Lease, order: OrderOf<J>) -> ReplyOf<J> {
        let waited = shared_clock().saturating_sub(order.queued);
        let queued = Instant::now().checked_sub(waited).unwrap_or_else(Instant::now);
        if let Some(result) = self.earlier_result(lease, &order).await {
            return Reply {
                result,
                phases: Phases { queue: waited, ..Phases::default() },
                bytes: 0,
                span: None,
            };
        }
        let (start, task) = (StartOf { id: order.id, attempt: order.attempt }, Arc::new(order.task));
        let finishes = matches!(order.stage, OrderStage::Finish { .. });
        let stage = match self.stage(start, &task, order.stage).await {
            Ok(stage) => stage,
            Err(error) => {
                let failure =
                    if J::is_cancelled(&error) { ReplyFailure::Cancelled } else { ReplyFailure::Job(error) };
                return Reply { result: Err(failure), phases: Phases::default(), bytes: 0, span: None };
            }
        };
        let io = IntentIo {
            io: if finishes { &self.uncancelled } else { &self.io },
            worker: &self.process.table,
            lease,
            writes_once: self.job.half_done().is_some(),
            wrote: Cell::new(false),
        };
        let work = Work {
            id: TaskId(start.id),
            attempt: start.attempt,
            task: task.clone(),
            stage,
            queued,
            alone: order.alone,
        };
        let began = self.process.is_traced.then(shared_clock);
        let returned = execute(self.job, &io, work, Track::none()).await;
        let span = began.map(|began| Span::until_now(self.process.owner, self.number, began));
        let (reply, state) = reply_for(self.job, returned, &mut |out| self.io.random(out));
        let reply = Reply { span, ..reply };
        match state {
            Some(state) if reply.result.is_ok() => self.joined = Some(Joined { start, state }),
            // No other process will ever know this state.
            Some(state) => drop(self.job.finish(&self.uncancelled, &task, &state, false).await),
            None => {}
        }
        reply
    }

    /// The result of an earlier attempt whose worker died: it has completed the work, or forbids to repeat it.
    /// `None`: the work is to be done.
    async fn earlier_result(
        &self,
        lease: &Lease,
        order: &OrderOf<J>,
    ) -> Option<Result<ReplyValue<J::Output, J::Token>, ReplyFailure<J::Error>>> {
        if !lease.is_repeated() {
            return None;
        }
        if matches!(order.stage, OrderStage::Part { .. }) && !self.job.repeats_parts() {
            return Some(Ok(ReplyValue::Lost));
        }
        match examine(&self.uncancelled, &self.process.table.intent(lease)).await {
            Ok(Left::Nothing) => None,
            Ok(Left::Published) => {
                let outcome = self.job.published(&self.uncancelled, &order.task).await;
                if let OrderStage::Finish { token } = &order.stage {
                    // The result may still have its temporary name besides the final one.
                    self.abandon(&order.task, token).await;
                }
                Some(outcome.map(ReplyValue::Output).map_err(ReplyFailure::Job))
            }
            Ok(Left::HalfDone) => self.job.half_done().map(|error| Err(ReplyFailure::Job(error))),
            Err(error) => {
                let message =
                    format!("cannot examine what a dead worker left behind: {}", haul_io::reason(&error));
                Some(Err(ReplyFailure::Panicked(message)))
            }
        }
    }

    async fn abandon(&self, task: &J::Task, token: &J::Token) {
        if let Some(token) = from_bytes(&to_bytes(token)) {
            self.job.abandon(&self.uncancelled, task, token).await;
        }
    }

    async fn stage(
        &mut self,
        start: StartOf,
        task: &J::Task,
        stage: OrderStage<J::Token>,
    ) -> Result<Stage<J>, J::Error> {
        Ok(match stage {
            OrderStage::Start => {
                self.forget_joined();
                Stage::Start
            }
            OrderStage::Part { token, index } => {
                Stage::Part { state: self.join(start, task, token).await?, index }
            }
            OrderStage::Finish { token } => {
                self.forget_joined();
                let state = Arc::new(self.job.join(&self.uncancelled, task, token).await?);
                Stage::Finish { state, succeeded: true }
            }
        })
    }

    async fn join(
        &mut self,
        start: StartOf,
        task: &J::Task,
        token: J::Token,
    ) -> Result<Arc<J::State>, J::Error> {
        if let Some(joined) = self.joined.as_ref().filter(|joined| joined.start == start) {
            return Ok(joined.state.clone());
        }
        self.forget_joined();
        let state = Arc::new(self.job.join(&self.io, task, token).await?);
        self.joined = Some(Joined { start, state: state.clone() });
        Ok(state)
    }
}

/// Ends this process because it has lost a lease. Nobody reaps a worker that lives: the word of the lease is corrupt,
/// and could say for ever that the order is being carried out. The death of this process ends all its leases.
fn end_corrupt_lease() -> ! {
    std::process::abort()
}

fn refusal<J: Portable>(message: &str) -> ReplyOf<J> {
    let failure = ReplyFailure::Panicked(message.to_owned());
    Reply { result: Err(failure), phases: Phases::default(), bytes: 0, span: None }
}
