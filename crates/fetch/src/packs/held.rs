//! A result whose shard is still being written.
//!
//! Owns: what is kept of it until then.
//! Does not own: waiting ([`haul_pack::PackSource`]).

use haul_io::Io;
use haul_pack::Ticket;

use crate::list::task::Completed;
use crate::packs::name::PackName;
use crate::{Error, Times};

/// A complete result, a member of a shard.
pub(crate) struct HeldResult {
    pub(crate) ticket: Ticket,
    /// Taken by the start that ends the task.
    completed: Option<Completed>,
    pub(crate) times: Times,
}

impl HeldResult {
    /// Header fields aren't kept: tens of thousands of results wait.
    pub(crate) fn new(ticket: Ticket, mut completed: Completed, times: Times) -> Self {
        completed.response.headers = http::HeaderMap::new();
        completed.response.trailers = http::HeaderMap::new();
        Self { ticket, completed: Some(completed), times }
    }

    /// What became of the result, whose shard is published if it is still open.
    ///
    /// # Errors
    /// Why the shard could not be published.
    pub(crate) async fn settle(&mut self, io: &impl Io, to: &PackName) -> Result<Completed, Error> {
        let (path, shortfalls) = to.packer.settle(io, &self.ticket).await.map_err(Error::write)?;
        let completed = self.completed.take().ok_or(Error::Cancelled)?;
        Ok(Completed { shard: Some(path), shortfalls, ..completed })
    }
}
