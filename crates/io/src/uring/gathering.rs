//! One sync of a directory for all who named files in it while the sync before was under way.
//!
//! A sync makes durable what was named before it began. So whoever asks while one is under way waits for the next, which one of
//! those who wait carries out for all of them.
//!
//! Owns: who syncs, who waits, what they are told.
//! Does not own: the sync itself, polling jobs ([`super::executor`]).

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use super::executor::Core;
use super::jobs::JobId;
use super::task::{Awaiting, TaskIo};
use crate::handle::Descriptor;
use crate::{Directory, Io, OpenMode};

/// The directories with a sync under way: few at a time.
#[derive(Default)]
pub(super) struct Gathering(RefCell<Vec<Gathered>>);

struct Gathered {
    directory: Arc<Descriptor>,
    /// Who asked since the sync under way began.
    waiting: Vec<Rc<Ticket>>,
}

/// One request for a sync.
struct Ticket {
    job: JobId,
    turn: RefCell<Turn>,
}

enum Turn {
    Waits,
    /// It syncs, for these as well.
    Leads(Vec<Rc<Ticket>>),
    Over(io::Result<()>),
}

/// [`Io::sync_directory`] for the job that runs now.
///
/// # Panics
/// If none does.
pub(super) async fn sync(io: &TaskIo, core: &Core, directory: &Directory) -> io::Result<()> {
    let job = core.current.get().expect("directories are synced by jobs of the ring, while it runs");
    let descriptor = &directory.file().0;
    let seat = Seat { core, directory: descriptor, ticket: core.gathering.enter(descriptor, job) };
    if let Some(result) = seat.turn().await {
        return result;
    }
    let synced = async {
        let readable = io.open(Some(directory), Path::new("."), OpenMode::Directory).await?;
        io.sync(&readable).await
    };
    let result = synced.await;
    core.wake(core.gathering.end(descriptor, &seat.ticket, &result));
    result
}

impl Gathering {
    /// A ticket for a sync that begins from now on: at once if none is under way.
    fn enter(&self, directory: &Arc<Descriptor>, job: JobId) -> Rc<Ticket> {
        let mut under_way = self.0.borrow_mut();
        if let Some(gathered) =
            under_way.iter_mut().find(|gathered| Arc::ptr_eq(&gathered.directory, directory))
        {
            let ticket = Rc::new(Ticket { job, turn: RefCell::new(Turn::Waits) });
            gathered.waiting.push(ticket.clone());
            return ticket;
        }
        under_way.push(Gathered { directory: directory.clone(), waiting: Vec::new() });
        Rc::new(Ticket { job, turn: RefCell::new(Turn::Leads(Vec::new())) })
    }

    /// The sync that `leader` carried out has ended: tells those whom it was for too, and gives the lead to one of those who
    /// have come since. Says which jobs have something to do now.
    fn end(&self, directory: &Arc<Descriptor>, leader: &Ticket, result: &io::Result<()>) -> Vec<JobId> {
        let Some(led) = leader.take_led() else { return Vec::new() };
        let mut woken: Vec<JobId> = led.iter().map(|ticket| ticket.job).collect();
        for ticket in led {
            *ticket.turn.borrow_mut() = Turn::Over(copy(result));
        }
        woken.extend(self.pass_on(directory, Vec::new()));
        woken
    }

    /// Gives the lead to one of `led` and of those who wait, if anybody is left.
    fn pass_on(&self, directory: &Arc<Descriptor>, mut led: Vec<Rc<Ticket>>) -> Option<JobId> {
        let mut under_way = self.0.borrow_mut();
        let index = under_way
            .iter()
            .position(|gathered| Arc::ptr_eq(&gathered.directory, directory))
            .expect("entered");
        led.append(&mut under_way[index].waiting);
        // A job that has gone away has left its ticket here alone.
        led.retain(|ticket| Rc::strong_count(ticket) > 1);
        if led.is_empty() {
            under_way.swap_remove(index);
            return None;
        }
        let leader = led.remove(0);
        *leader.turn.borrow_mut() = Turn::Leads(led);
        Some(leader.job)
    }
}

impl Ticket {
    /// Whom it leads, no more.
    fn take_led(&self) -> Option<Vec<Rc<Self>>> {
        let mut turn = self.turn.borrow_mut();
        match std::mem::replace(&mut *turn, Turn::Waits) {
            Turn::Leads(led) => Some(led),
            other => {
                *turn = other;
                None
            }
        }
    }
}

