//! Which job syncs a directory, and for which others: group commit.
//!
//! A sync makes durable what was named before it began. A job that asks while a sync is in progress therefore waits
//! for the next one, which one of the waiting jobs, the leader, carries out for all of them.
//!
//! Owns: the tickets of waiting jobs, the choice of a leader, passing on its result.
//! Does not own: the sync itself and polling jobs ([`super::directory_sync`]).

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use super::jobs::JobId;
use crate::values::handle::Descriptor;
use crate::{cancelled, is_cancelled};

/// The directories with a sync in progress; they are few at a time.
#[derive(Default)]
pub(super) struct GroupSync(RefCell<Vec<Group>>);

struct Group {
    directory: Arc<Descriptor>,
    /// Jobs that asked since the sync in progress began.
    waiting: Vec<Rc<Ticket>>,
}

/// One job's request for a sync.
pub(super) struct Ticket {
    pub(super) job: JobId,
    pub(super) state: RefCell<TicketState>,
}

pub(super) enum TicketState {
    Waiting,
    /// The job carries out the sync, for these followers as well.
    Leading(Vec<Rc<Ticket>>),
    Ended(io::Result<()>),
}

impl GroupSync {
    /// A ticket for a sync that has not begun; its job leads if no sync of the directory is in progress.
    pub(super) fn enter(&self, directory: &Arc<Descriptor>, job: JobId) -> Rc<Ticket> {
        let mut in_progress = self.0.borrow_mut();
        if let Some(group) = in_progress.iter_mut().find(|group| Arc::ptr_eq(&group.directory, directory)) {
            let ticket = Rc::new(Ticket { job, state: RefCell::new(TicketState::Waiting) });
            group.waiting.push(ticket.clone());
            return ticket;
        }
        in_progress.push(Group { directory: directory.clone(), waiting: Vec::new() });
        Rc::new(Ticket { job, state: RefCell::new(TicketState::Leading(Vec::new())) })
    }

    /// Ends the sync that `leader` carried out: gives the result to its followers, and makes one of the jobs that have
    /// asked since the next leader. Returns the jobs to be polled.
    pub(super) fn end(
        &self,
        directory: &Arc<Descriptor>,
        leader: &Ticket,
        result: &io::Result<()>,
    ) -> Vec<JobId> {
        let Some(followers) = leader.take_followers() else { return Vec::new() };
        let mut woken: Vec<JobId> = followers.iter().map(|ticket| ticket.job).collect();
        for ticket in followers {
            *ticket.state.borrow_mut() = TicketState::Ended(copy(result));
        }
        woken.extend(self.pass_on(directory, Vec::new()));
        woken
    }

    /// Makes one of `followers` and of the waiting jobs the leader, if any is left.
    pub(super) fn pass_on(
        &self,
        directory: &Arc<Descriptor>,
        mut followers: Vec<Rc<Ticket>>,
    ) -> Option<JobId> {
        let mut in_progress = self.0.borrow_mut();
        let index =
            in_progress.iter().position(|group| Arc::ptr_eq(&group.directory, directory)).expect("entered");
        followers.append(&mut in_progress[index].waiting);
        // A job that was dropped holds its ticket no longer.
        followers.retain(|ticket| Rc::strong_count(ticket) > 1);
        if followers.is_empty() {
            in_progress.swap_remove(index);
            return None;
        }
        let leader = followers.remove(0);
        *leader.state.borrow_mut() = TicketState::Leading(followers);
        Some(leader.job)
    }
}

impl Ticket {
    /// Takes its followers, if it leads.
    pub(super) fn take_followers(&self) -> Option<Vec<Rc<Self>>> {
        let mut state = self.state.borrow_mut();
        match std::mem::replace(&mut *state, TicketState::Waiting) {
            TicketState::Leading(followers) => Some(followers),
            other => {
                *state = other;
                None
            }
        }
    }
}

fn copy(result: &io::Result<()>) -> io::Result<()> {
    let Err(error) = result else { return Ok(()) };
    Err(match error.raw_os_error() {
        None if is_cancelled(error) => cancelled(),
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drives the tickets by the bytes of `choices`. Each job must get the result of a sync that began after it asked.
    fn check(choices: &[u8]) {
        let groups = GroupSync::default();
        let directory = crate::File::from(std::fs::File::open("/").unwrap()).0;
        let mut clock = 0;
        // Each ticket with the time it asked and, if it leads and has begun its sync, the time of that.
        let mut open: Vec<(Rc<Ticket>, u32, Option<u32>)> = Vec::new();
        let mut ended = 0;
        let mut asked = 0;
        let mut choices = choices.iter();
        loop {
            clock += 1;
            let Some(choice) = choices.next().copied().or((!open.is_empty()).then_some(1)) else { break };
            let leader = open
                .iter()
                .position(|(ticket, ..)| matches!(*ticket.state.borrow(), TicketState::Leading(_)));
            match (choice % 4, leader) {
                (0, _) => {
                    asked += 1;
                    open.push((groups.enter(&directory, JobId::NONE), clock, None));
                }
                // The leader begins, then ends.
                (1, Some(leader)) if open[leader].2.is_none() => open[leader].2 = Some(clock),
                (1, Some(leader)) => {
                    let (ticket, _, began) = open.remove(leader);
                    groups.end(&directory, &ticket, &Err(io::Error::from_raw_os_error(clock as i32)));
                    ended += 1;
                    open.retain(|(ticket, asked, _)| match &*ticket.state.borrow() {
                        TicketState::Ended(result) => {
                            assert!(began.unwrap() > *asked, "a sync from before it asked");
                            assert_eq!(result.as_ref().unwrap_err().raw_os_error(), Some(clock as i32));
                            ended += 1;
                            false
                        }
                        _ => true,
                    });
                }
                // The leader is dropped.
                (2, Some(leader)) => {
                    let (ticket, ..) = open.remove(leader);
                    groups.pass_on(&directory, ticket.take_followers().unwrap());
                    ended += 1;
                }
                // A waiting job is dropped.
                (3, _) if open.len() > 1 => {
                    let last = open
                        .iter()
                        .rposition(|(ticket, ..)| matches!(*ticket.state.borrow(), TicketState::Waiting));
                    last.map(|last| open.remove(last)).iter().for_each(|_| ended += 1);
                }
                _ => {}
            }
            assert!(
                open.is_empty()
                    || open
                        .iter()
                        .any(|(ticket, ..)| matches!(*ticket.state.borrow(), TicketState::Leading(_)))
            );
        }
        assert_eq!(ended, asked);
        assert!(groups.0.borrow().is_empty());
    }

    #[test]
    fn each_job_gets_the_result_of_a_sync_that_began_after_it_asked() {
        let mut seed = 1_u64;
        for _ in 0..2_000 {
            let choices: Vec<u8> = (0..30)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    // Jobs ask and sync more often than they are dropped.
                    [0, 0, 0, 1, 1, 1, 2, 3][(seed >> 61) as usize]
                })
                .collect();
            check(&choices);
        }
    }
}
