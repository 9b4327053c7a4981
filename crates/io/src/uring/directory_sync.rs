//! [`Io::sync_directory`] on a ring: one sync for all jobs that have asked for it meanwhile.
//!
//! Owns: the sync, and waiting for one that another job carries out.
//! Does not own: which job leads ([`super::group_sync`]).

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use super::core::Core;
use super::group_sync::{Ticket, TicketState};
use super::in_flight::Awaiting;
use crate::values::handle::Descriptor;
use crate::{Directory, Io};

/// Syncs `directory` for the job that is being polled.
///
/// # Panics
/// If no job is being polled.
pub(super) async fn sync(io: &impl Io, core: &Core, directory: &Directory) -> io::Result<()> {
    let job = core.current.get().expect("directories are synced by jobs of the ring, while it runs");
    let descriptor = &directory.file().0;
    let member = Member { core, directory: descriptor, ticket: core.group_sync.enter(descriptor, job) };
    if let Some(result) = member.turn().await {
        return result;
    }
    let synced = async {
        let readable = io.readable_directory(directory).await?;
        io.sync(&readable).await
    };
    let result = synced.await;
    core.wake(core.group_sync.end(descriptor, &member.ticket, &result));
    result
}

/// A job with its ticket.
struct Member<'a> {
    core: &'a Core,
    directory: &'a Arc<Descriptor>,
    ticket: Rc<Ticket>,
}

impl Member<'_> {
    /// Waits for the result of another job's sync; `None` if it is this job's turn to sync.
    async fn turn(&self) -> Option<io::Result<()>> {
        let _awaiting = Awaiting::new(self.core, self.ticket.job);
        std::future::poll_fn(|_| match &mut *self.ticket.state.borrow_mut() {
            TicketState::Waiting => Poll::Pending,
            TicketState::Leading(_) => Poll::Ready(None),
            TicketState::Ended(result) => Poll::Ready(Some(std::mem::replace(result, Ok(())))),
        })
        .await
    }
}

impl Drop for Member<'_> {
    /// A leader that is dropped before the end leaves its followers to another leader.
    fn drop(&mut self) {
        if let Some(followers) = self.ticket.take_followers() {
            self.core.wake(self.core.group_sync.pass_on(self.directory, followers));
        }
    }
}