/// A ticket in the hands of its job.
struct Seat<'a> {
    core: &'a Core,
    directory: &'a Arc<Descriptor>,
    ticket: Rc<Ticket>,
}

impl Seat<'_> {
    /// The result of another's sync; `None` when it is this one's turn to sync.
    async fn turn(&self) -> Option<io::Result<()>> {
        let _awaiting = Awaiting::new(self.core, self.ticket.job);
        std::future::poll_fn(|_| {
            let mut turn = self.ticket.turn.borrow_mut();
            match &mut *turn {
                Turn::Waits => Poll::Pending,
                Turn::Leads(_) => Poll::Ready(None),
                Turn::Over(result) => Poll::Ready(Some(std::mem::replace(result, Ok(())))),
            }
        })
        .await
    }
}

impl Drop for Seat<'_> {
    /// Who leads and goes away before the end leaves the others to somebody else.
    fn drop(&mut self) {
        if let Some(led) = self.ticket.take_led() {
            self.core.wake(self.core.gathering.pass_on(self.directory, led));
        }
    }
}

fn copy(result: &io::Result<()>) -> io::Result<()> {
    let Err(error) = result else { return Ok(()) };
    Err(match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done to the requests by turns, by the bytes of `choices`: each must be told of a sync that began after it asked.
    fn check(choices: &[u8]) {
        let gathering = Gathering::default();
        let directory = Arc::new(Descriptor::Os(std::fs::File::open("/").unwrap().into()));
        let mut clock = 0;
        // When each asked, and when its sync began, if it leads and has begun.
        let mut open: Vec<(Rc<Ticket>, u32, Option<u32>)> = Vec::new();
        let mut told = 0;
        let mut asked = 0;
        let mut choices = choices.iter();
        loop {
            clock += 1;
            let Some(choice) = choices.next().copied().or((!open.is_empty()).then_some(1)) else { break };
            let leader = open.iter().position(|(ticket, ..)| matches!(*ticket.turn.borrow(), Turn::Leads(_)));
            match (choice % 4, leader) {
                (0, _) => {
                    asked += 1;
                    open.push((gathering.enter(&directory, JobId::NONE), clock, None));
                }
                // The leader begins, then ends.
                (1, Some(leader)) if open[leader].2.is_none() => open[leader].2 = Some(clock),
                (1, Some(leader)) => {
                    let (ticket, _, began) = open.remove(leader);
                    gathering.end(&directory, &ticket, &Err(io::Error::from_raw_os_error(clock as i32)));
                    told += 1;
                    open.retain(|(ticket, asked, _)| match &*ticket.turn.borrow() {
                        Turn::Over(result) => {
                            assert!(began.unwrap() > *asked, "a sync from before it asked");
                            assert_eq!(result.as_ref().unwrap_err().raw_os_error(), Some(clock as i32));
                            told += 1;
                            false
                        }
                        _ => true,
                    });
                }
                // The leader goes away.
                (2, Some(leader)) => {
                    let (ticket, ..) = open.remove(leader);
                    gathering.pass_on(&directory, ticket.take_led().unwrap());
                    told += 1;
                }
                // One that waits goes away.
                (3, _) if open.len() > 1 => {
                    let last =
                        open.iter().rposition(|(ticket, ..)| matches!(*ticket.turn.borrow(), Turn::Waits));
                    last.map(|last| open.remove(last)).iter().for_each(|_| told += 1);
                }
                _ => {}
            }
            assert!(
                open.is_empty()
                    || open.iter().any(|(ticket, ..)| matches!(*ticket.turn.borrow(), Turn::Leads(_)))
            );
        }
        assert_eq!(told, asked);
        assert!(gathering.0.borrow().is_empty());
    }

    #[test]
    fn each_is_told_of_a_sync_that_began_after_it_asked() {
        let mut seed = 1_u64;
        for _ in 0..2_000 {
            let choices: Vec<u8> = (0..30)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    // Coming and syncing are more frequent than going away.
                    [0, 0, 0, 1, 1, 1, 2, 3][(seed >> 61) as usize]
                })
                .collect();
            check(&choices);
        }
    }
}
